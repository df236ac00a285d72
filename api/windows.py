"""Stretches of time, cut into the whole UTC days that are counted and the edges that are not."""

from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple

from api.values import LAST_MOMENT


class Window(NamedTuple):
    """Whole days from first_day to before end_day; an edge before them (head) and one after them (tail)."""

    first_day: date
    end_day: date
    head_begins: datetime
    head_ends: datetime
    tail_begins: datetime
    tail_ends: datetime


def window_of(begins: datetime, ends: datetime = LAST_MOMENT) -> Window:
    """The stretch from one moment to before another."""
    first, end = begins.date(), ends.date()
    if begins.time() != time.min and first < date.max:
        first += timedelta(days=1)
    if first >= end:
        return Window(date.min, date.min, begins, ends, ends, ends)
    return Window(first, end, begins, _midnight(first), _midnight(end), ends)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
