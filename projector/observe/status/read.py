"""What `status` reads from the database: all of one moment, as records."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import psycopg
from psycopg.rows import TupleRow, class_row

from projector.capture.source import find_missing_source
from projector.core.preconditions import require_installed
from projector.database import connect as db
from projector.database import locks
from projector.database.sql import query
from projector.observe.status.lock_holders import LockHolder, read_lock_holders
from projector.observe.status.projection import Projection, is_installed, read_projection
from projector.observe.status.verification import Verification, read_verification
from projector.operate.origin.subscriptions import Feed, read_feeds, read_unfed_tables

Connection = psycopg.Connection[TupleRow]
_Row = TypeVar("_Row")

COUNTED_CHANGES = 100_000
"""The queue is counted up to here, so that a status of a deep queue does not take long."""

SHOWN_DEAD_LETTERS = 5


@dataclass(frozen=True, slots=True)
class Queue:
    """How many changes wait, counted up to COUNTED_CHANGES, and the age of the oldest in seconds; None without any."""

    changes: int
    lag: float | None


@dataclass(frozen=True, slots=True)
class Run:
    """The last run of its kind. `leads_total` is about how many leads a rebuild has to do; None while unknown."""

    kind: str
    started_at: datetime
    finished_at: datetime | None
    seconds: float
    outcome: str
    tenants: list[str] | None
    changes: int
    leads: int
    messages: int
    leads_total: int | None
    note: str | None


@dataclass(frozen=True, slots=True)
class Rebuild:
    """Whether a session rebuilds now, and whether a rebuild of everything has begun and not ended."""

    lock_held: bool
    is_planned: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A key that was set aside, with its lead where that is known. `total` counts all dead letters."""

    kind: str
    key: str
    user_id: str | None
    customer_phone: str | None
    error: str
    attempts: int
    first_failed_at: datetime
    retry_at: datetime
    total: int


@dataclass(frozen=True, slots=True)
class Size:
    """About how many rows a table has, and its bytes, indexes included."""

    table_name: str
    about_rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Schedulers:
    """How many sessions of schedulers are connected, and whether the login may see those of other users."""

    sessions: int
    is_all_seen: bool


@dataclass(frozen=True, slots=True)
class Erasures:
    """How many erasures began and did not end, one that is under way among them, and when the first of them began."""

    interrupted: int = 0
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class ApiRole:
    """The role that the API takes; see read_api_role in sql/queries/status.sql."""

    name: str
    exists: bool
    unreadable: str | None
    is_unfiltered: bool = False
    can_create_temporary: bool = False


@dataclass(frozen=True, slots=True)
class RowSecurity:
    """Whether PostgreSQL shows the API one tenant at a time; see read_row_security in sql/queries/status.sql."""

    tables: int
    unprotected: str | None
    problem: str | None
    lets_older_api_pass: bool
    database_name: str


@dataclass(frozen=True, slots=True)
class Status:
    """The status. The read model is not installed where `projection` is None.

    `missing_source` names the platform's tables and columns that the projection reads and that do not exist.
    """

    projection: Projection | None = None
    queue: Queue = field(default_factory=lambda: Queue(0, None))
    runs: list[Run] = field(default_factory=list)
    rebuild: Rebuild = field(default_factory=lambda: Rebuild(lock_held=False, is_planned=False))
    dead_letters: list[DeadLetter] = field(default_factory=list)
    verification: Verification = field(default_factory=Verification)
    sizes: list[Size] = field(default_factory=list)
    schedulers: Schedulers = field(default_factory=lambda: Schedulers(0, is_all_seen=True))
    missing_source: list[str] = field(default_factory=list)
    api_role: ApiRole | None = None
    row_security: RowSecurity | None = None
    lock_holders: list[LockHolder] = field(default_factory=list)
    erasures: Erasures = field(default_factory=Erasures)
    feeds: list[Feed] = field(default_factory=list)
    unfed_tables: list[str] = field(default_factory=list)

    @property
    def rebuild_state(self) -> str:
        """`running`, `interrupted` where its process ended before it, else `none`."""
        if self.rebuild.lock_held:
            return "running"
        last = self.last_run("rebuild")
        is_unfinished = last is not None and last.outcome == "running"
        return "interrupted" if self.rebuild.is_planned or is_unfinished else "none"

    @property
    def rebuild_run(self) -> Run | None:
        """The run of the rebuild that is running or interrupted; None where there is none, or it has not begun yet."""
        last = self.last_run("rebuild")
        if last is None or self.rebuild_state == "none":
            return None
        unfinished = ("running",) if self.rebuild_state == "running" else ("running", "interrupted", "failed")
        return last if last.outcome in unfinished else None

    @property
    def capture_state(self) -> str:
        """`not installed`, `intact`, `gap`, or `off`."""
        if self.projection is None:
            return "not installed"
        if self.projection.switched_off is not None:
            return "off"
        is_gap = self.projection.capture_gap is not None or self.projection.broken is not None
        return "gap" if is_gap else "intact"

    def last_run(self, kind: str) -> Run | None:
        """Return the last run of a kind; None where there was none."""
        return next((run for run in self.runs if run.kind == kind), None)

    @property
    def no_scheduler_runs(self) -> bool:
        """Whether it is certain that no scheduler is connected."""
        return self.schedulers.sessions == 0 and self.schedulers.is_all_seen


def read_status(conn: Connection, *, api_role: str = "leads_api", with_sizes: bool = True) -> Status:
    """Return the status, all of it as of one moment.

    `api_role` is the role that the API takes; an empty text says that it keeps the role of its login. Without
    `with_sizes` no table is measured, which takes most of the time.

    Raises NotInstalledError where an older version was the last to migrate.
    """
    if not is_installed(conn):
        return Status()
    require_installed(conn)
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        projection = read_projection(conn)
        if projection is None:
            return Status()
        return Status(
            projection=projection,
            queue=_read(conn, Queue, "read_queue", bound=COUNTED_CHANGES)[0],
            runs=_read(conn, Run, "read_runs"),
            rebuild=_read(conn, Rebuild, "read_rebuild", rebuild_class=locks.REBUILD)[0],
            dead_letters=_read(conn, DeadLetter, "read_dead_letters", size=SHOWN_DEAD_LETTERS),
            verification=read_verification(conn),
            sizes=_read_sizes(conn) if with_sizes else [],
            api_role=_read_api_role(conn, api_role),
            row_security=_read(conn, RowSecurity, "read_row_security")[0],
            schedulers=_read(conn, Schedulers, "count_schedulers", application_name=db.SCHEDULER_NAME)[0],
            missing_source=find_missing_source(conn),
            lock_holders=read_lock_holders(conn),
            erasures=_read(conn, Erasures, "read_erasures")[0],
            feeds=read_feeds(conn),
            unfed_tables=read_unfed_tables(conn),
        )


def _read_sizes(conn: Connection) -> list[Size]:
    found = _read(conn, Size, "read_sizes")
    return sorted(found, key=lambda size: -size.bytes)


def _read_api_role(conn: Connection, name: str) -> ApiRole | None:
    if not name:
        return None
    row = conn.execute(query("status", "read_api_role"), {"role": name}).fetchone()
    return None if row is None else ApiRole(name, *row)


def _read(conn: Connection, row_type: type[_Row], name: str, **parameters: object) -> list[_Row]:
    """Return the rows of a query of sql/queries/status.sql as records of a type."""
    with conn.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(query("status", name), parameters or None).fetchall()
