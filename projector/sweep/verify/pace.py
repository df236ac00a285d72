"""When the next slice of a round is due, and how large it is: arithmetic without a database.

A round is spread evenly over the days that an operator gives it. It reaches everything once in the first
PASS_SHARE of them, then compares again what waited. The next round begins after ROUND_SHARE of them, so that two looks
at one lead are not further apart than these days. Where time was lost, the slices follow as if the whole round had
CATCH_UP_SHARE of its days: a projector that was off does not make up for it in a burst.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

PASS_SHARE = 0.8
ROUND_SHARE = 0.9
CATCH_UP_SHARE = 0.1
AGAIN_SHARE = 0.01
"""Part of a round's days after which what waited is compared again."""

LEAST_SLICE, LARGEST_SLICE = 100, 1000
"""Leads or keys of one slice: less is not worth its transaction, more would be a long one."""

SLICE_SECONDS = 300.0
"""A slice is as large as a round needs at one in so many seconds, within these bounds."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a round is. `days` is how long it may take, `elapsed` how long it has taken."""

    days: float
    elapsed: timedelta
    rows_total: int
    rows_done: int

    @property
    def slice_size(self) -> int:
        """How many leads or keys the next slice compares."""
        wanted = SLICE_SECONDS / max(self._seconds_for(1), 1e-6)
        return min(max(round(wanted), LEAST_SLICE), LARGEST_SLICE)

    def pause(self, rows: int, seconds_taken: float) -> timedelta:
        """Return the pause after a slice of so many rows, which began here; as long as the slice took at least."""
        return timedelta(seconds=max(self._seconds_for(rows), seconds_taken))

    def _seconds_for(self, rows: int) -> float:
        """What so many rows get of the time that is left, and as if the whole had CATCH_UP_SHARE at least."""
        if rows == 0:
            return 0.0
        whole = self.days * 86_400
        left = max(PASS_SHARE * whole - max(self.elapsed.total_seconds(), 0.0), 0.0)
        rows_left = max(self.rows_total - self.rows_done, rows)
        all_rows = max(self.rows_total, self.rows_done + rows)
        return max(left * rows / rows_left, CATCH_UP_SHARE * whole * rows / all_rows)


def next_start(started_at: datetime, days: float) -> datetime:
    """Return when the round after the one that started then begins."""
    return started_at + timedelta(days=ROUND_SHARE * days)


def last_attempt(started_at: datetime, reached_at: datetime, days: float) -> datetime:
    """Return until when a round that has reached everything compares again what waited."""
    return max(next_start(started_at, days), reached_at + timedelta(days=CATCH_UP_SHARE * days))


def between_attempts(days: float) -> timedelta:
    """Return the pause before what waited is compared again."""
    return timedelta(days=AGAIN_SHARE * days)


def seconds_until(due_at: datetime, now: datetime, days: float) -> float:
    """Return the seconds until something is due, 0 if it is.

    No pause is as long as a round. A moment further away was noted before the clock was set back: it is due.
    """
    wait = (due_at - now).total_seconds()
    return 0.0 if wait > days * 86_400 else max(wait, 0.0)
