"""Verify: compare the slices of everything that are due, in one of several schedulers."""

from projector.config import Config
from projector.core import pipeline
from projector.core.preconditions import require_migrated_version
from projector.database import locks
from projector.database.rows import Connection
from projector.scheduler.worker import Job, Worker
from projector.sweep import recovery, rolling

LONGEST_WAIT_SECONDS = 20.0
"""The next slice is waited for up to so long. For one that is due later, the job looks again so often: the rounds are
in the database, and another scheduler may go on with them.
"""

GIVES_WAY_ABOVE_CHANGES = 10_000
"""While more changes wait, a verify would read them all with each slice, and leave out most leads."""


class Verify(Job):
    """The verify of everything once in LEADS_VERIFY_DAYS."""

    name = "verify"
    longest_retry_seconds = 600.0

    def __init__(self, config: Config) -> None:
        self._days = config.verify_days

    def run(self, conn: Connection, worker: Worker) -> float:
        """Verify the slices that are due, unless another scheduler does, or something more urgent is to be done."""
        with locks.try_session_lock(conn, locks.JOB, locks.VERIFY_JOB) as taken:
            if taken and self._days == 0:
                rolling.give_up(conn)
                return LONGEST_WAIT_SECONDS
            wait = 0.0
            while taken and wait <= LONGEST_WAIT_SECONDS and not worker.stop.wait(wait):
                worker.prepare(conn, pipeline.prepare_session)
                wait = rolling.step(conn, self._days, may_compare=may_verify)
                worker.touch()
        return LONGEST_WAIT_SECONDS


def may_verify(conn: Connection) -> bool:
    """Return whether what differs now would be drift, and nothing more urgent is to be done.

    So it is while the read model is of this version, every change is captured, no rebuild of everything is under way,
    and not too many changes wait.
    """
    require_migrated_version(conn)
    reasons = recovery.find_rebuild_reasons(conn)
    is_exact = reasons.reason is None and reasons.switched_off is None and not reasons.interrupted
    return is_exact and not recovery.is_too_deep(conn, GIVES_WAY_ABOVE_CHANGES)
