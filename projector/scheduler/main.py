"""The process of the scheduler: APScheduler starts the jobs, a thread watches the clock, and a signal ends them."""

import logging
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_EXECUTED, EVENT_JOB_MISSED, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.base import BaseTrigger

from projector.config import Config
from projector.core.preconditions import require_installed
from projector.database import connect as db
from projector.database.sql import PROJECTION_VERSION
from projector.observe import metrics
from projector.report.errors import DatabaseUnreachableError
from projector.scheduler.cron import cron_trigger
from projector.scheduler.job import CANCEL_SECONDS, Job, Shared
from projector.scheduler.jobs import FollowOrigin, Presence, Prune, Rebuild, Upkeep, Verify
from projector.scheduler.refresh import Refresh

ENDING = {signal.SIGTERM, signal.SIGINT}

FIRST_PRUNE_SECONDS = 60.0

FAILED_PAUSE_SECONDS = 5.0
"""How long a job waits after a turn that failed with an error that was not foreseen."""

WATCH_INTERVAL_SECONDS = 5.0

SILENT_SECONDS = 60.0
"""How long a job may show no progress before `watch` checks whether the database still answers."""

CLOCK_SECONDS = 1.0
"""How often the wall clock is compared with the monotonic clock."""

STEP_SECONDS = 2.0
"""How far the two clocks may move apart between two comparisons. If it is more, the wall clock was set."""

_MISSED_SECONDS = 60
"""How late a rebuild from cron may begin. If the clock is set ahead, the skipped times start no rebuild."""

# How long the jobs have to finish after a signal, before their statements are cancelled, and before the process
# exits.
_GRACE_SECONDS = 2.0
_EXIT_SECONDS = 9.0

_log = structlog.get_logger(__name__)


def run(config: Config) -> None:
    """Run the jobs until SIGTERM or SIGINT, and end within a few seconds then.

    Raises ProjectorError where the database answers but does not hold a read model that this program can work with.
    """
    scheduler = Scheduler(config)
    scheduler.check_installed()
    # Block the signals in this thread and in those that it starts, so that an early signal stays pending
    # until sigwait. This follows the check, because programs started after a failed check would inherit the
    # mask.
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
    with metrics.serving(config), scheduler.running():
        name = signal.Signals(signal.sigwait(ENDING)).name
        _log.info("ending", signal=name)
    _log.info("ended")


class Pause(BaseTrigger):  # type: ignore[misc]  # APScheduler has no types.
    """The trigger of a job whose next turn is due so many seconds after it was planned.

    While the job is still at a turn, APScheduler starts no second one, and asks for the next time again.
    """

    def __init__(self, seconds: float) -> None:
        # Never 0: APScheduler looks for the next time in the future, and would not find one.
        self._pause = timedelta(seconds=max(seconds, 0.01))

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        """Return the next time. It does not depend on the previous one, which can be years ago once a clock is set."""
        return now + self._pause


class Scheduler:
    """Starts each job when it is due, and watches the jobs and the clock."""

    def __init__(self, config: Config) -> None:
        self.shared = Shared(config)
        kinds: tuple[type[Job], ...] = (Refresh, Upkeep, Presence, FollowOrigin, Verify, Rebuild, Prune)
        self.jobs = {kind.name: kind(self.shared) for kind in kinds}
        for name in self.jobs:
            # A count of 0 from the start: no alert sees an increase from nothing to 1.
            metrics.ERRORS.labels(name)
        self._calendar = cron_trigger(config.rebuild_cron) if config.rebuild_cron else None
        self._clocks_apart = _read_clocks_apart()
        # _plan_next logs the failure of a job; APScheduler would log it too, with values of rows.
        logging.getLogger("apscheduler").setLevel(logging.ERROR)
        logging.getLogger("apscheduler.executors").setLevel(logging.CRITICAL)
        self._apscheduler = BackgroundScheduler(
            timezone=UTC,
            # No job waits for a thread.
            executors={"default": ThreadPoolExecutor(len(self.jobs) + 1)},
            job_defaults={"max_instances": 1, "coalesce": True, "misfire_grace_time": None},
        )

    def check_installed(self) -> None:
        """Raise NotInstalledError if the database has no read model. If it does not answer, the jobs wait."""
        try:
            conn = db.connect(self.shared.config.database_url, application_name=db.SCHEDULER_NAME)
        except DatabaseUnreachableError as error:
            self.shared.database.note_loss(error)
            return
        with conn:
            require_installed(conn)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run the jobs during the block, and end them after it."""
        turns = {**self.jobs, "refresh": self._refresh, "watch": self.watch}
        del turns["rebuild"]
        for name, turn in turns.items():
            first_at = _now() + timedelta(seconds=FIRST_PRUNE_SECONDS * (name == "prune"))
            self._apscheduler.add_job(turn, Pause(FAILED_PAUSE_SECONDS), id=name, next_run_time=first_at)
        if self._calendar is not None:
            rebuild = self.jobs["rebuild"]
            self._apscheduler.add_job(
                rebuild, self._calendar, id=rebuild.name, misfire_grace_time=_MISSED_SECONDS
            )
        self._apscheduler.add_listener(
            self._plan_next, EVENT_JOB_EXECUTED | EVENT_JOB_ERROR | EVENT_JOB_MISSED
        )
        self._apscheduler.start()
        threading.Thread(target=self._watch_clock, name="clock", daemon=True).start()
        try:
            yield
        finally:
            self.shared.stop.set()
            self._apscheduler.shutdown(wait=False)
            self.end()

    def _refresh(self) -> float:
        """Take turns of the refresh until the scheduler ends. Its pauses are too short to plan each turn."""
        pause = 0.0
        while not self.shared.stop.wait(pause):
            pause = self.jobs["refresh"]() or 0.0
        return pause

    def _plan_next(self, event: JobExecutionEvent) -> None:
        """Plan the next turn of a job at the end of one."""
        pause = event.retval
        if event.code == EVENT_JOB_ERROR:
            _log.error("unexpected failure", job=event.job_id, exc_info=event.exception)
            pause = FAILED_PAUSE_SECONDS
        if event.code == EVENT_JOB_MISSED:
            _log.info("no rebuild this time", reason="the clock jumped over its time")
        # At its end, the scheduler has no jobs.
        with suppress(JobLookupError):
            self._apscheduler.reschedule_job(
                event.job_id, trigger=self._calendar if pause is None else Pause(pause)
            )

    def _watch_clock(self) -> None:
        while not self.shared.stop.wait(CLOCK_SECONDS):
            self.check_clock()

    def check_clock(self) -> None:
        """Make every job due if the wall clock was set, and find the next time of the calendar again.

        APScheduler keeps times of the wall clock. When that is set back by a day, it would sleep for a day.
        """
        before, self._clocks_apart = self._clocks_apart, _read_clocks_apart()
        step = self._clocks_apart - before
        if abs(step) <= STEP_SECONDS:
            return
        _log.info("the clock jumped", seconds=round(step, 1))
        now = _now()
        # A job that the step has made due runs by itself: planned again, it would have two turns.
        moved = [
            job
            for job in self._apscheduler.get_jobs()
            if job.trigger is self._calendar or job.next_run_time > now
        ]
        for job in moved:
            with suppress(JobLookupError):
                if job.trigger is self._calendar:
                    self._apscheduler.reschedule_job(job.id, trigger=self._calendar)
                else:
                    self._apscheduler.modify_job(job.id, next_run_time=now)
        self._apscheduler.wakeup()

    def watch(self) -> float:
        """Check whether the database still answers where a job has shown no progress for SILENT_SECONDS.

        Cuts the connection of such a job where it does not: no timeout of the network would end its wait soon.
        Returns in how many seconds to look again.
        """
        silent = [
            job
            for job in self.jobs.values()
            if job.is_at_work and time.monotonic() - job.alive_at > SILENT_SECONDS
        ]
        if not silent or self.shared.stop.is_set():
            return WATCH_INTERVAL_SECONDS
        conn = self.shared.database.reach("watch")
        for job in silent:
            if conn is None:
                job.cut()
            else:
                # It answers, so the statement is long or waits for a lock. The run log and the metrics show that.
                job.touch()
                _log.warning("still at one statement", job=job.name, seconds=SILENT_SECONDS)
        if conn is not None:
            conn.close()
        return WATCH_INTERVAL_SECONDS

    def end(self) -> None:
        """Wait until every job has finished or rolled back its work, and exit the process where that takes too long."""
        ends_at = time.monotonic() + _EXIT_SECONDS
        cancel_at = time.monotonic() + _GRACE_SECONDS
        while busy := [job for job in self.jobs.values() if job.is_at_work]:
            if time.monotonic() > ends_at:
                _log.warning("ending in the middle of it", jobs=[job.name for job in busy])
                logging.shutdown()
                # The threads wait for a database that does not answer. It rolls back what they had begun.
                os._exit(0)
            if time.monotonic() > cancel_at:
                for job in busy:
                    job.cancel()
                cancel_at = time.monotonic() + CANCEL_SECONDS
            time.sleep(0.02)
        for job in self.jobs.values():
            job.close()


def _now() -> datetime:
    return datetime.now(UTC)


def _read_clocks_apart() -> float:
    return _now().timestamp() - time.monotonic()
