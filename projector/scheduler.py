"""The scheduler: `projector run`, which keeps the read model exact until it is told to end.

Each job has a thread and a connection of its own, so that refreshes go on beside a rebuild. Any number of these
processes may run against one database: refreshes share the shards of the queue, and what one alone should do is
guarded by an advisory lock, which a killed process loses.
"""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from types import FrameType

import psycopg
import structlog
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers import SchedulerNotRunningError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.cron import CronTrigger
from psycopg.rows import TupleRow

from projector import batch, db, healing, locks, refresh, verify
from projector.config import Config
from projector.errors import BlockedError, CaptureGapError, DatabaseUnreachableError, ProjectorError
from projector.migrate import PROJECTION_VERSION
from projector.progress import QUIET, Lines, Progress
from projector.statements import statement

Connection = psycopg.Connection[TupleRow]

SILENT_SECONDS = 60.0
"""When a statement takes longer, it is found out whether the database still answers."""

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_LONGEST_REFRESH_PAUSE = 5.0
_LONGEST_REBUILD_PAUSE = 60.0
_UPKEEP_SECONDS = 1
_LOOK_AT_DEPTH_SECONDS = 5.0
_DEAD_LETTERS_SECONDS = 1.0
_PRUNE_SECONDS = 3600
_WATCH_SECONDS = 5
_TRIGGER_PATIENCE = 2.0
# Two processes whose clocks differ do not do twice what a cron expression asks for once: it has minutes.
_ONCE_A_MINUTE = 50

_GRACE_SECONDS = 2.0
_CANCEL_SECONDS = 2.0
_END_SECONDS = 9.0

_MISSING = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.InvalidSchemaName,
)
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

_log = structlog.get_logger(__name__)


class _StoppingError(Exception):
    """The scheduler ends: leave what is begun to be rolled back or gone on with later."""


def run(config: Config) -> None:
    """Run the jobs until SIGTERM or SIGINT; end within a few seconds then.

    Raises ProjectorError where the database answers, but cannot be worked with.
    """
    # It warns at each tick that finds the refresh before still at work, which is as it should be.
    logging.getLogger("apscheduler").setLevel(logging.ERROR)
    jobs = Jobs(config)
    scheduler = BlockingScheduler(
        timezone=UTC,
        executors={"default": ThreadPoolExecutor(len(jobs.workers) + 1)},
        job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
    )

    def shut_down() -> None:
        while True:
            with suppress(SchedulerNotRunningError):
                scheduler.shutdown(wait=False)
                return
            time.sleep(0.05)

    def end(number: int, _frame: FrameType | None) -> None:
        if not jobs.stop.is_set():
            _log.info("ending", signal=signal.Signals(number).name)
            jobs.stop.set()
            # Not here: the scheduler may be in the middle of something in this very thread.
            threading.Thread(target=shut_down, daemon=True).start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    jobs.check_installed()
    jobs.add_to(scheduler)
    _log.info(
        "the projector runs",
        refresh_seconds=config.refresh_seconds,
        refresh_batch=config.refresh_batch,
        queue_limit=config.queue_limit,
        verify=config.verify_cron or "off",
        rebuild=config.rebuild_cron or "off",
        projection_version=PROJECTION_VERSION,
    )
    scheduler.start()
    jobs.end()
    _log.info("ended")


class _Database:
    """Whether the database can be reached, for all jobs: told once when it goes, and once when it is back."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock = threading.Lock()
        self._lost_at: float | None = None
        self._retry_at = 0.0
        self._pause = _FIRST_PAUSE

    def connect(self, job: str) -> Connection | None:
        """A new connection; None while it is too early to try again."""
        with self._lock:
            if time.monotonic() < self._retry_at:
                return None
            try:
                conn = db.connect(self.url, application_name=f"{db.SCHEDULER_NAME}: {job}")
                # So that a killed process does not keep its locks until a long statement has ended.
                with suppress(psycopg.errors.InvalidParameterValue, psycopg.errors.FeatureNotSupported):
                    conn.execute("SET client_connection_check_interval = '1s'")
            except (ProjectorError, psycopg.Error) as error:
                self._note_loss(str(error))
                self._retry_at = time.monotonic() + self._pause
                self._pause = min(self._pause * 2, _LONGEST_PAUSE)
                return None
            if self._lost_at is not None:
                _log.info("the database is back", seconds=round(time.monotonic() - self._lost_at, 1))
            self._lost_at, self._pause = None, _FIRST_PAUSE
            return conn

    def note_loss(self, error: str) -> None:
        """A connection broke."""
        with self._lock:
            self._note_loss(error)

    def _note_loss(self, error: str) -> None:
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            _log.warning("the database is gone; trying again until it is back", error=_first_line(error))


class Worker:
    """One job: its connection, what became of it, and for how long it is left alone after a failure."""

    def __init__(
        self,
        name: str,
        work: Callable[[Connection], None],
        database: _Database,
        stop: threading.Event,
        longest_pause: float,
    ) -> None:
        self.name = name
        self.conn: Connection | None = None
        self.alive_at: float | None = None
        self._work = work
        self._database = database
        self._stop = stop
        self._longest_pause = longest_pause
        self._trouble: str | None = None
        self._pause = _FIRST_PAUSE
        self._retry_at = 0.0

    def __call__(self) -> None:
        """Do the job once."""
        if self._stop.is_set() or time.monotonic() < self._retry_at:
            return
        self.touch()
        try:
            if self.conn is None or self.conn.closed:
                self.conn = self._database.connect(self.name)
            if self.conn is None:
                return
            self._work(self.conn)
        except _StoppingError:
            pass
        except (ProjectorError, psycopg.Error) as error:
            self._note_failure(error)
        except Exception as error:  # noqa: BLE001  # Whatever it is, the next try may succeed.
            _log.exception("unexpected failure", job=self.name)
            self._note_failure(error)
        else:
            self._note_success()
        finally:
            self.alive_at = None

    def touch(self) -> None:
        """Something happened: the job does not hang."""
        self.alive_at = time.monotonic()

    def cancel(self) -> None:
        """Have the statement under way rolled back."""
        conn = self.conn
        if conn is not None and not conn.closed:
            with suppress(psycopg.Error):
                conn.cancel_safe(timeout=_CANCEL_SECONDS)

    def cut(self) -> None:
        """Cut the connection under the feet of a statement that is never going to be answered."""
        conn = self.conn
        if conn is not None and not conn.closed:
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(conn.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection."""
        if self.conn is not None:
            with suppress(psycopg.Error):
                self.conn.close()
            self.conn = None

    def _note_success(self) -> None:
        if self._trouble is not None:
            _log.info("works again", job=self.name)
        self._trouble, self._pause = None, _FIRST_PAUSE

    def _note_failure(self, error: Exception) -> None:
        """Tell a trouble once, and leave the job alone for a while that grows."""
        is_gone = isinstance(error, DatabaseUnreachableError) or self.conn is None or self.conn.closed
        self.close()
        if self._stop.is_set():
            return
        if is_gone:
            self._database.note_loss(str(error))
            return
        trouble = _in_words(error)
        if trouble != self._trouble:
            _log.error("cannot go on for now", job=self.name, error=trouble)
        self._trouble = trouble
        self._retry_at = time.monotonic() + self._pause
        self._pause = min(self._pause * 2, self._longest_pause)


class _Watched:
    """Progress of a job that ends when the scheduler does, and is known to be alive."""

    def __init__(self, inner: Progress, worker: Callable[[], Worker], stop: threading.Event) -> None:
        self._inner = inner
        self._worker = worker
        self._stop = stop

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin something."""
        self._look()
        self._inner.start(title, total, unit)

    def advance(self, n: int) -> None:
        """Note that more of it is done."""
        self._look()
        self._inner.advance(n)

    def finish(self) -> None:
        """End it."""
        self._inner.finish()

    def _look(self) -> None:
        self._worker().touch()
        if self._stop.is_set():
            raise _StoppingError


class Jobs:
    """What the scheduler does."""

    def __init__(self, config: Config) -> None:
        self.stop = threading.Event()
        self._config = config
        self._size = config.refresh_batch
        self._prepared: Connection | None = None
        self._dead_letters_at = 0.0
        self._depth_at = 0.0
        self._database = _Database(config.database_url)
        work: dict[str, tuple[Callable[[Connection], None], float]] = {
            "refresh": (self._refresh, _LONGEST_REFRESH_PAUSE),
            "upkeep": (self._keep_up, _LONGEST_REBUILD_PAUSE),
            "verify": (self._verify, 0.0),
            "rebuild": (self._rebuild, 0.0),
            "prune": (self._prune, 0.0),
        }
        self.workers = {
            name: Worker(name, function, self._database, self.stop, pause)
            for name, (function, pause) in work.items()
        }

    def check_installed(self) -> None:
        """Refuse to start on a database that has no read model; one that does not answer is waited for."""
        try:
            conn = db.connect(self._config.database_url, application_name=db.SCHEDULER_NAME)
        except DatabaseUnreachableError as error:
            self._database.note_loss(str(error))
            return
        with conn:
            refresh.require_installed(conn)

    def add_to(self, scheduler: BlockingScheduler) -> None:
        """Give the jobs to APScheduler."""
        workers, now = self.workers, datetime.now(UTC)
        every = {"refresh": self._config.refresh_seconds, "upkeep": _UPKEEP_SECONDS}
        for name, seconds in every.items():
            scheduler.add_job(workers[name], "interval", seconds=seconds, name=name, next_run_time=now)
        first = now + timedelta(minutes=1)
        scheduler.add_job(
            workers["prune"], "interval", seconds=_PRUNE_SECONDS, name="prune", next_run_time=first
        )
        for name, expression in (
            ("verify", self._config.verify_cron),
            ("rebuild", self._config.rebuild_cron),
        ):
            if expression:
                scheduler.add_job(workers[name], cron_trigger(expression), name=name)
        scheduler.add_job(self.watch, "interval", seconds=_WATCH_SECONDS, name="watch")

    def end(self) -> None:
        """Wait until every job has finished or rolled back what it has in hand; do not wait long."""
        ends_at = time.monotonic() + _END_SECONDS
        cancel_at = time.monotonic() + _GRACE_SECONDS
        while busy := [worker for worker in self.workers.values() if worker.alive_at is not None]:
            if time.monotonic() > ends_at:
                _log.warning("ending in the middle of it", jobs=[worker.name for worker in busy])
                logging.shutdown()
                # The threads hang on a database that does not answer: it rolls back what they had begun.
                os._exit(0)
            if time.monotonic() > cancel_at:
                for worker in busy:
                    worker.cancel()
                cancel_at = time.monotonic() + _CANCEL_SECONDS
            time.sleep(0.02)
        for worker in self.workers.values():
            worker.close()

    def _refresh(self, conn: Connection) -> None:
        """Take what waits, at once again while there is more; then the dead letters that are due."""
        if conn is not self._prepared:
            batch.prepare_session(conn)
            self._prepared = conn
        try:
            self._drain(conn)
        except CaptureGapError:
            healing.restore_capture(conn, patience=_TRIGGER_PATIENCE)
            _log.warning("the triggers stand again; a rebuild of what may have been missed follows")
            return
        if time.monotonic() >= self._dead_letters_at and not self.stop.is_set():
            self._dead_letters_at = time.monotonic() + _DEAD_LETTERS_SECONDS
            refresh.retry_dead_letters(conn, due_only=True)

    def _drain(self, conn: Connection) -> None:
        """All shards at once while little waits; a shard at a time, in turn, while several processes can share it."""
        first = os.getpid() % len(locks.SHARDS)
        deep: list[int] | None = None
        while deep != [] and not self.stop.is_set():
            shards = locks.SHARDS if deep is None else deep[:1]
            done, self._size = refresh.take_in_stride(
                conn, shards, size=self._size, limit=self._config.refresh_batch
            )
            self.workers["refresh"].touch()
            if done.changes:
                _log.debug(
                    "batch",
                    shards=list(done.owned),
                    changes=done.changes,
                    leads=done.leads,
                    messages=done.messages,
                    oldest=done.oldest,
                )
            is_over = done.drained or not done.owned
            if deep is not None:
                # The next shard, and this one again after the others if more of it waits.
                deep = deep[1:] + ([] if is_over else deep[:1])
            elif is_over:
                return
            else:
                deep = [*locks.SHARDS[first:], *locks.SHARDS[:first]]

    def _keep_up(self, conn: Connection) -> None:
        """Rebuild everything where there is a reason to."""
        needs = healing.find_needs(conn)
        healing.settle(conn, needs)
        is_deep = False
        if time.monotonic() >= self._depth_at:
            self._depth_at = time.monotonic() + _LOOK_AT_DEPTH_SECONDS
            is_deep = healing.is_too_deep(conn, self._config.queue_limit)
        if needs.switched_off is None and (needs.reason is not None or needs.interrupted or is_deep):
            healing.heal(
                conn, progress=self._watched("upkeep", Lines()), queue_limit=self._config.queue_limit
            )

    def _verify(self, conn: Connection) -> None:
        with _alone(conn, locks.VERIFY_JOB) as is_alone:
            if is_alone and not _began_lately(conn, "verify"):
                report = verify.verify(
                    conn,
                    tenants=None,
                    sample=self._config.verify_sample,
                    heal=False,
                    progress=self._watched("verify", QUIET),
                )
                _log.info(
                    "verified", leads=report.checked, left_out=report.left_out, drifts=len(report.drifts)
                )

    def _rebuild(self, conn: Connection) -> None:
        if _began_lately(conn, "rebuild"):
            return
        try:
            report = healing.rebuild_everything(conn, progress=self._watched("rebuild", Lines()))
        except BlockedError as reason:
            _log.info("no rebuild this time", reason=str(reason))
        else:
            _log.info("rebuilt", leads=report.leads, seconds=round(report.seconds, 1))

    def _prune(self, conn: Connection) -> None:
        with _alone(conn, locks.PRUNE_JOB) as is_alone:
            if is_alone:
                conn.execute(statement("upkeep", "prune_runs"), {"days": self._config.run_log_days})

    def _watched(self, name: str, inner: Progress) -> Progress:
        return _Watched(inner, lambda: self.workers[name], self.stop)

    def watch(self) -> None:
        """Find out whether a job that is silent for long waits for a database that does not answer any more."""
        silent = [
            worker
            for worker in self.workers.values()
            if worker.alive_at is not None and time.monotonic() - worker.alive_at > SILENT_SECONDS
        ]
        if not silent or self.stop.is_set():
            return
        try:
            db.connect(self._config.database_url, application_name=f"{db.SCHEDULER_NAME}: watch").close()
        except (ProjectorError, psycopg.Error) as error:
            self._database.note_loss(str(error))
            for worker in silent:
                worker.cut()
        else:
            # It answers: the statement is long, or waits for a lock. That is for the run log and the metrics to show.
            for worker in silent:
                worker.touch()
                _log.warning("still at one statement", job=worker.name, seconds=SILENT_SECONDS)


@contextmanager
def _alone(conn: Connection, job: int) -> Iterator[bool]:
    """Whether this session is the one that does the job now."""
    row = conn.execute("SELECT pg_try_advisory_lock(%s, %s)", (locks.JOB, job)).fetchone()
    is_alone = bool(row and row[0])
    try:
        yield is_alone
    finally:
        if is_alone and not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s, %s)", (locks.JOB, job))


def _began_lately(conn: Connection, kind: str) -> bool:
    """Whether another process did this minute's run already."""
    row = conn.execute(
        "SELECT FROM projector.runs WHERE kind = %s AND tenants IS NULL"
        # Not later than now either: the clock may have been set back since.
        " AND started_at BETWEEN clock_timestamp() - make_interval(secs => %s) AND clock_timestamp() LIMIT 1",
        (kind, _ONCE_A_MINUTE),
    ).fetchone()
    return row is not None


def cron_trigger(expression: str) -> CronTrigger:
    """A trigger in UTC. APScheduler counts weekdays from Monday, cron from Sunday: so they are named here."""
    *others, weekdays = expression.lower().split()
    minute, hour, day, month = others
    return CronTrigger(
        minute=minute, hour=hour, day=day, month=month, day_of_week=_named_weekdays(weekdays), timezone=UTC
    )


def _named_weekdays(field: str) -> str:
    named: set[str] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        if first == "*":
            first, last = "0", "6"
        start = int(first) if first.isdigit() else _WEEKDAYS.index(first)
        last = last or first
        stop = int(last) if last.isdigit() else _WEEKDAYS.index(last)
        # From Saturday to Sunday is a span, too.
        stop += 7 * (stop < start)
        named |= {_WEEKDAYS[day % 7] for day in range(start, stop + 1, int(step or 1))}
    return ",".join(sorted(named, key=_WEEKDAYS.index))


def _in_words(error: Exception) -> str:
    if isinstance(error, _MISSING):
        return f"The read model is not installed, or not complete: {_first_line(str(error))}. Run migrate."
    return _first_line(str(error)) or type(error).__name__


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0]
