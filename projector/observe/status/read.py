"""What `status` reads from the database: all of one moment, as records."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeVar

from psycopg.rows import class_row

from projector.capture.source import find_missing_source
from projector.core.preconditions import require_installed
from projector.database import connect as db
from projector.database import distribution, locks
from projector.database.rows import Connection
from projector.database.sql import query
from projector.operate.origin.subscriptions import Feed, read_feeds, read_unfed_tables

_Row = TypeVar("_Row")

COUNTED_CHANGES = 100_000
"""The queue is counted up to here, so that a status of a deep queue does not take long."""

_SHOWN_DEAD_LETTERS = 5
_SHOWN_DRIFT = 5

# The purposes of the locks of the projectors: any login of the database can take them.
_LOCK_PURPOSES = {
    locks.MIGRATION: "migrate",
    locks.SHARD: "refreshes",
    locks.TENANT: "refreshes",
    locks.REBUILD: "rebuilds",
    locks.JOB: "the scheduler's verify and upkeep",
}


@dataclass(frozen=True, slots=True)
class Projection:
    """What the read model as a whole is; see read_projection in sql/queries/status.sql."""

    version: str
    built_at: datetime | None
    capture_gap: str | None
    as_of: datetime | None
    as_of_age: float | None
    broken: str | None
    switched_off: str | None
    gap_since: datetime | None
    gap_reason: str | None
    read_at: datetime
    feed_problem: str | None = None
    proved_at: datetime | None = None
    errors_at_proof: int = 0
    origin_position: str | None = None
    failed_at: datetime | None = None
    has_origin: bool = False
    found_differences: int = 0


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
class LockHolder:
    """A session with locks of the projectors: its process, login and program, and since when it can have had them.

    `purposes` are what it keeps others from. `is_ours` is whether its login has the rights of the owner of the queue,
    without which it cannot refresh. `since` is null where the login that asks may not know it.
    """

    pid: int
    login: str | None
    application: str | None
    since: datetime | None
    purposes: list[str]
    is_ours: bool


@dataclass(frozen=True, slots=True)
class ProvedRound:
    """The last verify of everything: when it ended, what it compared, left out to its end, and found to differ."""

    started_at: datetime
    finished_at: datetime
    leads: int
    left_out: int
    differences: int


@dataclass(frozen=True, slots=True)
class PresentRound:
    """The round in which the scheduler verifies everything. `age` is in seconds, `done` from 0 to 1."""

    started_at: datetime
    days: float
    age: float
    done: float
    leads: int
    leads_total: int
    left_out: int
    differences: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class OpenDrift:
    """An item that differs, as far as is known. `total` counts all of them."""

    kind: str
    user_id: str
    customer_phone: str
    key: str
    first_field: str
    found_at: datetime
    seen_at: datetime
    total: int


@dataclass(frozen=True, slots=True)
class EndedDrift:
    """How many items differed and became right with one outcome, and when the last of them did."""

    outcome: str
    items: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Verification:
    """The state of the verify. What differs is in `drift`, the first five items of it; what did, in `history`."""

    proved: ProvedRound | None = None
    present: PresentRound | None = None
    drift: list[OpenDrift] = field(default_factory=list)
    history: list[EndedDrift] = field(default_factory=list)

    @property
    def drift_total(self) -> int:
        """How many items differ, as far as is known."""
        return self.drift[0].total if self.drift else 0


@dataclass(frozen=True, slots=True)
class Status:
    """The status. The read model is not installed where `projection` is None.

    `missing_source` names the platform's tables and columns that the projection reads and that do not exist,
    `replaced_definitions` the functions and views of ours that are not as `migrate` created them.
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
    replaced_definitions: list[str] = field(default_factory=list)

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


def is_installed(conn: Connection) -> bool:
    """Return whether there is a read model, of this version or an older one."""
    return conn.execute(query("status", "is_installed")).fetchone() == (True,)


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
        projection = _read(conn, Projection, "read_projection")
        if not projection:
            return Status()
        proved = _read(conn, ProvedRound, "read_proved_round")
        present = _read(conn, PresentRound, "read_present_round")
        role = _read(conn, ApiRole, "read_api_role", role=api_role) if api_role else []
        return Status(
            projection=projection[0],
            queue=_read(conn, Queue, "read_queue", bound=COUNTED_CHANGES)[0],
            runs=_read(conn, Run, "read_runs"),
            rebuild=_read(conn, Rebuild, "read_rebuild", rebuild_class=locks.REBUILD)[0],
            dead_letters=_read(conn, DeadLetter, "read_dead_letters", size=_SHOWN_DEAD_LETTERS),
            verification=Verification(
                proved=proved[0] if proved else None,
                present=present[0] if present else None,
                drift=_read(conn, OpenDrift, "read_open_drift", size=_SHOWN_DRIFT),
                history=_read(conn, EndedDrift, "read_ended_drift"),
            ),
            sizes=_read_sizes(conn) if with_sizes else [],
            api_role=role[0] if role else None,
            row_security=_read_row_security(conn),
            schedulers=_read(conn, Schedulers, "count_schedulers", application_name=db.SCHEDULER_NAME)[0],
            missing_source=find_missing_source(conn),
            lock_holders=_read(
                conn,
                LockHolder,
                "read_lock_holders",
                classes=list(_LOCK_PURPOSES),
                purposes=list(_LOCK_PURPOSES.values()),
            ),
            erasures=_read(conn, Erasures, "read_erasures")[0],
            feeds=read_feeds(conn),
            unfed_tables=read_unfed_tables(conn),
            replaced_definitions=[
                name for (name,) in conn.execute(query("status", "find_replaced_definitions"))
            ],
        )


def _read(conn: Connection, row_type: type[_Row], name: str, **parameters: object) -> list[_Row]:
    """Return the rows of a query of sql/queries/status.sql as records of a type."""
    with conn.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(query("status", name), parameters or None).fetchall()


def _read_sizes(conn: Connection) -> list[Size]:
    measured = distribution.sizes(conn)
    found = _read(conn, Size, "read_sizes")
    sizes = [
        Size(size.table_name, *measured.get(size.table_name, (size.about_rows, size.bytes))) for size in found
    ]
    return sorted(sizes, key=lambda size: size.bytes, reverse=True)


def _read_row_security(conn: Connection) -> RowSecurity:
    [found] = _read(conn, RowSecurity, "read_row_security")
    shard = distribution.unprotected_shard(conn) if found.unprotected is None else None
    if shard is None:
        return found
    problem = "the policies of this shard on its server are not those of its table"
    return replace(found, unprotected=shard, problem=problem)
