"""A job of the scheduler: its connection, and what happens when it fails or hangs."""

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import ClassVar

import psycopg
import structlog

from projector.capture.source import naming_missing_source
from projector.config import Config
from projector.core.batch import first_line
from projector.database import connect as db
from projector.database.retry import COLLIDED, retry
from projector.database.rows import Connection
from projector.database.sql import query
from projector.observe import metrics
from projector.report.errors import DatabaseUnreachableError, ProjectorError, reason_of, without_values
from projector.report.log import quoting
from projector.report.progress import Lines
from projector.scheduler.pace import Pace

CANCEL_SECONDS = 2.0
"""How long PostgreSQL has to answer a request to cancel a statement."""

_FIRST_RETRY_SECONDS = 0.5
_LONGEST_RECONNECT_SECONDS = 30.0
# How often the run log is told that the refresh still fails.
_NOTE_SECONDS = 20.0

_log = structlog.get_logger(__name__)


class StoppingError(Exception):
    """The scheduler ends. What the job has begun is rolled back, or continued by the next scheduler."""


class Database:
    """Makes the connections of all jobs. Logs once when the database is lost, and once when it is back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.RLock()
        self._lost_at: float | None = None
        self._back_at = 0.0
        self._retry_at = 0.0
        self._pause = _FIRST_RETRY_SECONDS

    def connect(self, job: str) -> Connection | None:
        """Return a new connection; None if the database does not answer, or the next try is not due."""
        with self._lock:
            if time.monotonic() < self._retry_at:
                return None
            conn = self.reach(job)
            if conn is None:
                self._retry_at = time.monotonic() + self._pause
                self._pause = min(self._pause * 2, _LONGEST_RECONNECT_SECONDS)
                return None
            if self._lost_at is not None:
                self._back_at = time.monotonic()
                _log.info("the database is back", seconds=round(self._back_at - self._lost_at, 1))
            self._lost_at, self._pause = None, _FIRST_RETRY_SECONDS
            return conn

    def reach(self, job: str) -> Connection | None:
        """Return a new connection without a pause; None if the database does not answer, which is noted."""
        try:
            conn = db.connect(self.url, application_name=f"{db.SCHEDULER_NAME}: {job}")
            # Else a killed process keeps its locks until a long statement has ended.
            with suppress(psycopg.errors.InvalidParameterValue, psycopg.errors.FeatureNotSupported):
                conn.execute("SET client_connection_check_interval = '1s'")
        except (ProjectorError, psycopg.Error) as error:
            self.note_loss(error)
            return None
        return conn

    def replace(self, job: str, error: Exception, connected_at: float) -> Connection | None:
        """Replace a connection that was made at this monotonic time and broke with this error.

        If a new connection can be made, the server has ended only that session, as an operator or a timeout
        does. A connection from before the last outage of the database broke with it, which is already logged.
        """
        with self._lock:
            is_new = self._lost_at is None and connected_at >= self._back_at
            conn = self.connect(job)
            if conn is not None and is_new:
                _log.warning(
                    "the server ended a session, which a new one replaces", job=job, error=reason_of(error)
                )
            return conn

    def note_loss(self, error: Exception) -> None:
        """Note that the database does not answer."""
        with self._lock:
            if self._lost_at is None:
                self._lost_at = time.monotonic()
                _log.warning("the database is gone; trying again until it is back", error=reason_of(error))


class Shared:
    """The state that the jobs of one scheduler share: settings, the database, and what the refresh saw last.

    `stop` says that the scheduler ends.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.database = Database(config.database_url)
        self.stop = threading.Event()
        self.pace = Pace(config.refresh_seconds)
        self.is_troubled = self.is_queue_empty = self.is_fed = False
        """Whether capture needs a repair, whether nothing waited, and whether subscriptions bring source rows."""


class Job:
    """Work that is done in turns on a connection of its own. After a failure it waits longer before each next try.

    `longest_retry_seconds` is the longest of these waits; with 0 the job waits for the next time of its
    calendar.
    `is_at_work` says whether it takes a turn, and `alive_at` when it last showed progress.
    """

    name: ClassVar[str]
    longest_retry_seconds: ClassVar[float]

    def __init__(self, shared: Shared) -> None:
        self.shared = shared
        self.conn: Connection | None = None
        self.is_at_work = False
        self.alive_at = 0.0
        self._prepared: Connection | None = None
        self._connected_at = 0.0
        self._trouble: str | None = None
        self._pause = _FIRST_RETRY_SECONDS
        self._noted_at = float("-inf")

    def wait(self) -> float:
        """Return in how many seconds there may be something to do; 0 for now. This needs no connection."""
        return 0.0

    def run(self, conn: Connection) -> float | None:
        """Take a turn. Return in how many seconds to take the next one; None leaves that to a calendar."""
        raise NotImplementedError

    def __call__(self) -> float | None:
        """Take a turn if there may be something to do. Return what `run` does."""
        # Set before `stop` is read: a thread that sets `stop` and then finds no job at work closes the
        # connections.
        self.touch()
        self.is_at_work = True
        try:
            early = self.wait()
            if self.shared.stop.is_set() or early > 0:
                return early
            if self.conn is None or self.conn.closed:
                self.disconnect()
                self._connected_at = time.monotonic()
                self.conn = self.shared.database.connect(self.name)
            if self.conn is None:
                return _FIRST_RETRY_SECONDS
            conn = self.conn
            with naming_missing_source(conn):
                # `migrate` replaces views in another order than a job reads them: one of the two begins again.
                pause = retry(lambda: self.run(conn), COLLIDED)
        except StoppingError:
            return 0.0
        except Exception as error:  # noqa: BLE001  # The next try may succeed, whatever the error is.
            if not isinstance(error, ProjectorError | psycopg.Error):
                _log.exception("unexpected failure", job=self.name)
            return self._note_failure(error)
        finally:
            self.is_at_work = False
        metrics.SUCCESS.labels(self.name).set_to_current_time()
        if self._trouble is not None:
            # Before the line of the log, so that an operator who reads it finds no failure in `status`.
            self._note_refresh("done", None)
            _log.info("works again", job=self.name)
        self._trouble, self._pause, self._noted_at = None, _FIRST_RETRY_SECONDS, float("-inf")
        return pause

    def touch(self) -> None:
        """Note progress: the job does not hang."""
        self.alive_at = time.monotonic()

    def prepare(self, conn: Connection, prepare: Callable[[Connection], None]) -> None:
        """Prepare a connection once."""
        if conn is not self._prepared:
            prepare(conn)
            self._prepared = conn

    def progress(self) -> Lines:
        """Return a Lines object that notes that the job is alive, and ends the job with the scheduler."""
        return _WatchedLines(self)

    def cancel(self) -> None:
        """Ask PostgreSQL to cancel the current statement."""
        conn = self.conn
        if conn is not None and not conn.closed:
            with suppress(psycopg.Error):
                conn.cancel_safe(timeout=CANCEL_SECONDS)

    def cut(self) -> None:
        """Shut down the socket, so that a statement that PostgreSQL never answers fails."""
        conn = self.conn
        if conn is not None and not conn.closed:
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    def disconnect(self) -> None:
        """Close the connection."""
        if self.conn is not None:
            with suppress(psycopg.Error):
                self.conn.close()
            self.conn = None

    def close(self) -> None:
        """Release what the job holds. It takes no further turn."""
        self.disconnect()

    def _note_failure(self, error: Exception) -> float | None:
        """Log an error once. Return in how many seconds to try again, longer each time, or None."""
        is_lost = isinstance(error, DatabaseUnreachableError) or self.conn is None or self.conn.closed
        self.disconnect()
        if self.shared.stop.is_set():
            return 0.0
        metrics.ERRORS.labels(self.name).inc()
        if is_lost:
            connected_at, self._connected_at = self._connected_at, time.monotonic()
            self.conn = self.shared.database.replace(self.name, error, connected_at)
            return _FIRST_RETRY_SECONDS if self.longest_retry_seconds else None
        trouble = _describe(error)
        if trouble != self._trouble:
            _log.error("cannot go on for now", job=self.name, error=quoting(error, trouble))
        if self._trouble is not None and time.monotonic() >= self._noted_at + _NOTE_SECONDS:
            self.conn = self.shared.database.connect(self.name)
            self._note_refresh("failed", without_values(error) or trouble)
            self._noted_at = time.monotonic()
        self._trouble = trouble
        pause, self._pause = self._pause, min(self._pause * 2, self.longest_retry_seconds)
        return pause if self.longest_retry_seconds else None

    def _note_refresh(self, outcome: str, note: str | None) -> None:
        """Tell `status` by the run log that the refresh fails again, and why, or that it works again."""
        if self.name == "refresh" and self.conn is not None:
            with suppress(psycopg.Error):
                self.conn.execute(query("scheduler", "note_refresh"), {"outcome": outcome, "note": note})


class _WatchedLines(Lines):
    """Logs progress, notes that the job is alive, and ends the job when the scheduler ends."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self._job = job

    def advance(self, n: int) -> None:
        """Note that `n` units are done."""
        self._job.touch()
        if self._job.shared.stop.is_set():
            raise StoppingError
        super().advance(n)


def _describe(error: Exception) -> str:
    if isinstance(error, psycopg.errors.DiskFull):
        reason = reason_of(error)
        return (
            f"The server has no space left on its disk: {reason}. Free or add disk space: no change is lost."
        )
    said = first_line(error) if isinstance(error, psycopg.Error) else reason_of(error)
    return said or type(error).__name__
