"""The time range of a request: its bounds, and the whole hours and days among them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from api.plan.list import active_time
from api.request.parameters import LIST_QUERY
from api.request.text import FIRST_MOMENT, LAST_MOMENT

NOW = datetime(2026, 3, 29, 13, 7, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ("days=7", NOW - timedelta(days=7), LAST_MOMENT),
        ("days=7&date=2026-03-28", datetime(2026, 3, 28, tzinfo=UTC), datetime(2026, 3, 29, tzinfo=UTC)),
        ("days=7&start_date=2020-01-01", NOW - timedelta(days=7), LAST_MOMENT),
        ("end_date=2026-03-28", FIRST_MOMENT, datetime(2026, 3, 29, tzinfo=UTC)),
    ],
)
def test_the_bounds(query: str, start: datetime, end: datetime) -> None:
    assert active_time.time_range_of(LIST_QUERY.read(query), NOW) == (start, end)


def test_without_a_date_there_is_no_range() -> None:
    assert active_time.time_range_of(LIST_QUERY.read("has_email=true"), NOW) is None


def test_whole_hours_and_days() -> None:
    values = active_time.bind(
        (datetime(2026, 3, 1, 10, 30, tzinfo=UTC), datetime(2026, 3, 4, 20, 15, tzinfo=UTC))
    )
    assert values["hours_start"] == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert (values["first_day"], values["end_day"]) == (date(2026, 3, 2), date(2026, 3, 4))
    assert values["hours_end"] == datetime(2026, 3, 4, 20, tzinfo=UTC)
