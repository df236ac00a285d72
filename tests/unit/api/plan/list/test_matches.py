"""Pages that are cut from all matches."""

from datetime import UTC, datetime

import pytest

from api.plan.list.statement import list_leads
from api.request.parameters import LIST_QUERY

NOW = datetime(2026, 3, 29, tzinfo=UTC)


def text(query: str, *, collect_matches: bool = False) -> str:
    return str(list_leads("u", LIST_QUERY.read(query), NOW, collect_matches=collect_matches).statement)


@pytest.mark.parametrize(
    ("query", "has_two_ways"), [("search=abc", True), ("search=ab", False), ("search=%2B1234", True)]
)
def test_only_a_search_by_the_index_spares_small_tenants_the_index(query: str, *, has_two_ways: bool) -> None:
    assert ("AS unindexed" in text(query)) is has_two_ways


@pytest.mark.parametrize(
    ("query", "of_leads", "collected"),
    [
        ("lead_status=Hot&sort_by=name", False, True),
        ("lead_status=Hot&sort_by=first_contact_at", False, True),
        ("lead_status=Hot", False, False),
    ],
)
def test_by_last_message_at_the_buckets_of_the_page_suffice(
    query: str, *, of_leads: bool, collected: bool
) -> None:
    assert ("WITH phones" in text(query)) is of_leads
    found = text(query, collect_matches=True)
    assert ("phones AS" in found) is collected
    assert ("picked AS" in found) is not collected


def test_leads_without_a_message_are_collected_unless_there_is_a_time_range() -> None:
    queries = ("lead_status=Hot&sort_by=name", "lead_status=Hot&sort_by=name&days=7")
    without_range, with_range = (text(query, collect_matches=True) for query in queries)
    assert "l.last_message_at IS NULL" in without_range
    assert "l.last_message_at IS NULL" not in with_range
