"""The jobs of the scheduler, a file each: what it does, how often, and how long it waits after a failure."""

import logging
import os
import threading
import time

import psycopg
import structlog

from projector.config import Config
from projector.core.preconditions import require_installed
from projector.database import connect as db
from projector.observe.metrics.counted import expect_jobs
from projector.report.errors import DatabaseUnreachableError, ProjectorError
from projector.scheduler.jobs.origin import FollowOrigin
from projector.scheduler.jobs.prune import Prune
from projector.scheduler.jobs.rebuild import Rebuild
from projector.scheduler.jobs.refresh import Refresh
from projector.scheduler.jobs.upkeep import Upkeep
from projector.scheduler.jobs.verify import Verify
from projector.scheduler.worker import CANCEL_SECONDS, Database, Job, Worker

SILENT_SECONDS = 60.0
"""How long a job may show no progress before `watch` checks whether the database still answers."""

WATCH_INTERVAL_SECONDS = 5.0

# How long the jobs have to finish after a signal, before their statements are cancelled, and before the process
# exits.
_GRACE_SECONDS = 2.0
_EXIT_SECONDS = 9.0

_log = structlog.get_logger(__name__)


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
            FollowOrigin(config, refresh),
            Verify(config),
            Rebuild(),
            Prune(config),
        )
        self.workers = {job.name: Worker(job, self._database, self.stop) for job in jobs}
        expect_jobs(self.workers)

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
