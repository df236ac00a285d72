"""When the refresh looks for changes again, and how thoroughly: in short steps while changes arrive."""

import time
from collections.abc import Callable
from datetime import timedelta

IDLE_AFTER_SECONDS = 5.0
"""Without a change for so long the projector is idle, and pauses as long as LEADS_REFRESH_SECONDS allows."""

SHORTEST_PAUSE_SECONDS = 0.005
PAUSES_SINCE_A_CHANGE = 200
"""A pause is the time since the last change divided by this, so the next change waits at most 0.5 % of it."""

SHORTEST_FRESHNESS_SECONDS = 0.02
FRESHNESS_SINCE_A_CHANGE = 2
"""Freshness may be as old as the time since the last change divided by this. A caller who has just written,
and asks for data as of the commit, waits until freshness has passed the commit."""

IDLE_FRESHNESS_SECONDS = 0.45
"""While nothing changes, freshness moves only once it is this old, because each move writes a row."""

LONGEST_LOOK_SECONDS = 1.0
"""How long batches may replace a look at everything. Batches do not see whether dead letters are due."""


class Pace:
    """The time since the last change, and since the last look, on a clock that never steps.

    `longest` is the longest pause, in seconds. A projector that starts behaves as if it had just found a
    change.
    """

    def __init__(self, longest: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest = longest
        self._clock = clock
        self._changed_at = clock()
        self._fresh_at = self._looked_at = float("-inf")

    def note_changes(self) -> None:
        """Note that batches have taken changes. They have looked whether capture is intact, and moved freshness."""
        self._changed_at = self._fresh_at = self._clock()

    def note_look(self) -> None:
        """Note a look at everything."""
        self._fresh_at = self._looked_at = self._clock()

    @property
    def is_idle(self) -> bool:
        """Whether no change has come for IDLE_AFTER_SECONDS."""
        return self._clock() - self._changed_at >= IDLE_AFTER_SECONDS

    @property
    def pause(self) -> float:
        """The seconds until the next look of any kind."""
        if self.is_idle:
            return self._longest
        since = self._clock() - self._changed_at
        return min(max(since / PAUSES_SINCE_A_CHANGE, SHORTEST_PAUSE_SECONDS), self._longest)

    @property
    def needs_look(self) -> bool:
        """Whether the next look has to cover everything, and not only the queue."""
        if self.is_idle:
            return True
        now = self._clock()
        oldest = max((now - self._changed_at) / FRESHNESS_SINCE_A_CHANGE, SHORTEST_FRESHNESS_SECONDS)
        return (
            now - self._fresh_at >= min(oldest, self._longest)
            or now - self._looked_at >= LONGEST_LOOK_SECONDS
        )

    @property
    def freshness_interval(self) -> timedelta:
        """How old freshness has to be for a look to move it."""
        return timedelta(seconds=IDLE_FRESHNESS_SECONDS if self.is_idle else 0)
