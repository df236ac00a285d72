"""Time ranges, divided into whole hours and days, whose leads are counted already, and the partial ones at both ends.

The clock of the database says what time it is: each API gives the same answer, whatever its own clock says.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    DateTime,
    Float,
    Label,
    ScalarSelect,
    bindparam,
    func,
    literal_column,
    select,
)

from api.plan.sql import USER, UTC_NAME, Condition, constant_text, leads, moment

# The same throughout a statement. Only a test gives another moment.
NOW: ColumnElement[Any] = func.coalesce(moment("now"), func.now())
# Not '1 day', which is shorter or longer where a time zone changes its clocks.
_LENGTHS = {"hour": "1 hour", "day": "24 hours"}
DAY: ColumnElement[Any] = literal_column("interval '24 hours'")
_MICROSECOND: ColumnElement[Any] = literal_column("interval '1 microsecond'")
# A later one is none of Python.
_LAST: ColumnElement[Any] = literal_column("timestamptz '9999-12-31 00:00:00Z'")
_NEVER: ColumnElement[Any] = literal_column("NULL::timestamptz", DateTime(timezone=True))
DAYS = bindparam("days", type_=Float)


def once(computed: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Return an expression as a subquery, which is computed once. Under row security an index takes no other."""
    return select(computed).scalar_subquery()


def ago(days: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the moment so many times 24 hours ago; null for null."""
    return NOW - days * DAY


def next_start(granularity: str, start: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the start of the first hour or day that begins at a moment or after it."""
    length: ColumnElement[Any] = literal_column(f"interval '{_LENGTHS[granularity]} -1 microsecond'")
    return _start_of(granularity, start + length)


def _start_of(granularity: str, within: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.date_trunc(constant_text(granularity), within, UTC_NAME)


def _time_range() -> CTE:
    """Return one row: from `start` to before `end`, the whole hours of that, and the whole days among these.

    It begins where a request says, or so many days ago if that is later. Where there are no whole hours or days, both
    of their bounds are the same.
    """
    latest = func.greatest(moment("start"), ago(DAYS))
    asked = select(latest.label("start"), moment("end").label("end")).subquery("given").c
    hours_start = func.least(next_start("hour", asked.start), asked.end)
    hours_end = func.greatest(_start_of("hour", asked.end), hours_start)
    days_start = func.least(next_start("day", asked.start), hours_end)
    days_end = func.greatest(_start_of("day", asked.end), days_start)
    names = ("hours_start", "hours_end", "days_start", "days_end")
    whole = zip((hours_start, hours_end, days_start, days_end), names, strict=True)
    return select(asked.start, asked.end, *(bound.label(name) for bound, name in whole)).cte("time_range")


def stands_until(*moments: ColumnElement[Any]) -> Label[Any]:
    """Return the first of these moments, until which an answer stands while no lead changes; null without any."""
    return (func.least(*moments, _LAST) if moments else _NEVER).label("stands_until")


def end_of_days(number: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the last moment at which each lead of so many last days is still one of them.

    The last message of the oldest lead of a time range is the first entry of a range of an index.
    """
    return first_leave(leads.c.last_message_at, number, leads.c.user_id == USER)


def first_leave(
    column: ColumnElement[Any], days: ColumnElement[Any], *where: Condition
) -> ColumnElement[Any]:
    """Return when the oldest of these moments within so many last days is older than these."""
    oldest = select(func.min(column)).where(*where, column >= once(ago(days))).scalar_subquery()
    return oldest + days * DAY


def before_next(column: ColumnElement[Any], distance: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the last moment before the next lead has a moment that is now, or so far from now; null without any.

    `distance` is negative for a moment that was. The first lead after it is the first entry of a range of an index.
    """
    later = (leads.c.user_id == USER, column > once(NOW + distance))
    first = select(func.min(column)).select_from(leads).where(*later)
    return first.scalar_subquery() - distance - _MICROSECOND


_TIME_RANGE = _time_range()


def edge(name: str) -> ScalarSelect[Any]:
    """Return a moment of the time range of a list."""
    return once(_TIME_RANGE.c[name])
