"""How a round is spread over its days."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from projector.sweep import rolling as pace
from projector.sweep.rolling import LARGEST_SLICE, LEAST_SLICE, Pace

DAY = timedelta(days=1)
NOW = datetime(2026, 11, 25, tzinfo=UTC)


def simulate(
    rows: int, days: float = 1.0, *, uncounted: int = 0, off: timedelta | None = None
) -> list[timedelta]:
    """The moments of the slices of a pass over so many rows, of which `uncounted` came after the count."""
    moments, elapsed, done = [], timedelta(0), 0
    while done < rows + uncounted:
        moments.append(elapsed)
        here = Pace(days, elapsed, rows, done)
        size = min(here.slice_size, rows + uncounted - done)
        elapsed += here.pause(size, 0.1)
        done += size
        if off is not None and len(moments) == 1:
            elapsed += off
    return [*moments, elapsed]


@pytest.mark.parametrize("rows", [1, 99, 1000, 400_000, 20_000_000])
@pytest.mark.parametrize("days", [1.0, 7.0])
def test_a_pass_is_spread_evenly_over_its_share_of_the_days(rows: int, days: float) -> None:
    moments = simulate(rows, days)
    assert 0.75 * days * DAY < moments[-1] < 0.85 * days * DAY
    half = moments[len(moments) // 2]
    assert len(moments) < 3 or 0.3 * days * DAY < half < 0.6 * days * DAY


@pytest.mark.parametrize(("rows", "size"), [(0, LEAST_SLICE), (1000, LEAST_SLICE), (400_000, LARGEST_SLICE)])
def test_a_slice_is_as_large_as_the_number_of_leads_needs(rows: int, size: int) -> None:
    assert Pace(1.0, timedelta(0), rows, 0).slice_size == size
    assert LEAST_SLICE < Pace(1.0, timedelta(0), 100_000, 0).slice_size < LARGEST_SLICE


def test_less_time_makes_larger_slices() -> None:
    sizes = [Pace(1.0, share * DAY, 50_000, 0).slice_size for share in (0.0, 0.4, 0.7)]
    assert sizes == sorted(set(sizes))


def test_a_whole_round_after_a_day_off_takes_a_tenth_of_the_days() -> None:
    moments = simulate(400_000, off=DAY)
    assert 0.09 * DAY < moments[-1] - moments[1] < 0.11 * DAY
    pauses = [later - earlier for earlier, later in pairwise(moments[1:-1])]
    assert min(pauses) > timedelta(seconds=5)


def test_rows_that_were_not_counted_are_reached_in_time() -> None:
    assert simulate(10_000, uncounted=10_000)[-1] < 0.95 * DAY


def test_a_pause_is_as_long_as_its_slice_took_at_least() -> None:
    assert Pace(1.0, 5 * DAY, 10**9, 0).pause(1000, 3.0) == timedelta(seconds=3)
    assert Pace(1.0, timedelta(0), 10, 10).pause(0, 0.2) == timedelta(seconds=0.2)


def test_a_clock_that_was_set_back_makes_nothing_wait_for_ever() -> None:
    assert pace.seconds_until(NOW + timedelta(hours=2), NOW, 1.0) == 7200
    assert pace.seconds_until(NOW - timedelta(hours=2), NOW, 1.0) == 0
    assert pace.seconds_until(NOW + timedelta(days=2), NOW, 1.0) == 0
    assert Pace(1.0, -DAY, 400_000, 0).slice_size == Pace(1.0, timedelta(0), 400_000, 0).slice_size


def test_two_looks_at_a_lead_are_not_further_apart_than_the_days() -> None:
    assert pace.next_start(NOW, 2.0) - NOW < 2 * DAY
    assert pace.last_attempt(NOW, NOW + 0.8 * DAY, 1.0) - NOW <= DAY
    # Also where a round came to its end late, what waited is given some time.
    assert pace.last_attempt(NOW, NOW + 3 * DAY, 1.0) > NOW + 3 * DAY
