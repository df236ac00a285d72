"""The jobs of the scheduler except the refresh, with their intervals and their waits after a failure."""

import os
import secrets
import socket
import time

import structlog

from projector.capture import source_changes
from projector.core import pipeline
from projector.core.preconditions import require_migrated_version
from projector.database import locks, rows
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.sql import query
from projector.operate.origin.proof import Origin
from projector.report.errors import BlockedError
from projector.scheduler.job import Job, Shared
from projector.sweep import recovery, rolling

UPKEEP_SECONDS = 1.0
IDLE_UPKEEP_SECONDS = 5.0
"""How long an idle projector goes without upkeep, unless a look has found a gap."""

_QUEUE_DEPTH_SECONDS = 5.0

_UNFED_SECONDS = 1.0
"""The pause of the job `origin` while no subscription brings source rows."""

VERIFY_WAIT_SECONDS = 20.0
"""The longest pause before the job looks for a slice again. The rounds are in the database: another scheduler may go on
with them.
"""

_VERIFY_GIVES_WAY_ABOVE_CHANGES = 10_000
"""While more changes wait, a verify would read them all with each slice, and leave out most leads."""

_CRON_WINDOW_SECONDS = 50
"""A rebuild from cron is skipped if another scheduler began one this recently: the clocks may differ a
little, and a cron expression is exact to the minute."""

PRUNE_SECONDS = 3600.0

_BEAT_SECONDS = 5.0
"""How often a scheduler notes that it is alive. After ten seconds without a note and a lock, `status` reports
it as lost."""

_LATE_SECONDS = 10.0
"""The data are late once they are older than this and two pauses of the refresh."""

_log = structlog.get_logger(__name__)


class Upkeep(Job):
    """Rebuilds where there is a reason to, and cleans up after rebuilds that were killed.

    It works less often while nothing changes and nothing is wrong.
    """

    name = "upkeep"
    longest_retry_seconds = 60.0

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._next_at = self._depth_at = 0.0

    def wait(self) -> float:
        """Return 0 if upkeep is due, given what the refresh has seen; else a pause."""
        is_due = self.shared.is_troubled or not self.shared.pace.is_idle or time.monotonic() >= self._next_at
        return 0.0 if is_due else UPKEEP_SECONDS

    def run(self, conn: Connection) -> float:
        """Rebuild everything if there is a reason to."""
        source_changes.note_harmless_changes(conn)
        recovery.note_interrupted_runs(conn)
        reasons = recovery.find_rebuild_reasons(conn)
        self._next_at = time.monotonic() + IDLE_UPKEEP_SECONDS
        is_deep = False
        if not self.shared.is_queue_empty and time.monotonic() >= self._depth_at:
            self._depth_at = time.monotonic() + _QUEUE_DEPTH_SECONDS
            is_deep = recovery.is_too_deep(conn, self.shared.config.queue_limit)
        if reasons.switched_off is None and (reasons.reason is not None or reasons.interrupted or is_deep):
            recovery.heal(conn, progress=self.progress(), queue_limit=self.shared.config.queue_limit)
        return UPKEEP_SECONDS


class Presence(Job):
    """Notes that this scheduler is alive, until it ends, so that `status` can report one that died.

    Its session holds a lock, which is free once the process has died.
    """

    name = "presence"
    longest_retry_seconds = 5.0

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._id = secrets.randbelow(2**31)

    def run(self, conn: Connection) -> float:
        """Note every few seconds that the scheduler is alive, and finally that it has ended."""
        own = {"scheduler_id": self._id, "host": socket.gethostname(), "pid": os.getpid()}
        with locks.session_lock(conn, locks.SCHEDULER, self._id):
            # The data count as late only after a refresh has missed its time twice.
            late_after = _LATE_SECONDS + 2 * self.shared.config.refresh_seconds
            conn.execute(query("scheduler", "note_lateness"), {"seconds": late_after})
            conn.execute(query("scheduler", "note_scheduler"), own)
            while not self.shared.stop.wait(_BEAT_SECONDS):
                conn.execute(query("scheduler", "note_scheduler"), own)
                self.touch()
            conn.execute(query("scheduler", "note_end"), own)
        return 0.0


class FollowOrigin(Job):
    """Finds out what logical replication has brought, where it brings the source rows."""

    name = "origin"
    longest_retry_seconds = 5.0

    def __init__(self, shared: Shared) -> None:
        super().__init__(shared)
        self._origin = Origin(shared.config.origin_url)

    def wait(self) -> float:
        """Return a pause while nothing is replicated, else 0."""
        return 0.0 if self.shared.is_fed or self.shared.config.origin_url else _UNFED_SECONDS

    def run(self, conn: Connection) -> float:
        """Note up to which moment the changes of the origin are proved to have arrived."""
        return self._origin.follow(conn)


class Verify(Job):
    """Compares everything once in LEADS_VERIFY_DAYS, slice by slice, in one of several schedulers."""

    name = "verify"
    longest_retry_seconds = 600.0

    def run(self, conn: Connection) -> float:
        """Verify the next slice if it is due, unless another scheduler does, or something is more urgent."""
        days, wait = self.shared.config.verify_days, VERIFY_WAIT_SECONDS
        with locks.try_session_lock(conn, locks.JOB, locks.VERIFY_JOB) as taken:
            if taken and days == 0:
                rolling.give_up(conn)
            elif taken:
                self.prepare(conn, pipeline.prepare_session)
                wait = rolling.step(conn, days, may_compare=may_verify)
        return min(wait, VERIFY_WAIT_SECONDS)


def may_verify(conn: Connection) -> bool:
    """Return whether a difference now would be drift, and nothing is more urgent.

    That is the case while the read model has this version, every change is captured, no rebuild of everything
    is under way, and not too many changes wait.
    """
    require_migrated_version(conn)
    reasons = recovery.find_rebuild_reasons(conn)
    is_exact = reasons.reason is None and reasons.switched_off is None and not reasons.interrupted
    waiting = rows.value(conn, query("core", "count_changes"), {"bound": _VERIFY_GIVES_WAY_ABOVE_CHANGES + 1})
    return is_exact and bool(waiting <= _VERIFY_GIVES_WAY_ABOVE_CHANGES)


class Rebuild(Job):
    """Rebuilds everything at the times of LEADS_REBUILD_CRON, in one of several schedulers."""

    name = "rebuild"
    longest_retry_seconds = 0.0

    def __call__(self) -> float | None:
        """Take a turn on a new connection: one that is kept from night to night can be gone."""
        try:
            return super().__call__()
        finally:
            self.disconnect()

    def run(self, conn: Connection) -> None:
        """Rebuild everything, unless another process has begun that already."""
        parameters = {"kind": "rebuild", "seconds": _CRON_WINDOW_SECONDS}
        if rows.value(conn, query("scheduler", "began_lately"), parameters):
            return
        try:
            recovery.rebuild_everything(conn, progress=self.progress())
        except BlockedError as reason:
            _log.info("no rebuild this time", reason=str(reason))


class Prune(Job):
    """Deletes old rows of the run log, and the tombstones of leads that were deleted long ago, in one scheduler."""

    name = "prune"
    longest_retry_seconds = 600.0

    def run(self, conn: Connection) -> float:
        """Delete what is older than the settings say."""
        with locks.try_session_lock(conn, locks.JOB, locks.PRUNE_JOB) as taken:
            if taken:
                conn.execute(query("scheduler", "prune_runs"), {"days": self.shared.config.run_log_days})
                prune_tombstones(conn, self.shared.config.tombstone_days)
        return PRUNE_SECONDS


def prune_tombstones(conn: Connection, days: int) -> None:
    """Delete the tombstones of more than so many days, tenant by tenant, under the lock of each."""
    pipeline.prepare_session(conn)
    for (user_id,) in conn.execute(query("tenants", "find_old_tombstones"), {"days": days}).fetchall():

        def prune_tenant(user_id: str = user_id) -> None:
            with conn.transaction():
                pipeline.lock_tenants(conn, [user_id])
                conn.execute(query("tenants", "prune_tombstones"), {"user_id": user_id, "days": days})

        retry(prune_tenant, *BATCH)
