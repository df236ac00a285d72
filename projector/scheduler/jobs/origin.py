"""Origin: find out what logical replication has brought, where it brings the source rows."""

from projector.config import Config
from projector.database.rows import Connection
from projector.operate.origin.proof import Origin
from projector.scheduler.jobs.refresh import Refresh
from projector.scheduler.worker import Job, Worker

UNFED_INTERVAL_SECONDS = 1.0
"""How long it waits where no subscription brings source rows, before it asks the refresh again."""


class FollowOrigin(Job):
    """The job that follows the origin."""

    name = "origin"
    longest_retry_seconds = 5.0

    def __init__(self, config: Config, refresh: Refresh) -> None:
        self._has_url = bool(config.origin_url)
        self._refresh = refresh
        self._origin = Origin(config.origin_url)

    def wait(self) -> float:
        """Return how long it waits where nothing is replicated."""
        return 0.0 if self._refresh.is_fed or self._has_url else UNFED_INTERVAL_SECONDS

    def run(self, conn: Connection, worker: Worker) -> float:  # noqa: ARG002  # As every job.
        """Note what is proved to have arrived."""
        return self._origin.follow(conn)
