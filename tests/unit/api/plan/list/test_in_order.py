"""Whether a page in order reads rows with their documents, or keys."""

from datetime import UTC, datetime

import pytest

from api.plan.list.statement import list_leads
from api.request.parameters import LIST_QUERY

NOW = datetime(2026, 3, 29, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "documents"),
        ("lead_status=Hot", "documents"),
        ("days=7", "documents"),
        ("sort_by=first_contact_at&lead_status=Hot&has_email=true", "documents"),
        # The index by last_message_at has the facets, so that of rare combinations no row is read in vain.
        ("lead_status=Hot&has_email=true", "keys"),
        ("offset=1", "keys"),
        ("sort_by=name&sort_order=asc", "keys"),
        # In this direction the leads without a value come first in the index, and last on the page.
        ("sort_by=name", "with_value"),
        ("sort_order=asc", "with_value"),
        ("sort_by=total_score", "with_value"),
        ("sort_by=total_score&min_total_score=7", "keys"),
        ("offset=30000", "in_buckets"),
    ],
)
def test_what_a_page_reads(query: str, found: str) -> None:
    text = str(list_leads("u", LIST_QUERY.read(query), NOW).statement)
    parts = {part for part in ("documents", "keys", "with_value", "in_buckets") if f" {part}" in text}
    assert parts == {found} | ({"keys"} & parts if found in {"with_value", "in_buckets"} else set())
