"""What `status` reads from the database, all of it as of one moment."""

from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

import psycopg

from projector.capture.source import find_missing_source, find_source
from projector.core.preconditions import require_installed
from projector.database import connect as db
from projector.database import distribution, locks, rows
from projector.database.rows import Connection
from projector.database.source_names import read_tables, source_names
from projector.database.sql import query
from projector.observe.status import results
from projector.operate.assess import find_warnings
from projector.operate.origin.proof import Feed, read_feeds, read_unfed_tables
from projector.operate.rights import find_further_rights
from projector.operate.roles import Access, read_access

COUNTED_CHANGES = 100_000
"""The queue is counted up to here, so that a status of a deep queue does not take long; so is what is left out."""

RECONNECT_SECONDS = 10.0
"""For how long the lock of a scheduler may be free: it connects again where the server has ended its session."""

SILENT_SECONDS = 60.0
"""For how long a scheduler may note nothing: a host that is lost leaves its session, and the lock with it."""

_SHOWN = 5

# The purposes of the locks of the projectors: any login of the database can take them.
_LOCK_PURPOSES = {
    locks.MIGRATION: "migrate",
    locks.SHARD: "refreshes",
    locks.TENANT: "refreshes",
    locks.REBUILD: "rebuilds",
    locks.JOB: "the scheduler's verify and upkeep",
}

_Row = TypeVar("_Row")
_OfTenant = TypeVar("_OfTenant", results.DeadLetter, results.Drift)


@dataclass(frozen=True, slots=True)
class Status:
    """The status. Nothing is installed where `projection` is None.

    `unknown_kinds` are those of waiting changes that this version does not know, with their numbers. `missing_source`
    names the platform's tables and columns that the projection reads and that do not exist, `replaced_definitions` the
    functions and views of ours that are not as `migrate` created them, `further_rights` what the login may do beyond an
    owner of these tables; `has_mapping`, whether they are read by a mapping of the operator's; `warnings` are those of
    `assess`.
    """

    projection: results.Projection | None = None
    queue: results.Queue = field(default_factory=results.Queue)
    unknown_kinds: dict[str, int] = field(default_factory=dict)
    runs: list[results.Run] = field(default_factory=list)
    dead_letters: list[results.DeadLetter] = field(default_factory=list)
    proved_round: results.ProvedRound | None = None
    present_round: results.PresentRound | None = None
    drift: list[results.Drift] = field(default_factory=list)
    ended_drift: list[results.EndedDrift] = field(default_factory=list)
    left_out: results.LeftOut | None = None
    sizes: list[results.Size] = field(default_factory=list)
    tenants: int = 0
    schedulers: results.Schedulers = field(default_factory=results.Schedulers)
    known_schedulers: list[results.KnownScheduler] = field(default_factory=list)
    cron: results.Cron | None = None
    missing_source: list[str] = field(default_factory=list)
    api_role: results.ApiRole | None = None
    row_security: results.RowSecurity | None = None
    lock_holders: list[results.LockHolder] = field(default_factory=list)
    erasures: results.Erasures = field(default_factory=results.Erasures)
    feeds: list[Feed] = field(default_factory=list)
    unfed_tables: list[str] = field(default_factory=list)
    replaced_definitions: list[str] = field(default_factory=list)
    access: Access | None = None
    further_rights: tuple[str, list[str]] | None = None
    has_mapping: bool = False
    warnings: list[str] = field(default_factory=list)

    @property
    def is_rebuild_locked(self) -> bool:
        """Whether a session rebuilds now, or erases."""
        return any(_LOCK_PURPOSES[locks.REBUILD] in holder.purposes for holder in self.lock_holders)

    @property
    def rebuild_state(self) -> str:
        """`running`, `interrupted` where its process ended before it, else `none`."""
        if self.is_rebuild_locked:
            return "running"
        last = self.last_run("rebuild")
        is_unfinished = last is not None and last.outcome == "running"
        has_begun = self.projection is not None and self.projection.has_rebuild
        return "interrupted" if has_begun or is_unfinished else "none"

    @property
    def rebuild_run(self) -> results.Run | None:
        """The run of the rebuild that is running or interrupted; None where there is none, or it has not begun yet."""
        last = self.last_run("rebuild")
        if last is None or self.rebuild_state == "none":
            return None
        unfinished = ("running",) if self.rebuild_state == "running" else ("running", "interrupted", "failed")
        return last if last.outcome in unfinished else None

    @property
    def rebuild_done(self) -> float | None:
        """How much of the present rebuild is done, up to 1. A first build has no total: its leads show at its end."""
        run = self.rebuild_run
        return min(run.leads / run.leads_total, 1.0) if run is not None and run.leads_total else None

    @property
    def capture_state(self) -> str:
        """`not installed`, `intact`, `gap`, or `off`."""
        if self.projection is None:
            return "not installed"
        if self.projection.switched_off is not None:
            return "off"
        is_gap = self.projection.capture_gap is not None or self.projection.broken is not None
        return "gap" if is_gap else "intact"

    @property
    def fills(self) -> str | None:
        """What a rebuild fills, as a clause, where the gap was planned by our own command; else None."""
        is_planned = (
            self.capture_state == "gap" and self.projection is not None and self.projection.broken is None
        )
        return self.projection.gap_fills if is_planned and self.projection is not None else None

    def last_run(self, kind: str) -> results.Run | None:
        """Return the last run of a kind; None where there was none."""
        return next((run for run in self.runs if run.kind == kind), None)

    @property
    def no_scheduler_runs(self) -> bool:
        """Whether it is certain that no scheduler runs: a lost host may leave sessions, which do nothing.

        None that runs has noted itself, and of none that has not, as one of another version, is a session seen.
        """
        if any(not known.is_gone and known.ended_at is None for known in self.known_schedulers):
            return False
        is_known = any(known.is_gone for known in self.known_schedulers)
        return is_known or (not self.schedulers.sessions and bool(self.schedulers.is_all_seen))

    @property
    def lost_schedulers(self) -> list[results.KnownScheduler]:
        """Those that are gone without having ended, unless a later one, or cron, has taken over; the newest first."""
        if self.cron is not None:
            return []
        newest = next((at for at, known in enumerate(self.known_schedulers) if not known.is_gone), None)
        return self.known_schedulers[:newest]


def read_status(conn: Connection, *, api_role: str = "leads_api", with_sizes: bool = True) -> Status:
    """Return the status, all of it as of one moment.

    `api_role` is the role that the API takes; an empty text says that it keeps the role of its login. Without
    `with_sizes` no table is measured, which takes most of the time.

    Raises NotInstalledError where an older version was the last to migrate.
    """
    if not rows.value(conn, query("core", "is_installed")):
        return Status()
    require_installed(conn)
    with conn.transaction():
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        projection = rows.row(conn, results.Projection, query("status", "read_projection"))
        if projection is None:
            return Status()
        access = read_access(conn)
        bound, shown = {"bound": COUNTED_CHANGES}, {"size": _SHOWN}
        purposes = {"classes": [*_LOCK_PURPOSES], "purposes": [*_LOCK_PURPOSES.values()]}
        schedulers = {"application_name": db.SCHEDULER_NAME}
        return Status(
            projection=projection,
            queue=_read(conn, results.Queue, "read_queue", bound)[0],
            unknown_kinds=dict(conn.execute(query("status", "read_unknown_kinds"), bound).fetchall()),
            runs=_read(conn, results.Run, "read_runs"),
            dead_letters=_named(conn, _read(conn, results.DeadLetter, "read_dead_letters", shown)),
            proved_round=rows.row(conn, results.ProvedRound, query("status", "read_proved_round")),
            present_round=rows.row(conn, results.PresentRound, query("status", "read_present_round")),
            drift=_named(conn, _read(conn, results.Drift, "read_open_drift", shown)),
            ended_drift=_read(conn, results.EndedDrift, "read_ended_drift"),
            left_out=_read_left_out(conn),
            sizes=_read_sizes(conn) if with_sizes else [],
            tenants=rows.value(conn, query("status", "count_tenants")) if with_sizes else 0,
            api_role=rows.row(conn, results.ApiRole, query("status", "read_api_role"), {"role": api_role}),
            row_security=_read_row_security(conn),
            schedulers=_read(conn, results.Schedulers, "count_schedulers", schedulers)[0],
            known_schedulers=_read(
                conn,
                results.KnownScheduler,
                "read_known_schedulers",
                {"class": locks.SCHEDULER, "reconnecting": RECONNECT_SECONDS, "silent": SILENT_SECONDS},
            ),
            cron=rows.row(conn, results.Cron, query("status", "read_cron")),
            missing_source=find_missing_source(conn),
            lock_holders=_read(conn, results.LockHolder, "read_lock_holders", purposes),
            access=access,
            erasures=_read(conn, results.Erasures, "read_erasures")[0]
            if access.is_usable
            else results.Erasures(),
            further_rights=find_further_rights(conn, source_names(conn).values()),
            feeds=read_feeds(conn),
            unfed_tables=read_unfed_tables(conn),
            replaced_definitions=rows.values(conn, query("status", "find_replaced_definitions")),
            has_mapping=rows.value(conn, query("database", "read_setting"), {"name": "mapping"})
            not in {None, "{}"},
            warnings=[fact.text for fact in find_warnings(conn, read_tables(conn), find_source(conn))]
            if with_sizes
            else [],
        )


def _read(conn: Connection, kind: type[_Row], name: str, parameters: rows.Parameters = None) -> list[_Row]:
    return rows.rows(conn, kind, query("status", name), parameters)


def _named(conn: Connection, listed: list[_OfTenant]) -> list[_OfTenant]:
    """Return the rows, each with `tenant_name`."""
    if not listed:
        return []
    parameters = {"user_ids": [row.user_id for row in listed]}
    names: dict[str | None, str] = dict(conn.execute(query("tenants", "read_names"), parameters).fetchall())
    return [replace(row, tenant_name=names.get(row.user_id)) for row in listed]


def _read_sizes(conn: Connection) -> list[results.Size]:
    measured = distribution.sizes(conn)
    sizes = [
        results.Size(size.table_name, *measured.get(size.table_name, (size.about_rows, size.bytes)))
        for size in _read(conn, results.Size, "read_sizes")
    ]
    return sorted(sizes, key=lambda size: size.bytes, reverse=True)


def _read_left_out(conn: Connection) -> results.LeftOut | None:
    """Return of how much an attribute is left out; None while another session has the tables for itself."""
    with suppress(psycopg.errors.LockNotAvailable), conn.transaction():
        conn.execute(query("status", "lock_attributes"))
        return _read(conn, results.LeftOut, "count_left_out", {"bound": COUNTED_CHANGES})[0]
    return None


def _read_row_security(conn: Connection) -> results.RowSecurity:
    security = rows.only_row(conn, results.RowSecurity, query("status", "read_row_security"))
    shard = distribution.unprotected_shard(conn) if security.unprotected is None else None
    if shard is None:
        return security
    problem = "the policies of this shard on its server are not those of its table"
    return replace(security, unprotected=shard, problem=problem)
