"""The filters of the list: what a request binds, and on which table each condition is."""

from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import and_, true

from api.plan.list.filters import (
    FILTERS,
    TIME_RANGE,
    conditions,
    conditions_on_facets,
    given_filters,
)
from api.plan.sql import lead_counts, lead_profiles, leads
from api.request.parameters import LIST_QUERY
from api.request.text import FIRST_MOMENT, LAST_MOMENT

NOW = datetime(2026, 3, 29, 13, 7, 11, tzinfo=UTC)


def bound(query: str) -> dict[str, object]:
    return given_filters(LIST_QUERY.read(query), NOW)[1]


def test_no_filter_is_given_by_a_bare_request() -> None:
    assert given_filters(LIST_QUERY.read("sort_by=name&offset=7"), NOW) == ((), {})


@pytest.mark.parametrize(
    ("query", "values"),
    [
        ("lead_status=cold,hot", {"lead_status": ["Hot", "Cold"]}),
        ("platform=whatsapp", {}),
        ("has_email=false", {"has_email": False}),
        ("has_extraction=true", {"has_extraction": True}),
        ("min_total_score=7&max_total_score=9", {"min_total_score": 7, "max_total_score": 9}),
        ("customer_phone=%2B49 1", {"customer_phone": "491"}),
        ("agent_id=a&phone_number_id=p", {"agent_id": "a", "phone_number_id": "p"}),
        ("is_active=0", {"is_active": False}),
        ("last_message_sender=USER&has_conversation=true", {}),
        ("search=ab abc", {"word_0": "ab", "word_1": "%abc%"}),
        ("search=%C3%A4bc&ignore_accents=true", {"word_0": "%äbc%", "plain_0": "%abc%"}),
    ],
)
def test_the_values_of_a_filter(query: str, values: dict[str, object]) -> None:
    assert bound(query) == values


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ("days=7", NOW - timedelta(days=7), LAST_MOMENT),
        ("days=7&from_date=2026-03-28", datetime(2026, 3, 28, tzinfo=UTC), LAST_MOMENT),
        ("days=7&from_date=2020-01-01", NOW - timedelta(days=7), LAST_MOMENT),
        ("to_date=2026-03-28", FIRST_MOMENT, datetime(2026, 3, 29, tzinfo=UTC)),
        ("to_date=2026-03-28T10:00", FIRST_MOMENT, datetime(2026, 3, 28, 10, 0, 0, 1000, tzinfo=UTC)),
    ],
)
def test_days_and_dates_are_one_time_range(query: str, start: datetime, end: datetime) -> None:
    given, values = given_filters(LIST_QUERY.read(query), NOW)
    assert [name for name, _ in given] == [TIME_RANGE]
    assert (values["start"], values["end"]) == (start, end)


def test_a_time_range_has_whole_hours_and_among_them_whole_days() -> None:
    values = bound("from_date=2026-03-01T10:30&to_date=2026-03-04T20:15")
    assert values["hours_start"] == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert values["days_start"] == datetime(2026, 3, 2, tzinfo=UTC)
    assert values["first_day"] == date(2026, 3, 2)
    assert values["days_end"] == datetime(2026, 3, 4, tzinfo=UTC)
    assert values["end_day"] == date(2026, 3, 4)
    assert values["hours_end"] == datetime(2026, 3, 4, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "on_leads", "on_profiles"),
    [
        ("lead_status=Hot", "l.lead_status", "p.lead_status"),
        ("has_email=true", "l.has_email", "p.email IS NOT NULL"),
        ("platform=webchat", "l.on_webchat", "SELECT l.on_webchat"),
        ("days=7", "l.last_message_at", "SELECT l.last_message_at"),
        ("search=abc", "p.search_text", "p.search_text"),
        ("customer_phone=1", "l.customer_phone", "p.customer_phone"),
        ("last_message_sender=agent", "l.last_message_sender", "SELECT l.last_message_sender"),
        ("has_conversation=false", "NOT l.has_conversation", "SELECT NOT l.has_conversation"),
        ("agent_id=a", "c.customer_phone = l.customer_phone", "c.customer_phone = p.customer_phone"),
    ],
)
def test_a_filter_is_on_the_table_that_has_it_or_looked_up_there(
    query: str, on_leads: str, on_profiles: str
) -> None:
    given, _ = given_filters(LIST_QUERY.read(query), NOW)
    assert on_leads in str(and_(true(), *conditions(given, leads)))
    assert on_profiles in str(and_(true(), *conditions(given, lead_profiles)))


@pytest.mark.parametrize("name", [name for name, entry in FILTERS.items() if entry.is_facet])
def test_a_facet_is_counted(name: str) -> None:
    query = {"platform": "whatsapp", "lead_status": "Hot", "has_email": "true", "has_extraction": "true"}
    given, _ = given_filters(LIST_QUERY.read(f"{name}={query.get(name, '7')}&days=7&search=a"), NOW)
    assert len(conditions_on_facets(given, lead_counts.c)) == 1
