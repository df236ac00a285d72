"""Rebuild: what LEADS_REBUILD_CRON asks for, in one of several schedulers."""

import structlog

from projector.database import rows
from projector.database.rows import Connection
from projector.database.sql import query
from projector.report.errors import BlockedError
from projector.scheduler.worker import Job, Worker
from projector.sweep import recovery

CRON_WINDOW_SECONDS = 50
"""A run from cron is left out where another scheduler began one so recently: their clocks may differ a little, and
cron expressions have minutes."""

_log = structlog.get_logger(__name__)


class Rebuild(Job):
    """The rebuild. A failed one is not tried again before its next time."""

    name = "rebuild"
    longest_retry_seconds = 0.0

    def run(self, conn: Connection, worker: Worker) -> float:
        """Rebuild everything, unless another process has begun that already."""
        wanted = {"kind": "rebuild", "seconds": CRON_WINDOW_SECONDS}
        if rows.value(conn, query("scheduler", "began_lately"), wanted):
            return 0.0
        try:
            recovery.rebuild_everything(conn, progress=worker.progress())
        except BlockedError as reason:
            _log.info("no rebuild this time", reason=str(reason))
        return 0.0
