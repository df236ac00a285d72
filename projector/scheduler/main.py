"""The process of the scheduler: APScheduler, which no other module knows, starts the jobs, and a signal ends them."""

import logging
import signal
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import FrameType

import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger

from projector.config import Config
from projector.cron import name_weekdays
from projector.metrics.server import serving
from projector.scheduler.jobs import Jobs
from projector.sql import PROJECTION_VERSION

UPKEEP_INTERVAL_SECONDS = 1
PRUNE_INTERVAL_SECONDS = 3600
WATCH_INTERVAL_SECONDS = 5
# How often the job looks whether a slice is due; slices that follow sooner are done in one go.
VERIFY_INTERVAL_SECONDS = 10

_log = structlog.get_logger(__name__)


def run(config: Config) -> None:
    """Run the jobs until SIGTERM or SIGINT, and end within a few seconds then.

    Raises ProjectorError where the database answers but does not hold a read model that this program can work with.
    """
    # APScheduler warns whenever a refresh is still running at the next tick, which is normal.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    jobs = Jobs(config)
    scheduler = BlockingScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(len(jobs.workers) + 1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )

    def shut_down() -> None:
        while True:
            with suppress(SchedulerNotRunningError):
                scheduler.shutdown(wait=False)
                return
            time.sleep(0.05)

    def end(number: int, _frame: FrameType | None) -> None:
        if not jobs.stop.is_set():
            _log.info("ending", signal=signal.Signals(number).name)
            jobs.stop.set()
            # In another thread: this one may hold a lock of the scheduler at this moment.
            threading.Thread(target=shut_down, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    jobs.check_installed()
    add_jobs(scheduler, jobs, config)
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
        scheduler.start()
        jobs.end()
    _log.info("ended")


def add_jobs(scheduler: BlockingScheduler, jobs: Jobs, config: Config) -> None:
    """Tell APScheduler when each job starts."""
    now = datetime.now(UTC)
    for name, seconds, first in (
        ("refresh", config.refresh_seconds, now),
        ("upkeep", UPKEEP_INTERVAL_SECONDS, now),
        ("prune", PRUNE_INTERVAL_SECONDS, now + timedelta(minutes=1)),
    ):
        scheduler.add_job(jobs.workers[name], "interval", seconds=seconds, name=name, next_run_time=first)
    scheduler.add_job(jobs.workers["verify"], "interval", seconds=VERIFY_INTERVAL_SECONDS, name="verify")
    if config.rebuild_cron:
        scheduler.add_job(jobs.workers["rebuild"], cron_trigger(config.rebuild_cron), name="rebuild")
    scheduler.add_job(jobs.watch, "interval", seconds=WATCH_INTERVAL_SECONDS, name="watch")


def cron_trigger(expression: str) -> CronTrigger:
    """Return APScheduler's trigger for a cron expression, in UTC."""
    minute, hour, day, month, weekdays = expression.lower().split()
    return CronTrigger(
        minute=minute,
        hour=hour,
        day=day,
        month=month,
        # APScheduler counts weekdays from Monday, cron from Sunday.
        day_of_week=name_weekdays(weekdays),
        timezone=UTC,
    )
