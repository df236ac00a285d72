"""Time ranges, divided into whole hours and days, whose leads are counted, and partial ones at both ends.

All times are by the clock of the database, so that each API gives the same answer, whatever its own clock says.
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

from api.plan.sql import AS_SENT, USER, UTC_NAME, Condition, constant_text, leads, moment

# The same moment throughout a statement. Only tests bind another one.
NOW: ColumnElement[Any] = func.coalesce(bindparam("now", None, type_=AS_SENT), func.now())
# Not '1 day', which is shorter or longer when a time zone changes its clocks.
_LENGTHS = {"hour": "1 hour", "day": "24 hours"}
DAY: ColumnElement[Any] = literal_column("interval '24 hours'")
_MICROSECOND: ColumnElement[Any] = literal_column("interval '1 microsecond'")
# Python has no later moment.
_LAST: ColumnElement[Any] = literal_column("timestamptz '9999-12-31 00:00:00Z'")
_NEVER: ColumnElement[Any] = literal_column("NULL::timestamptz", DateTime(timezone=True))
DAYS = bindparam("days", type_=Float)


def once(computed: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Return an expression as a subquery, which is computed once. Row security lets an index take nothing else."""
    return select(computed).scalar_subquery()


def ago(days: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the moment this many times 24 hours ago; null for null."""
    return NOW - days * DAY


def next_start(granularity: str, start: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the start of the first hour or day that begins at or after a moment."""
    length: ColumnElement[Any] = literal_column(f"interval '{_LENGTHS[granularity]} -1 microsecond'")
    return _start_of(granularity, start + length)


def _start_of(granularity: str, within: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.date_trunc(constant_text(granularity), within, UTC_NAME)


def _time_range() -> CTE:
    """Return one row: the range from `start` to before `end`, its whole hours, and its whole days.

    The range begins at the start that a request gives, or its `days` ago if that is later. If there are no whole hours
    or days, their two bounds are equal.
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
    """Return the first of these moments: until then an answer stays the same if no lead changes. Null without any."""
    return (func.least(*moments, _LAST) if moments else _NEVER).label("stands_until")


def end_of_days(number: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the last moment at which no lead has left this many last days yet.

    The oldest lead of a time range is the first entry of a range of an index.
    """
    return first_leave(leads.c.last_message_at, number, leads.c.user_id == USER)


def first_leave(
    column: ColumnElement[Any], days: ColumnElement[Any], *where: Condition
) -> ColumnElement[Any]:
    """Return when the oldest moment of a column within this many last days leaves them."""
    oldest = select(func.min(column)).where(*where, column >= once(ago(days))).scalar_subquery()
    return oldest + days * DAY


def before_next(column: ColumnElement[Any], distance: ColumnElement[Any]) -> ColumnElement[Any]:
    """Return the last moment before the next lead's value of a column equals now plus a distance; null without any.

    A negative distance is in the past. The next lead is the first entry of a range of an index.
    """
    later = (leads.c.user_id == USER, column > once(NOW + distance))
    first = select(func.min(column)).select_from(leads).where(*later)
    return first.scalar_subquery() - distance - _MICROSECOND


_TIME_RANGE = _time_range()


def edge(name: str) -> ScalarSelect[Any]:
    """Return a moment of the time range of a list."""
    return once(_TIME_RANGE.c[name])
