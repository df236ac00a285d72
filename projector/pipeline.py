"""Runs the steps of sql/: the same for refresh, rebuild and verify.

The steps of a phase run in the order of their numbers. Each is a later statement than the one that took the changes
and the one that locked the tenants: in READ COMMITTED it reads what was committed before it began.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql as composing
from psycopg.rows import TupleRow, dict_row

from projector import locks
from projector.preconditions import require_migrated_version
from projector.sides import on_read_model, side_of
from projector.sql import Step, query, statement, steps

Connection = psycopg.Connection[TupleRow]
InjectionPoint = Callable[[str], None]
"""What a test does when a run comes to a point that a step names."""

STAGING_TABLES = re.findall(
    r"CREATE TEMPORARY TABLE IF NOT EXISTS (\w+)", statement("refresh/0_session/10_staging_tables")
)
"""The names of the staging tables."""

TRUNCATE_ABOVE_BYTES = 128 * 1024
"""A batch, which may be of a single lead, truncates a staging table of more bytes before it begins."""

# A chunk of some hundred leads fills most tables with more than that, and what is left in them does not slow it down.
_CHUNK_TRUNCATES_ABOVE_BYTES = 4 * 1024 * 1024

RESOLVE = ("refresh/3_resolve",)
"""From locked tenants to the leads of the stale keys."""

LOCK_AND_RESOLVE = ("refresh/2_lock", *RESOLVE)
"""From stale keys to locked tenants, and to the stale leads."""

COMPARE = ("refresh/4_recompute", "refresh/5_compare_messages", "refresh/7_compare_leads")
"""From stale leads to what differs; nothing is written."""

WRITE = (
    "refresh/4_recompute",
    "refresh/5_compare_messages",
    "refresh/6_write_messages",
    "refresh/7_compare_leads",
    "refresh/8_write_leads",
)
"""From stale leads to rows of the read model."""


def no_injection_point(_point: str) -> None:
    """Outside tests a run stops nowhere."""


@dataclass(frozen=True, slots=True)
class BatchResult:
    """How many leads a batch recomputed, and how many message rows it wrote or deleted."""

    leads: int = 0
    messages: int = 0

    def __add__(self, other: "BatchResult") -> "BatchResult":
        """Return both together."""
        return BatchResult(self.leads + other.leads, self.messages + other.messages)


@dataclass(slots=True)
class Run:
    """One pass through some phases: the conditions that hold, and the parameters that the steps take."""

    conn: Connection
    conditions: set[str] = field(default_factory=set)
    parameters: dict[str, object] = field(default_factory=dict)
    point: InjectionPoint = no_injection_point
    numbers: dict[str, int] = field(default_factory=dict)

    def run(self, *names: str) -> None:
        """Run the steps of these folders below sql/, or these single steps, as far as their conditions hold."""
        for group in _grouped(found for name in names for found in steps(name)):
            self._send(group)

    def _send(self, group: Sequence[Step]) -> None:
        """Run steps of which at most the last one returns something, in one round trip to the server."""
        with _named_failures() as sent, pipelined(self.conn, self.point):
            for one in group:
                if one.when is None or one.when in self.conditions:
                    cursor = side(self.conn, one).cursor(row_factory=dict_row)
                    sent.append((one, cursor))
                    cursor.execute(one.text, self._parameters(one))
                if one.point is not None:
                    self.point(one.point)
        if group[-1].returns_conditions:
            returned = sent[-1][1].fetchone() or {}
            self.conditions.update(returned.pop("conditions", None) or ())
            self.numbers.update(returned)

    def _parameters(self, one: Step) -> Mapping[str, object] | None:
        return {"lock_class": locks.TENANT, **self.parameters} if one.takes_parameters else None

    @property
    def result(self) -> BatchResult:
        """How much the run was about."""
        return BatchResult(self.numbers.get("leads", 0), self.numbers.get("messages", 0))


def run_steps(
    conn: Connection, found: Iterable[Step], parameters: Mapping[str, object] | None = None
) -> psycopg.Cursor[TupleRow]:
    """Run steps one after the other, whatever their conditions, and return the cursor of the last one."""
    cursor = conn.cursor()
    for one in found:
        with _named_failures() as sent:
            cursor = side(conn, one).cursor()
            sent.append((one, cursor))
            cursor.execute(one.text, parameters if one.takes_parameters else None, prepare=False)
        if one.analyzes is not None:
            analyze = composing.SQL("ANALYZE {}").format(composing.SQL(one.analyzes))
            side_of(conn, one.analyzes).execute(analyze, prepare=False)
    return cursor


def side(conn: Connection, one: Step) -> Connection:
    """Return the connection that a step runs on."""
    return on_read_model(conn) if one.is_on_read_model else conn


def prepare_session(conn: Connection) -> None:
    """Create the staging tables, and set what the steps count on, once for a connection."""
    # PostgreSQL never analyzes the staging tables, so it guesses their size badly: an index scan per key is always
    # right.
    conn.execute("SET enable_seqscan = off")
    conn.execute("SET plan_cache_mode = force_generic_plan")
    conn.execute(statement("refresh/0_session/10_staging_tables"), prepare=False)
    conn.prepare_threshold = 0


def set_based(conn: Connection) -> None:
    """Let PostgreSQL join whole tables, until the end of the transaction."""
    conn.execute(
        "SELECT set_config('enable_seqscan', 'on', true), set_config('plan_cache_mode', 'auto', true)"
    )


def plan_anew(conn: Connection) -> None:
    """Let PostgreSQL plan each statement for its parameters, until the end of the transaction."""
    conn.execute("SELECT set_config('plan_cache_mode', 'auto', true)")


def lock_tenants(conn: Connection, user_ids: Iterable[str]) -> None:
    """Begin work on the leads of these tenants: clear the staging tables, and hold each tenant's lock to the end.

    Raises NotInstalledError if another projection version has migrated meanwhile.
    """
    clear_staging_tables(conn)
    for user_id in sorted(user_ids):
        conn.execute(query("rebuild", "stage_tenant"), {"user_id": user_id})
    conn.execute(statement("refresh/2_lock/40_lock_tenants"), {"lock_class": locks.TENANT})
    require_migrated_version(conn)


def tenants_parameter(tenants: Sequence[str] | None) -> dict[str, list[str] | None]:
    """Return the parameter `tenants` of a statement: null for all of them."""
    return {"tenants": None if tenants is None else list(tenants)}


def clear_staging_tables(conn: Connection, bloated: Sequence[str] | None = None) -> None:
    """Delete the rows of the staging tables, and truncate the bloated ones.

    Without `bloated`, those with more bytes than a chunk of leads minds are looked up first.

    VACUUM does not come by temporary tables: every later batch scans what was deleted, and the planner takes it for
    rows. But each TRUNCATE writes WAL, for the catalog, so only tables that need it are truncated.
    """
    if bloated is None:
        found = conn.execute(
            query("pipeline", "find_bloated_tables"),
            {"staging_tables": STAGING_TABLES, "truncate_above_bytes": _CHUNK_TRUNCATES_ABOVE_BYTES},
        )
        bloated = [row[0] for row in found.fetchall()]
    if bloated:
        tables = composing.SQL(", ").join(composing.Identifier("pg_temp", name) for name in bloated)
        conn.execute(composing.SQL("TRUNCATE {}").format(tables), prepare=False)
    conn.execute(CLEAR)


def _clear_statement() -> bytes:
    """One statement that deletes the rows of all staging tables."""
    *first, last = (
        query("pipeline", "clear_staging_table", staging_table=name).rstrip(";") for name in STAGING_TABLES
    )
    parts = ", ".join(f"cleared_{number} AS ({text})" for number, text in enumerate(first))
    return f"WITH {parts} {last}".encode()


CLEAR = _clear_statement()
"""The statement that deletes the rows of all staging tables."""


def pipelined(conn: Connection, point: InjectionPoint) -> AbstractContextManager[object]:
    """Send the statements of a block in one round trip; one by one if a test stops between them."""
    return conn.pipeline() if point is no_injection_point else nullcontext()


def failing_step(error: BaseException) -> str | None:
    """Return the file of the step in which a statement failed; None if the error comes from elsewhere."""
    name: str | None = getattr(error, "_leads_step", None)
    return None if name is None else f"sql/{name.partition(' ')[0]}.sql"


@contextmanager
def _named_failures() -> Iterator[list[tuple[Step, psycopg.Cursor[Any]]]]:
    """Note on an error of PostgreSQL which of the steps failed: in a pipeline, the first one without a result."""
    sent: list[tuple[Step, psycopg.Cursor[Any]]] = []
    try:
        yield sent
    except psycopg.Error as error:
        failed = next((one for one, cursor in sent if cursor.pgresult is None), None)
        if failed is not None:
            error.__dict__["_leads_step"] = failed.name
            error.add_note(f"in sql/{failed.name}.sql")
        raise


def _grouped(found: Iterable[Step]) -> Iterator[list[Step]]:
    """The steps in groups, each up to one that returns something."""
    group: list[Step] = []
    for one in found:
        group.append(one)
        if one.returns_conditions:
            yield group
            group = []
    if group:
        yield group
