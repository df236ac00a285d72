"""What of a request for the list decides its statement."""

from datetime import UTC, datetime, timedelta

import pytest

from api.plan.list.plan import FAR_OFFSET, SORTS, ListPlan, plan_list
from api.request import parameters
from api.request.parameters import LIST_QUERY

NOW = datetime(2026, 3, 29, tzinfo=UTC)


def plan(query: str) -> ListPlan:
    return plan_list(LIST_QUERY.read(query), NOW)[0]


def test_each_sort_of_a_request_has_its_column() -> None:
    assert set(SORTS) == set(parameters.SORTS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("days=7", "from_date=2025-01-01"),
        ("min_total_score=7", "min_total_score=8"),
        ("has_email=true", "has_email=false"),
        ("offset=1", "offset=20&limit=7"),
        ("search=abc+x", "search=y+defg"),
        ("customer_phone=1", "customer_phone=2"),
    ],
)
def test_requests_that_differ_in_values_have_one_plan(one: str, other: str) -> None:
    assert plan(one) == plan(other)
    assert plan_list(LIST_QUERY.read(one), NOW) != plan_list(LIST_QUERY.read(other), NOW)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", "days=7"),
        ("", "offset=1"),
        ("offset=1", f"offset={FAR_OFFSET + 1}"),
        ("platform=webchat", "platform=instagram"),
        ("sort_by=name", "sort_by=total_score"),
        ("sort_order=asc", "sort_order=desc"),
        ("search=abc", "search=ab"),
    ],
)
def test_requests_of_another_shape_have_another_plan(one: str, other: str) -> None:
    assert plan(one) != plan(other)


def test_a_moment_is_a_value() -> None:
    query = LIST_QUERY.read("days=7")
    assert plan_list(query, NOW)[0] == plan_list(query, NOW + timedelta(days=1))[0]


@pytest.mark.parametrize(
    ("query", "facets", "is_counted"),
    [
        ("", 0, True),
        ("days=7", 0, True),
        ("platform=webchat,whatsapp&has_email=true&days=7", 2, True),
        ("lead_status=Hot&search=a", 1, False),
        ("customer_phone=1", 0, False),
        ("last_message_sender=user", 0, True),
        ("has_conversation=false&days=7", 0, True),
        ("last_message_sender=user&has_conversation=true", 0, False),
        ("last_message_sender=user&lead_status=Hot", 1, False),
        ("agent_id=a", 0, False),
    ],
)
def test_what_the_counts_of_the_read_model_know(query: str, facets: int, *, is_counted: bool) -> None:
    found = plan(query)
    assert (found.facet_filter_count, found.is_counted) == (facets, is_counted)


@pytest.mark.parametrize(
    ("query", "is_on_leads", "narrowest"),
    [
        ("last_message_sender=user&lead_status=Hot&days=7", True, None),
        ("is_active=true&agent_id=a&platform=webchat", True, "agent_id"),
        ("is_active=true&search=a", False, "is_active"),
    ],
)
def test_what_an_index_finds_and_counts(query: str, narrowest: str | None, *, is_on_leads: bool) -> None:
    found = plan(query)
    assert found.is_on_leads is is_on_leads
    assert (found.narrowest and found.narrowest.name) == narrowest


@pytest.mark.parametrize(
    ("query", "has_nulls"),
    [
        ("", True),
        ("days=7", False),
        ("min_total_score=7", True),
        ("sort_by=total_score", True),
        ("sort_by=total_score&min_total_score=7", False),
        ("sort_by=total_score&days=7", True),
        ("sort_by=first_contact_at", False),
        ("sort_by=name&days=7", True),
    ],
)
def test_a_filter_on_the_sort_leaves_no_lead_without_it(query: str, *, has_nulls: bool) -> None:
    assert plan(query).has_nulls is has_nulls
