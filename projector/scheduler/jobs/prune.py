"""Prune: delete old rows of the run log, and the tombstones of leads that were deleted long ago."""

from projector.config import Config
from projector.core import pipeline
from projector.database import locks
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.sql import query
from projector.scheduler.worker import Job, Worker

INTERVAL_SECONDS = 3600.0


class Prune(Job):
    """The job that prunes, in one of several schedulers."""

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
        return INTERVAL_SECONDS


def prune_tombstones(conn: Connection, days: int) -> None:
    """Delete the tombstones of more than so many days, tenant by tenant, under the lock of each."""
    pipeline.prepare_session(conn)
    for (user_id,) in conn.execute(query("tenants", "find_old_tombstones"), {"days": days}).fetchall():

        def prune_tenant(user_id: str = user_id) -> None:
            with conn.transaction():
                pipeline.lock_tenants(conn, [user_id])
                conn.execute(query("tenants", "prune_tombstones"), {"user_id": user_id, "days": days})

        retry(prune_tenant, *BATCH)
