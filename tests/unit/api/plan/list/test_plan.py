"""What of a request for the list decides its statement, and what is a value of it."""

from datetime import UTC, datetime

from api.plan.list.pages import list_leads
from api.request.query import QUERIES
from tests.support.cases import cases

NOW = datetime(2026, 3, 29, 13, 7, 11, tzinfo=UTC)


@cases(
    ("query", "other"),
    [
        ("days=7", "from_date=2025-01-01"),
        ("min_total_score=7", "min_total_score=8"),
        ("agent_id=a", "agent_id=b"),
        ("offset=1", "offset=20&limit=7"),
        ("search=abc+x", "search=y+defg"),
        ("customer_phone=1", "customer_phone=2"),
    ],
)
def test_requests_that_differ_in_values_share_their_statement(query: str, other: str) -> None:
    first, second = (
        list_leads(user, QUERIES["listLeads"].read(query)).at(NOW)
        for user, query in (("a", query), ("b", other))
    )
    assert first.statement is second.statement
    assert (first.values["user_id"], second.values["user_id"]) == ("a", "b")
    assert first.values != {**second.values, "user_id": "a"}


@cases(
    ("query", "found"),
    [
        ("", "documents"),
        ("lead_status=Hot", "documents"),
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
    text = str(list_leads("u", QUERIES["listLeads"].read(query)).at(NOW).statement)
    parts = {part for part in ("documents", "keys", "with_value", "in_buckets") if f" {part}" in text}
    assert parts == {found} | ({"keys"} & parts if found in {"with_value", "in_buckets"} else set())
