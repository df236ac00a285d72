"""The jobs of the scheduler: refresh, upkeep, verify, rebuild and prune."""

import logging
import os
import threading
import time
from collections.abc import Callable
from functools import partial

import psycopg
import structlog
from psycopg.rows import TupleRow

from projector import capture
from projector.config import Config
from projector.core import pipeline
from projector.core.dead_letters import TRIES_OF_A_TURN, UntriedLetters, find_letters, retry_letters
from projector.core.preconditions import require_installed
from projector.database import connect as db
from projector.database import locks
from projector.database.sql import query
from projector.observe.metrics.counted import expect_jobs
from projector.operate.origin.proof import Origin
from projector.report.errors import BlockedError, CaptureGapError, DatabaseUnreachableError, ProjectorError
from projector.report.progress import Lines, Progress
from projector.scheduler import tombstones
from projector.scheduler.conditions import began_lately, may_verify
from projector.scheduler.drain import Drain
from projector.scheduler.look import has_changes, look
from projector.scheduler.pace import Pace
from projector.scheduler.worker import CANCEL_SECONDS, Database, WatchedProgress, Worker
from projector.sweep import recovery
from projector.sweep.verify import rolling, rounds

Connection = psycopg.Connection[TupleRow]

SILENT_SECONDS = 60.0
"""How long a job may show no progress before `watch` checks whether the database still answers."""

LONGEST_REFRESH_RETRY_SECONDS = 5.0
LONGEST_UPKEEP_RETRY_SECONDS = 60.0
LONGEST_VERIFY_RETRY_SECONDS = 600.0
LONGEST_PRUNE_RETRY_SECONDS = 600.0
QUEUE_DEPTH_INTERVAL_SECONDS = 5.0
DEAD_LETTERS_INTERVAL_SECONDS = 1.0
UPKEEP_INTERVAL_SECONDS = 1.0
IDLE_UPKEEP_INTERVAL_SECONDS = 5.0
"""How long an idle projector goes without upkeep, unless a look has found a gap."""

PRUNE_INTERVAL_SECONDS = 3600.0
WATCH_INTERVAL_SECONDS = 5.0

LONGEST_VERIFY_WAIT_SECONDS = 20.0
"""The next slice of a verify is waited for up to so long. For one that is due later, the job looks again so often: the
rounds are in the database, and another scheduler may go on with them.
"""

TRIGGER_PATIENCE_SECONDS = 2.0
"""How long a refresh waits for the platform's transactions to install the triggers again; then it tries later."""

# How long the jobs have to finish after a signal, before their statements are cancelled, and before the process
# exits.
_GRACE_SECONDS = 2.0
_EXIT_SECONDS = 9.0

_log = structlog.get_logger(__name__)


class Jobs:
    """The jobs, each with its worker, and what they share."""

    def __init__(self, config: Config) -> None:
        self.stop = threading.Event()
        self._config = config
        self._prepared: dict[str, Connection] = {}
        self._pace = Pace(config.refresh_seconds)
        self._untried_letters = UntriedLetters()
        self._has_letters = self._is_troubled = self._is_queue_empty = False
        self._dead_letters_at = self._upkeep_at = self._depth_at = 0.0
        self._is_fed, self._has_origin_url = False, bool(config.origin_url)
        self._database = Database(config.database_url)
        self._connect = partial(db.connect, config.database_url)
        work: dict[str, tuple[Callable[[Connection], float], float]] = {
            "refresh": (self._refresh, LONGEST_REFRESH_RETRY_SECONDS),
            "upkeep": (self._keep_up, LONGEST_UPKEEP_RETRY_SECONDS),
            "origin": (Origin(config.origin_url).follow, LONGEST_REFRESH_RETRY_SECONDS),
            "verify": (self._verify, LONGEST_VERIFY_RETRY_SECONDS),
            "rebuild": (self._rebuild, 0.0),
            "prune": (self._prune, LONGEST_PRUNE_RETRY_SECONDS),
        }
        self.workers = {
            name: Worker(name, function, self._database, self.stop, pause)
            for name, (function, pause) in work.items()
        }
        self._drain = Drain(config, self.stop, self.workers["refresh"].touch)
        expect_jobs(self.workers)

    def check_installed(self) -> None:
        """Raise NotInstalledError for a database without a read model. One that does not answer is waited for."""
        try:
            conn = self._connect(application_name=db.SCHEDULER_NAME)
        except DatabaseUnreachableError as error:
            self._database.note_loss(str(error))
            return
        with conn:
            require_installed(conn)

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
        self._drain.close()

    def _refresh(self, conn: Connection) -> float:
        """Take all changes that wait, then retry some of the dead letters that are due."""
        self._prepare("refresh", conn)
        try:
            self._is_queue_empty = not self._look(conn)
            if not self._is_queue_empty and self._drain.run(conn):
                self._pace.note_changes()
        except CaptureGapError:
            self._is_troubled = True
            if recovery.restore_capture(conn, patience=TRIGGER_PATIENCE_SECONDS):
                _log.warning(
                    "the triggers are installed again; a rebuild of what may have been missed follows"
                )
            return self._config.refresh_seconds
        self._drain.log_tally(conn)
        if self._has_letters and time.monotonic() >= self._dead_letters_at and not self.stop.is_set():
            # A turn at a time: new changes are taken before the next ones, whatever is due.
            if self._untried_letters.take_turn(conn):
                return 0.0
            letters = find_letters(conn, due_only=True, limit=TRIES_OF_A_TURN)
            retry_letters(conn, letters)
            if len(letters) < TRIES_OF_A_TURN:
                self._dead_letters_at = time.monotonic() + DEAD_LETTERS_INTERVAL_SECONDS
        return self._pace.pause

    def _look(self, conn: Connection) -> bool:
        """Return whether changes wait. Look at everything else too where that is due."""
        if not self._pace.needs_look:
            return has_changes(conn)
        found = look(conn, self._pace.freshness_interval)
        self._pace.note_look()
        self._has_letters, self._is_troubled = found.has_letters, found.freshness_frozen
        self._is_fed = found.is_fed
        return found.has_changes

    def origin(self) -> float:
        """Find out what logical replication has brought, where it brings the source rows."""
        is_needed = self._is_fed or self._has_origin_url
        return self.workers["origin"]() if is_needed else UPKEEP_INTERVAL_SECONDS

    def upkeep(self) -> float:
        """Do the upkeep, less often while nothing changes and nothing is wrong. Return when to call again."""
        is_due = self._is_troubled or not self._pace.is_idle or time.monotonic() >= self._upkeep_at
        return self.workers["upkeep"]() if is_due else UPKEEP_INTERVAL_SECONDS

    def _keep_up(self, conn: Connection) -> float:
        """Rebuild everything where there is a reason to, and clean up after rebuilds that were killed."""
        capture.note_harmless_changes(conn)
        reasons = recovery.find_rebuild_reasons(conn)
        recovery.clean_up_after_crash(conn, reasons)
        self._upkeep_at = time.monotonic() + IDLE_UPKEEP_INTERVAL_SECONDS
        is_deep = False
        if not self._is_queue_empty and time.monotonic() >= self._depth_at:
            self._depth_at = time.monotonic() + QUEUE_DEPTH_INTERVAL_SECONDS
            is_deep = recovery.is_too_deep(conn, self._config.queue_limit)
        if reasons.switched_off is None and (reasons.reason is not None or reasons.interrupted or is_deep):
            recovery.heal(
                conn, progress=self._watched("upkeep", Lines()), queue_limit=self._config.queue_limit
            )
        return UPKEEP_INTERVAL_SECONDS

    def _verify(self, conn: Connection) -> float:
        """Verify the slices that are due, unless another scheduler does, or something more urgent is to be done."""
        with locks.try_session_lock(conn, locks.JOB, locks.VERIFY_JOB) as taken:
            if taken and self._config.verify_days == 0:
                rounds.give_up(conn)
                return LONGEST_VERIFY_WAIT_SECONDS
            wait = 0.0
            while taken and wait <= LONGEST_VERIFY_WAIT_SECONDS and not self.stop.wait(wait):
                self._prepare("verify", conn)
                wait = rolling.step(conn, self._config.verify_days, may_compare=may_verify)
                self.workers["verify"].touch()
        return LONGEST_VERIFY_WAIT_SECONDS

    def _prepare(self, job: str, conn: Connection) -> None:
        """Prepare a connection once."""
        if conn is not self._prepared.get(job):
            pipeline.prepare_session(conn)
            self._prepared[job] = conn
            if job == "refresh":
                self._drain.follow(conn)

    def _rebuild(self, conn: Connection) -> float:
        if began_lately(conn, "rebuild"):
            return 0.0
        try:
            recovery.rebuild_everything(conn, progress=self._watched("rebuild", Lines()))
        except BlockedError as reason:
            _log.info("no rebuild this time", reason=str(reason))
        return 0.0

    def _prune(self, conn: Connection) -> float:
        with locks.try_session_lock(conn, locks.JOB, locks.PRUNE_JOB) as taken:
            if taken:
                conn.execute(query("scheduler", "prune_runs"), {"days": self._config.run_log_days})
                tombstones.prune(conn, self._config.tombstone_days)
        return PRUNE_INTERVAL_SECONDS

    def _watched(self, name: str, inner: Progress) -> Progress:
        return WatchedProgress(inner, lambda: self.workers[name], self.stop)

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
            self._connect(application_name=f"{db.SCHEDULER_NAME}: watch").close()
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
