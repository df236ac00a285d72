"""Time ranges and their whole buckets."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from api.plan.time_buckets import DAY, HOUR, time_range
from api.request.text import FIRST_MOMENT, LAST_MOMENT

moments = st.datetimes(
    FIRST_MOMENT.replace(tzinfo=None), LAST_MOMENT.replace(tzinfo=None), timezones=st.just(UTC)
)


@given(st.sampled_from((HOUR, DAY)), moments, moments)
def test_the_parts_follow_each_other_and_partial_ones_are_short(
    bucket: timedelta, one: datetime, other: datetime
) -> None:
    start, end = sorted((one, other))
    found = time_range(bucket, start, end)
    assert start <= found.buckets_start <= found.buckets_end <= end
    assert (found.start, found.end) == (start, end)
    assert (found.buckets_end - found.buckets_start) % bucket == timedelta(0)
    if found.buckets_start < found.buckets_end:
        assert (found.buckets_start - FIRST_MOMENT) % bucket == timedelta(0)
        assert max(found.buckets_start - start, end - found.buckets_end) < bucket
