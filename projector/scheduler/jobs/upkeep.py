"""Upkeep: rebuild everything where there is a reason to, and clean up after rebuilds that were killed."""

import time

from projector import capture
from projector.config import Config
from projector.database.rows import Connection
from projector.scheduler.jobs.refresh import Refresh
from projector.scheduler.worker import Job, Worker
from projector.sweep import recovery

INTERVAL_SECONDS = 1.0
IDLE_INTERVAL_SECONDS = 5.0
"""How long an idle projector goes without upkeep, unless a look has found a gap."""

QUEUE_DEPTH_INTERVAL_SECONDS = 5.0


class Upkeep(Job):
    """The upkeep: less often while nothing changes and nothing is wrong."""

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
        return 0.0 if is_due else INTERVAL_SECONDS

    def run(self, conn: Connection, worker: Worker) -> float:
        """Find out whether there is a reason to rebuild."""
        capture.note_harmless_changes(conn)
        reasons = recovery.find_rebuild_reasons(conn)
        recovery.clean_up_after_crash(conn, reasons)
        self._next_at = time.monotonic() + IDLE_INTERVAL_SECONDS
        is_deep = False
        if not self._refresh.is_queue_empty and time.monotonic() >= self._depth_at:
            self._depth_at = time.monotonic() + QUEUE_DEPTH_INTERVAL_SECONDS
            is_deep = recovery.is_too_deep(conn, self._queue_limit)
        if reasons.switched_off is None and (reasons.reason is not None or reasons.interrupted or is_deep):
            recovery.heal(conn, progress=worker.progress(), queue_limit=self._queue_limit)
        return INTERVAL_SECONDS
