"""Stretches of time, cut into whole hours or days, which are counted already, and the edges, which are not."""

from datetime import datetime, timedelta
from typing import NamedTuple

from api.values import FIRST_MOMENT, LAST_MOMENT, shifted

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class Window(NamedTuple):
    """Where a stretch begins and ends; in it whole units from first to before end, and an edge on either side."""

    begins: datetime
    first: datetime
    end: datetime
    ends: datetime


def window_of(unit: timedelta, begins: datetime, ends: datetime = LAST_MOMENT) -> Window:
    """The stretch from one moment to before another."""
    first, end = _floor(begins, unit), _floor(ends, unit)
    if first < begins:
        first = shifted(first, unit)
    if first >= end:
        return Window(begins, ends, ends, ends)
    return Window(begins, first, end, ends)


def _floor(moment: datetime, unit: timedelta) -> datetime:
    return moment - (moment - FIRST_MOMENT) % unit
