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


def start_loop(
    name: str, turn: Callable[[], float], stop: threading.Event, *, first_after: float = 0.0
) -> None:
    """Start a thread that takes turns until `stop` is set, the first one after `first_after` seconds.

    What `turn` returns is the time from the start of a turn to the next, in seconds. A turn that takes longer is
    followed by the next one at once.
    """
    threading.Thread(target=run_loop, args=(name, turn, stop, first_after), name=name, daemon=True).start()


def run_loop(name: str, turn: Callable[[], float], stop: threading.Event, first_after: float = 0.0) -> None:
    """Take turns as start_loop says, in this thread."""
    next_at = _clock() + first_after
    while not stop.wait(max(next_at - _clock(), 0.0)):
        began_at = _clock()
        try:
            pause = turn()
        except Exception:  # noqa: BLE001  # A loop that ends would not be missed.
            _log.exception("unexpected failure", job=name)
            pause = FAILED_PAUSE_SECONDS
        next_at = began_at + pause
