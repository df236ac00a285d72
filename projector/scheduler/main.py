"""The process of the scheduler: loops start the jobs, a calendar the rebuild, and a signal ends them."""

import logging
import signal
from datetime import UTC
from queue import Empty, SimpleQueue
from types import FrameType

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from projector.config import Config
from projector.database.sql import PROJECTION_VERSION
from projector.observe.metrics.server import serving
from projector.scheduler.cron import cron_trigger
from projector.scheduler.jobs import Jobs
from projector.scheduler.loops import start_loop

FIRST_PRUNE_SECONDS = 60.0
SIGNAL_CHECK_SECONDS = 1.0

_log = structlog.get_logger(__name__)


def run(config: Config) -> None:
    """Run the jobs until SIGTERM or SIGINT, and end within a few seconds then.

    Raises ProjectorError where the database answers but does not hold a read model that this program can work with.
    """
    # APScheduler warns whenever a job is still running at the next time, which is normal.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    jobs = Jobs(config)
    # A handler may interrupt this thread anywhere, also where it holds a lock. To put something here needs none.
    received: SimpleQueue[str] = SimpleQueue()

    def note(number: int, _frame: FrameType | None) -> None:
        received.put(signal.Signals(number).name)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, note)
    jobs.check_installed()
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
        calendar = start_calendar(jobs, config)
        name = wait_for_signal(received)
        _log.info("ending", signal=name)
        jobs.stop.set()
        if calendar is not None:
            calendar.shutdown(wait=False)
        jobs.end()
    _log.info("ended")


def wait_for_signal(received: "SimpleQueue[str]") -> str:
    """Return the signal that a handler notes.

    Python runs a handler between two of its own instructions. A signal that arrives just before this thread begins to
    wait does not end the wait, so its handler runs when the wait ends by itself.
    """
    while True:
        try:
            return received.get(timeout=SIGNAL_CHECK_SECONDS)
        except Empty:
            continue


def start_loops(jobs: Jobs) -> None:
    """Start the loops of all jobs that have no calendar; each job says how long its pause is."""
    for name, worker in jobs.workers.items():
        if name != "rebuild":
            first_after = FIRST_PRUNE_SECONDS if name == "prune" else 0.0
            start_loop(name, worker, jobs.stop, first_after=first_after)
    start_loop("watch", jobs.watch, jobs.stop)


def start_calendar(jobs: Jobs, config: Config) -> BackgroundScheduler | None:
    """Start what LEADS_REBUILD_CRON asks for; return None where that is off."""
    if not config.rebuild_cron:
        return None
    calendar = BackgroundScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )
    calendar.add_job(jobs.workers["rebuild"], cron_trigger(config.rebuild_cron), name="rebuild")
    calendar.start()
    return calendar
