"""Loops that start the jobs again and again, each in a thread of its own.

They count time on a clock that never steps. By the wall clock, one that is set back by a minute and a half would let
every job stand still for as long.
"""

import threading
import time
from collections.abc import Callable

import structlog

FAILED_PAUSE_SECONDS = 5.0
"""How long a loop waits after a turn that failed with an error that was not foreseen."""

_log = structlog.get_logger(__name__)


def _clock() -> float:
    return time.monotonic()


class Loop:
    """Calls `turn` until `stop` is set. What it returns is the time from the start of a turn to the next, in seconds.

    A turn that takes longer is followed by the next one at once. The first one comes after `first_after` seconds.
    """

    def __init__(
        self, name: str, turn: Callable[[], float], stop: threading.Event, *, first_after: float = 0.0
    ) -> None:
        self._turn = turn
        self._stop = stop
        self._first_after = first_after
        self._thread = threading.Thread(target=self.run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def run(self) -> None:
        """Take turns until the stop."""
        next_at = _clock() + self._first_after
        while not self._stop.wait(max(next_at - _clock(), 0.0)):
            began_at = _clock()
            try:
                pause = self._turn()
            except Exception:  # noqa: BLE001  # A loop that ends would not be missed.
                _log.exception("unexpected failure", job=self._thread.name)
                pause = FAILED_PAUSE_SECONDS
            next_at = began_at + pause
