"""The jobs of the scheduler but the refresh: what each does, how often, and how long it waits after a failure."""

import logging
import os
import secrets
import socket
import threading
import time
from datetime import UTC, datetime

import psycopg
import structlog

from projector.capture import source_changes
from projector.config import Config
from projector.core import pipeline
from projector.core.preconditions import require_installed, require_migrated_version
from projector.database import connect as db
from projector.database import locks, rows
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.sql import query
from projector.observe import metrics
from projector.operate.origin.proof import Origin
from projector.report.errors import BlockedError, DatabaseUnreachableError, ProjectorError
from projector.scheduler.cron import cron_trigger
from projector.scheduler.refresh import Refresh
from projector.scheduler.worker import CANCEL_SECONDS, Database, Job, Worker
from projector.sweep import recovery, rolling

SILENT_SECONDS = 60.0
"""How long a job may show no progress before `watch` checks whether the database still answers."""

WATCH_INTERVAL_SECONDS = 5.0

# How long the jobs have to finish after a signal, before their statements are cancelled, and before the process
# exits.
_GRACE_SECONDS = 2.0
_EXIT_SECONDS = 9.0

UPKEEP_SECONDS = 1.0
IDLE_UPKEEP_SECONDS = 5.0
"""How long an idle projector goes without upkeep, unless a look has found a gap."""

_QUEUE_DEPTH_SECONDS = 5.0

_UNFED_SECONDS = 1.0
"""How long the origin waits where no subscription brings source rows, before it asks the refresh again."""

VERIFY_WAIT_SECONDS = 20.0
"""The next slice is waited for up to so long. For one that is due later, the job looks again so often: the rounds are
in the database, and another scheduler may go on with them.
"""

_VERIFY_GIVES_WAY_ABOVE_CHANGES = 10_000
"""While more changes wait, a verify would read them all with each slice, and leave out most leads."""

_CRON_LOOK_SECONDS = 20.0
"""How long a job from cron waits at most before it looks at the clock again, which may be set meanwhile."""

_CRON_WINDOW_SECONDS = 50
"""A run from cron is left out where another scheduler began one so recently: their clocks may differ a little, and
cron expressions have minutes."""

PRUNE_SECONDS = 3600.0

_BEAT_SECONDS = 5.0
"""How often a scheduler notes that it is there. `status` misses one that has not for ten seconds and holds no lock."""

_LATE_SECONDS = 10.0
"""The data are late once they are older than this and two pauses of the refresh."""

_log = structlog.get_logger(__name__)


class Upkeep(Job):
    """Rebuilds where there is a reason to, and cleans up after rebuilds that were killed.

    It works less often while nothing changes and nothing is wrong.
    """

    name = "upkeep"
    longest_retry_seconds = 60.0

    def __init__(self, config: Config, refresh: Refresh) -> None:
        self._queue_limit = config.queue_limit
        self._refresh = refresh
        self._next_at = self._depth_at = 0.0

    def wait(self) -> float:
        """Return whether it is too early, by what the refresh has seen."""
        seen = self._refresh
        is_due = seen.is_troubled or not seen.pace.is_idle or time.monotonic() >= self._next_at
        return 0.0 if is_due else UPKEEP_SECONDS

    def run(self, conn: Connection, worker: Worker) -> float:
        """Find out whether there is a reason to rebuild."""
        source_changes.note_harmless_changes(conn)
        recovery.note_interrupted_runs(conn)
        reasons = recovery.find_rebuild_reasons(conn)
        self._next_at = time.monotonic() + IDLE_UPKEEP_SECONDS
        is_deep = False
        if not self._refresh.is_queue_empty and time.monotonic() >= self._depth_at:
            self._depth_at = time.monotonic() + _QUEUE_DEPTH_SECONDS
            is_deep = recovery.is_too_deep(conn, self._queue_limit)
        if reasons.switched_off is None and (reasons.reason is not None or reasons.interrupted or is_deep):
            recovery.heal(conn, progress=worker.progress(), queue_limit=self._queue_limit)
        return UPKEEP_SECONDS


class Presence(Job):
    """Notes that this scheduler is there, until it ends: one that dies is missed by `status`.

    Its session holds a lock, which is free once the process has died.
    """

    name = "presence"
    longest_retry_seconds = 5.0

    def __init__(self, config: Config) -> None:
        # A refresh may miss its time twice before anybody is told.
        self._late_after = _LATE_SECONDS + 2 * config.refresh_seconds
        self._id = secrets.randbelow(2**31)
        self._own = {"scheduler_id": self._id, "host": socket.gethostname(), "pid": os.getpid()}

    def run(self, conn: Connection, worker: Worker) -> float:
        """Note again and again that it is there, and that it ends once it does."""
        with locks.session_lock(conn, locks.SCHEDULER, self._id):
            conn.execute(query("scheduler", "note_lateness"), {"seconds": self._late_after})
            conn.execute(query("scheduler", "note_scheduler"), self._own)
            while not worker.stop.wait(_BEAT_SECONDS):
                conn.execute(query("scheduler", "note_scheduler"), self._own)
                worker.touch()
            conn.execute(query("scheduler", "note_end"), self._own)
        return 0.0


class FollowOrigin(Job):
    """Finds out what logical replication has brought, where it brings the source rows."""

    name = "origin"
    longest_retry_seconds = 5.0

    def __init__(self, config: Config, refresh: Refresh) -> None:
        self._has_url = bool(config.origin_url)
        self._refresh = refresh
        self._origin = Origin(config.origin_url)

    def wait(self) -> float:
        """Return how long it waits where nothing is replicated."""
        return 0.0 if self._refresh.is_fed or self._has_url else _UNFED_SECONDS

    def run(self, conn: Connection, worker: Worker) -> float:  # noqa: ARG002  # As every job.
        """Note what is proved to have arrived."""
        return self._origin.follow(conn)


class Verify(Job):
    """Compares everything once in LEADS_VERIFY_DAYS, slice by slice, in one of several schedulers."""

    name = "verify"
    longest_retry_seconds = 600.0

    def __init__(self, config: Config) -> None:
        self._days = config.verify_days

    def run(self, conn: Connection, worker: Worker) -> float:
        """Verify the slices that are due, unless another scheduler does, or something more urgent is to be done."""
        with locks.try_session_lock(conn, locks.JOB, locks.VERIFY_JOB) as taken:
            if taken and self._days == 0:
                rolling.give_up(conn)
                return VERIFY_WAIT_SECONDS
            wait = 0.0
            while taken and wait <= VERIFY_WAIT_SECONDS and not worker.stop.wait(wait):
                worker.prepare(conn, pipeline.prepare_session)
                wait = rolling.step(conn, self._days, may_compare=may_verify)
                worker.touch()
        return VERIFY_WAIT_SECONDS


def may_verify(conn: Connection) -> bool:
    """Return whether what differs now would be drift, and nothing more urgent is to be done.

    So it is while the read model is of this version, every change is captured, no rebuild of everything is under way,
    and not too many changes wait.
    """
    require_migrated_version(conn)
    reasons = recovery.find_rebuild_reasons(conn)
    is_exact = reasons.reason is None and reasons.switched_off is None and not reasons.interrupted
    waiting = rows.value(conn, query("core", "count_changes"), {"bound": _VERIFY_GIVES_WAY_ABOVE_CHANGES + 1})
    return is_exact and bool(waiting <= _VERIFY_GIVES_WAY_ABOVE_CHANGES)


class Rebuild(Job):
    """Does what LEADS_REBUILD_CRON asks for, in one of several schedulers. A failed one waits for its next time."""

    name = "rebuild"
    longest_retry_seconds = 0.0

    def __init__(self, config: Config) -> None:
        self._times = cron_trigger(config.rebuild_cron) if config.rebuild_cron else None
        self._next_at = self._find_next()

    def wait(self) -> float:
        """Return in how many seconds its time comes, or it has to look at the clock again."""
        if self._next_at is None:
            return _CRON_LOOK_SECONDS
        return min(max((self._next_at - _now()).total_seconds(), 0.0), _CRON_LOOK_SECONDS)

    def _find_next(self) -> datetime | None:
        return None if self._times is None else self._times.get_next_fire_time(None, _now())

    def run(self, conn: Connection, worker: Worker) -> float:
        """Rebuild everything, unless another process has begun that already."""
        self._next_at = self._find_next()
        parameters = {"kind": "rebuild", "seconds": _CRON_WINDOW_SECONDS}
        if rows.value(conn, query("scheduler", "began_lately"), parameters):
            return 0.0
        try:
            recovery.rebuild_everything(conn, progress=worker.progress())
        except BlockedError as reason:
            _log.info("no rebuild this time", reason=str(reason))
        return 0.0


class Prune(Job):
    """Deletes old rows of the run log, and the tombstones of leads that were deleted long ago, in one scheduler."""

    name = "prune"
    longest_retry_seconds = 600.0

    def __init__(self, config: Config) -> None:
        self._run_log_days = config.run_log_days
        self._tombstone_days = config.tombstone_days

    def run(self, conn: Connection, worker: Worker) -> float:  # noqa: ARG002  # As every job.
        """Delete what is older than the settings say."""
        with locks.try_session_lock(conn, locks.JOB, locks.PRUNE_JOB) as taken:
            if taken:
                conn.execute(query("scheduler", "prune_runs"), {"days": self._run_log_days})
                prune_tombstones(conn, self._tombstone_days)
        return PRUNE_SECONDS


def _now() -> datetime:
    return datetime.now(UTC)


def prune_tombstones(conn: Connection, days: int) -> None:
    """Delete the tombstones of more than so many days, tenant by tenant, under the lock of each."""
    pipeline.prepare_session(conn)
    for (user_id,) in conn.execute(query("tenants", "find_old_tombstones"), {"days": days}).fetchall():

        def prune_tenant(user_id: str = user_id) -> None:
            with conn.transaction():
                pipeline.lock_tenants(conn, [user_id])
                conn.execute(query("tenants", "prune_tombstones"), {"user_id": user_id, "days": days})

        retry(prune_tenant, *BATCH)


class Jobs:
    """The jobs, each with its worker."""

    def __init__(self, config: Config) -> None:
        self.stop = threading.Event()
        self._url = config.database_url
        self._database = Database(config.database_url)
        refresh = Refresh(config)
        jobs: tuple[Job, ...] = (
            refresh,
            Upkeep(config, refresh),
            Presence(config),
            FollowOrigin(config, refresh),
            Verify(config),
            Rebuild(config),
            Prune(config),
        )
        self.workers = {job.name: Worker(job, self._database, self.stop) for job in jobs}
        for name in self.workers:
            # A count of 0 from the start: no alert sees an increase from nothing to 1.
            metrics.ERRORS.labels(name)

    def check_installed(self) -> None:
        """Raise NotInstalledError for a database without a read model. One that does not answer is waited for."""
        try:
            conn = db.connect(self._url, application_name=db.SCHEDULER_NAME)
        except DatabaseUnreachableError as error:
            self._database.note_loss(str(error))
            return
        with conn:
            require_installed(conn)

    def watch(self) -> float:
        """Check whether the database still answers where a job has shown no progress for SILENT_SECONDS.

        Cuts the connection of such a job where it does not: no timeout of the network would end its wait soon.
        Returns in how many seconds to look again.
        """
        silent = [
            worker
            for worker in self.workers.values()
            if worker.alive_at is not None and time.monotonic() - worker.alive_at > SILENT_SECONDS
        ]
        if not silent or self.stop.is_set():
            return WATCH_INTERVAL_SECONDS
        try:
            db.connect(self._url, application_name=f"{db.SCHEDULER_NAME}: watch").close()
        except (ProjectorError, psycopg.Error) as error:
            self._database.note_loss(str(error))
            for worker in silent:
                worker.cut()
        else:
            # It answers, so the statement is long or waits for a lock. The run log and the metrics show that.
            for worker in silent:
                worker.touch()
                _log.warning("still at one statement", job=worker.name, seconds=SILENT_SECONDS)
        return WATCH_INTERVAL_SECONDS

    def end(self) -> None:
        """Wait until every job has finished or rolled back its work, and exit the process where that takes too long."""
        ends_at = time.monotonic() + _EXIT_SECONDS
        cancel_at = time.monotonic() + _GRACE_SECONDS
        while busy := [worker for worker in self.workers.values() if worker.alive_at is not None]:
            if time.monotonic() > ends_at:
                _log.warning("ending in the middle of it", jobs=[worker.name for worker in busy])
                logging.shutdown()
                # The threads wait for a database that does not answer. It rolls back what they had begun.
                os._exit(0)
            if time.monotonic() > cancel_at:
                for worker in busy:
                    worker.cancel()
                cancel_at = time.monotonic() + CANCEL_SECONDS
            time.sleep(0.02)
        for worker in self.workers.values():
            worker.close()
            worker.job.close()
