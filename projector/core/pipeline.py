"""Runs the steps of sql/, the same for refresh, rebuild and verify.

The steps of a phase run in the order of their numbers. Each is a later statement than those that took the changes and
locked the tenants, so in READ COMMITTED it reads what was committed before it began.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import psycopg
from psycopg.rows import TupleRow, dict_row

from projector.core import staging
from projector.core.preconditions import require_migrated_version
from projector.database import locks
from projector.database.dialect import Dialect
from projector.database.distribution import staged_tenants
from projector.database.rows import Connection
from projector.database.sql import Step, query, statement, steps

AT_POINT: ContextVar[Callable[[str], object] | None] = ContextVar("at_point", default=None)
"""A function of a test, which is called when a run of its thread reaches a named point."""

RESOLVE = ("refresh/3_resolve",)
"""The steps that find the leads of the stale keys once the tenants are locked."""

LOCK_AND_RESOLVE = ("refresh/2_lock", *RESOLVE)
"""The steps that lock the tenants of the stale keys, and find their leads."""


def test_point(point: str) -> None:
    """Reach a point at which a test may act. Outside tests nothing happens."""
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
        """Return the sums of both."""
        return BatchResult(self.leads + other.leads, self.messages + other.messages, self.keys + other.keys)


@dataclass(slots=True)
class Run:
    """A pass through some phases: the conditions that hold, and the parameters of the steps.

    `elsewhere` maps our names in the texts of the steps to the names that replace them. With `is_set_based`,
    PostgreSQL may join whole tables of the platform with the staging tables.
    """

    conn: Connection
    conditions: set[str] = field(default_factory=set)
    is_set_based: bool = False
    parameters: dict[str, object] = field(default_factory=dict)
    numbers: dict[str, int] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def run(self, *names: str) -> None:
        """Run the steps of these folders below sql/, or these single steps, as far as their conditions hold."""
        dialect = replace(self.conn.dialect, fence="") if self.is_set_based else self.conn.dialect
        for group in planned(dialect, names):
            self._send(group)

    def _send(self, group: Sequence[Step]) -> None:
        """Run steps in one round trip to the server; at most the last one returns something."""
        conn = self.conn
        with _named_failures() as sent, pipelined(conn):
            for step in group:
                runs = step.when is None or step.when in self.conditions
                if runs and step.unless not in self.conditions:
                    cursor = conn.cursor(row_factory=dict_row)
                    sent.append((step, cursor))
                    cursor.execute(self._text(step), self._parameters(step))
                if step.point is not None:
                    test_point(step.point)
        if sent and sent[-1][0].returns_conditions:
            returned = sent[-1][1].fetchone() or {}
            self.conditions.update(returned.pop("conditions", None) or ())
            self.numbers.update(returned)

    def _text(self, step: Step) -> bytes:
        text = step.text
        for name, other in self.elsewhere.items():
            text = text.replace(name.encode(), other.encode())
        return text

    def _parameters(self, step: Step) -> Mapping[str, object] | None:
        if not step.takes_parameters:
            return None
        if step.takes_tenants and "staged_tenants" not in self.parameters:
            self.parameters["staged_tenants"] = staged_tenants(self.conn)
        return {"lock_class": locks.TENANT, "statement_timeout": "0", **self.parameters}

    @property
    def result(self) -> BatchResult:
        """The size of the run."""
        return BatchResult(*(self.numbers.get(name, 0) for name in ("leads", "messages", "keys")))


def run_step(
    conn: Connection, step: Step, parameters: Mapping[str, object] | None = None
) -> psycopg.Cursor[TupleRow]:
    """Run one step, whatever its condition, and return its cursor."""
    cursor = conn.cursor()
    with _named_failures() as sent:
        sent.append((step, cursor))
        cursor.execute(step.text, parameters if step.takes_parameters else None, prepare=False)
    return cursor


def run_steps(
    conn: Connection, name: str, parameters: Mapping[str, object] | None = None
) -> psycopg.Cursor[TupleRow]:
    """Run the steps of a folder below sql/, or a single one, as run_step does; return the cursor of the last one."""
    return [run_step(conn, step, parameters) for step in steps(name, conn.dialect)][-1]


def prepare_session(conn: Connection) -> None:
    """Create the staging tables, and set what the steps count on, once for a connection."""
    for setting in conn.dialect.settings:
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


@cache
def planned(dialect: Dialect, names: tuple[str, ...]) -> tuple[tuple[Step, ...], ...]:
    """Return the steps of these folders or single steps in groups, each up to one that returns something."""
    groups: list[tuple[Step, ...]] = []
    group: list[Step] = []
    for step in (step for name in names for step in steps(name, dialect)):
        group.append(step)
        if step.returns_conditions:
            groups.append(tuple(group))
            group = []
    return (*groups, tuple(group)) if group else tuple(groups)


@contextmanager
def _named_failures() -> Iterator[list[tuple[Step, psycopg.Cursor[Any]]]]:
    """Note on an error of PostgreSQL which of the steps failed: in a pipeline, the first one without a result."""
    sent: list[tuple[Step, psycopg.Cursor[Any]]] = []
    try:
        yield sent
    except psycopg.Error as error:
        failed = next((step for step, cursor in sent if cursor.pgresult is None), None)
        if failed is not None:
            error.__dict__["_leads_step"] = failed.name
            error.add_note(f"in sql/{failed.name}.sql")
        raise
