"""Time ranges, divided into whole hours or days, whose leads are counted already, and the partial ones at both ends."""

from datetime import datetime, timedelta
from typing import NamedTuple

from api.request.text import FIRST_MOMENT, LAST_MOMENT, shift

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


class TimeRange(NamedTuple):
    """A time range from `start` to before `end`, and its whole buckets from `buckets_start` to before `buckets_end`.

    Partial buckets lie from `start` to `buckets_start`, and from `buckets_end` to `end`.
    """

    start: datetime
    buckets_start: datetime
    buckets_end: datetime
    end: datetime


def time_range(bucket: timedelta, start: datetime, end: datetime = LAST_MOMENT) -> TimeRange:
    """Returns the time range with its whole buckets; without any, both of their bounds are `end`."""
    buckets_start, buckets_end = _bucket_start(start, bucket), _bucket_start(end, bucket)
    if buckets_start < start:
        buckets_start = shift(buckets_start, bucket)
    if buckets_start >= buckets_end:
        return TimeRange(start, end, end, end)
    return TimeRange(start, buckets_start, buckets_end, end)


def _bucket_start(moment: datetime, bucket: timedelta) -> datetime:
    return moment - (moment - FIRST_MOMENT) % bucket
