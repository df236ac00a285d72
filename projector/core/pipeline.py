"""Runs the steps of sql/: the same for refresh, rebuild and verify.

The steps of a phase run in the order of their numbers. Each is a later statement than the one that took the changes
and the one that locked the tenants: in READ COMMITTED it reads what was committed before it began.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg
from psycopg import sql as composing
from psycopg.rows import TupleRow, dict_row

from projector.core import staging
from projector.core.preconditions import require_migrated_version
from projector.database import locks
from projector.database.distribution import fence, is_distributed, staged_tenants, tenants
from projector.database.rows import Connection
from projector.database.sql import Step, named_failures, query, statement, steps

AT_POINT: ContextVar[Callable[[str], object] | None] = ContextVar("at_point", default=None)
"""What a test does when a run of its thread comes to a point, which a step or a function names."""

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


# PostgreSQL never analyzes the staging tables, so it guesses their size badly: an index scan per key is always right.
SESSION: tuple[LiteralString, ...] = ("SET enable_seqscan = off", "SET plan_cache_mode = force_generic_plan")
"""What a session sets before it runs steps; where the read model is distributed, only the first."""


def reach(point: str) -> None:
    """Come to a point, where a test may do something; outside tests a run stops nowhere."""
    at_point = AT_POINT.get()
    if at_point is not None:
        at_point(point)


@dataclass(frozen=True, slots=True)
class BatchResult:
    """How many leads a batch recomputed, how many message rows it wrote or deleted, and for how many keys."""

    leads: int = 0
    messages: int = 0
    keys: int = 0

    def __add__(self, other: "BatchResult") -> "BatchResult":
        """Return both together."""
        return BatchResult(self.leads + other.leads, self.messages + other.messages, self.keys + other.keys)


@dataclass(slots=True)
class Run:
    """One pass through some phases: the conditions that hold, and the parameters that the steps take."""

    conn: Connection
    conditions: set[str] = field(default_factory=set)
    parameters: dict[str, object] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)

    def run(self, *names: str) -> None:
        """Run the steps of these folders below sql/, or these single steps, as far as their conditions hold."""
        for group in _grouped(
            found for name in names for found in steps(name, fence(self.conn), tenants(self.conn))
        ):
            self._send(group)

    def _send(self, group: Sequence[Step]) -> None:
        """Run steps, of which at most the last one returns something, in one round trip to the server."""
        conn = self.conn
        with named_failures() as sent, pipelined(conn):
            for one in group:
                if one.when is None or one.when in self.conditions:
                    cursor = conn.cursor(row_factory=dict_row)
                    sent.append((one, cursor))
                    cursor.execute(one.text, self._parameters(one))
                if one.point is not None:
                    reach(one.point)
        if group[-1].returns_conditions:
            returned = sent[-1][1].fetchone() or {}
            self.conditions.update(returned.pop("conditions", None) or ())
            self.numbers.update(returned)

    def _parameters(self, one: Step) -> Mapping[str, object] | None:
        if not one.takes_parameters:
            return None
        if b"%(staged_tenants)s" in one.text and "staged_tenants" not in self.parameters:
            self.parameters["staged_tenants"] = staged_tenants(self.conn)
        return {"lock_class": locks.TENANT, "statement_timeout": "0", **self.parameters}

    @property
    def result(self) -> BatchResult:
        """How much the run was about."""
        return BatchResult(*(self.numbers.get(name, 0) for name in ("leads", "messages", "keys")))


def run_step(
    conn: Connection, one: Step, parameters: Mapping[str, object] | None = None
) -> psycopg.Cursor[TupleRow]:
    """Run one step, whatever its condition, and return its cursor."""
    cursor = conn.cursor()
    with named_failures() as sent:
        sent.append((one, cursor))
        cursor.execute(one.text, parameters if one.takes_parameters else None, prepare=False)
    if one.analyzes is not None:
        conn.execute(composing.SQL("ANALYZE {}").format(composing.SQL(one.analyzes)), prepare=False)
    return cursor


def run_steps(
    conn: Connection, name: str, parameters: Mapping[str, object] | None = None
) -> psycopg.Cursor[TupleRow]:
    """Run the steps of a folder below sql/, or a single one, as run_step does; return the cursor of the last one."""
    return [run_step(conn, one, parameters) for one in steps(name, fence(conn))][-1]


def prepare_session(conn: Connection) -> None:
    """Create the staging tables, and set what the steps count on, once for a connection."""
    for setting in SESSION[:1] if is_distributed(conn) else SESSION:
        conn.execute(setting)
    conn.execute(statement("refresh/0_session/10_staging_tables"), prepare=False)
    conn.execute(query("core", "fit_staging_tables"), prepare=False)
    conn.prepare_threshold = 0


def set_based(conn: Connection) -> None:
    """Let PostgreSQL join whole tables, until the end of the transaction."""
    conn.execute(
        "SELECT set_config('enable_seqscan', 'on', true), set_config('plan_cache_mode', 'auto', true)"
    )


def lock_tenants(conn: Connection, user_ids: Iterable[str]) -> None:
    """Begin work on the leads of these tenants: clear the staging tables, and hold each tenant's lock to the end.

    Raises NotInstalledError if another projection version has migrated meanwhile.
    """
    staging.clear(conn)
    for user_id in sorted(user_ids):
        conn.execute(query("core", "stage_tenant"), {"user_id": user_id})
    Run(conn).run("refresh/2_lock/40_lock_tenants")
    require_migrated_version(conn)


def tenants_parameter(tenants: Sequence[str] | None) -> dict[str, list[str] | None]:
    """Return the parameter `tenants` of a statement: null for all of them."""
    return {"tenants": None if tenants is None else list(tenants)}


def pipelined(conn: Connection) -> AbstractContextManager[object]:
    """Send the statements of a block in one round trip; one by one if a test stops between them."""
    return conn.pipeline() if AT_POINT.get() is None else nullcontext()


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
