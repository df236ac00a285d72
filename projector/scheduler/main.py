"""The process of the scheduler: loops start the jobs, and a signal ends them.

Loops count time on a clock that never steps. By the wall clock, one that is set back by a minute and a half would let
every job stand still for as long.
"""

import signal
import threading
import time
from collections.abc import Callable

import structlog

from projector.config import Config
from projector.database.sql import PROJECTION_VERSION
from projector.observe.metrics import serving
from projector.scheduler.jobs import Jobs

FIRST_PRUNE_SECONDS = 60.0
ENDING = {signal.SIGTERM, signal.SIGINT}

FAILED_PAUSE_SECONDS = 5.0
"""How long a loop waits after a turn that failed with an error that was not foreseen."""

_log = structlog.get_logger(__name__)


def run(config: Config) -> None:
    """Run the jobs until SIGTERM or SIGINT, and end within a few seconds then.

    Raises ProjectorError where the database answers but does not hold a read model that this program can work with.
    """
    jobs = Jobs(config)
    jobs.check_installed()
    # In this thread and in those that it starts: a signal that comes before it is waited for stays pending. Not before
    # this process is sure to wait: programs that it starts after a refusal would inherit the mask.
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    _log.info(
        "the projector runs",
        refresh_seconds=config.refresh_seconds,
        refresh_batch=config.refresh_batch,
        queue_limit=config.queue_limit,
        verify_days=config.verify_days or "off",
        rebuild=config.rebuild_cron or "off",
        projection_version=PROJECTION_VERSION,
    )
    with serving(config):
        start_loops(jobs)
        name = signal.Signals(signal.sigwait(ENDING)).name
        _log.info("ending", signal=name)
        jobs.stop.set()
        jobs.end()
    _log.info("ended")


def start_loops(jobs: Jobs) -> None:
    """Start a thread for each job."""
    looped: dict[str, Callable[[], float]] = {**jobs.workers, "watch": jobs.watch}
    for name, turn in looped.items():
        first_after = FIRST_PRUNE_SECONDS if name == "prune" else 0.0
        arguments = (name, turn, jobs.stop, first_after)
        threading.Thread(target=run_loop, args=arguments, name=name, daemon=True).start()


def _clock() -> float:
    return time.monotonic()


def run_loop(name: str, turn: Callable[[], float], stop: threading.Event, first_after: float) -> None:
    """Take turns until `stop` is set, the first one after `first_after` seconds.

    What `turn` returns is the time from the start of a turn to the next, in seconds. A turn that takes longer is
    followed by the next one at once.
    """
    next_at = _clock() + first_after
    while not stop.wait(max(next_at - _clock(), 0.0)):
        began_at = _clock()
        try:
            pause = turn()
        except Exception:  # noqa: BLE001  # A loop that ends would not be missed.
            _log.exception("unexpected failure", job=name)
            pause = FAILED_PAUSE_SECONDS
        next_at = began_at + pause
