"""Load demo tenants into the source tables."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from random import Random
from time import monotonic
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import psycopg
from psycopg import errors

from projector.database.source_names import source_names
from projector.database.sql import query
from projector.report.counted import counted
from projector.report.errors import ProjectorError, SourceMissingError
from projector.report.progress import Progress
from projector.trial.demo import reference
from projector.trial.demo.clock import midnight
from projector.trial.demo.script import make_scripts
from projector.trial.demo.source_rows import TABLES, SourceRows
from projector.trial.demo.tenants import Tenant, TenantMaker

DEFAULT_LEADS = 2_000
DEFAULT_MESSAGES_PER_LEAD = 12.0
DEFAULT_SEED = 1

_LEADS_PER_NOTE = 100
_NAMED = 3

SHOWCASE_USER_ID = "5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3"
"""The tenant in which every filter, sort and page has rows."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was loaded: the tenants, the number of leads, and the number of rows of each source table."""

    user_ids: tuple[str, ...]
    leads: int
    rows: dict[str, int]
    seconds: float

    @property
    def messages(self) -> int:
        """How many messages were loaded."""
        return self.rows["messages"]


def load(  # noqa: PLR0913  # An argument for each option of the command.
    conn: psycopg.Connection[Any],
    *,
    tenants: int,
    leads: int,
    messages_per_lead: float,
    seed: int,
    today: date,
    progress: Progress,
) -> DemoReport:
    """Load the demo, or tenants for a benchmark, as if `today` had just begun in UTC.

    With 0 `tenants` this loads the demo, in one transaction: the reference's tenant, which is always the same, and
    the showcase tenant with `leads` leads. Otherwise it loads `tenants` tenants of `leads` leads each, in
    transactions of some ten thousand messages. Their ids follow from seed, size and number: another seed or size
    adds tenants.

    Returns a report. Raises ProjectorError where one of the tenants exists, before anything is written, or where the
    sizes make no sense, and SourceMissingError where the source tables are not complete.
    """
    began = monotonic()
    _check_sizes(tenants, leads, messages_per_lead)
    now = midnight(today)
    made = (
        [_benchmark_tenant(number, leads, messages_per_lead, seed) for number in range(1, tenants + 1)]
        if tenants
        else [_showcase_tenant(leads, messages_per_lead)]
    )
    user_ids = [tenant.user_id for tenant in made]
    if not tenants:
        user_ids.insert(0, reference.USER_ID)
    total = leads * len(made) + (0 if tenants else reference.LEADS)
    try:
        _refuse_present(conn, user_ids)
        rows = SourceRows(conn)
        whole: AbstractContextManager[object] = nullcontext() if tenants else conn.transaction()
        progress.start("Loading demo leads", total, "leads")
        try:
            with whole:
                if not tenants:
                    reference.add_reference_tenant(rows, now)
                    progress.advance(reference.LEADS)
                for done in _make(made, seed, now, rows):
                    progress.advance(done)
                rows.write()
        finally:
            progress.finish()
        _analyze(conn)
    except errors.UniqueViolation as error:
        raise ProjectorError(
            f"Rows with the ids of demo rows are already there: {error.diag.message_detail} "
            "Nothing was overwritten. Load the demo into an empty database.",
        ) from error
    except (errors.UndefinedTable, errors.UndefinedColumn) as error:
        raise SourceMissingError(
            f"The source tables are not complete: {error.diag.message_primary}. "
            "Run `python -m projector migrate --create-source` in an empty database first.",
        ) from error
    return DemoReport(tuple(user_ids), total, dict(rows.written), monotonic() - began)


def _check_sizes(tenants: int, leads: int, messages_per_lead: float) -> None:
    if tenants < 0 or leads < 1 or not 0 <= messages_per_lead < float("inf"):
        raise ProjectorError(
            f"No demo has {counted(tenants, 'tenant')}, {counted(leads, 'lead')} and"
            f" {counted(messages_per_lead, 'message')} per lead. "
            "Take 0 tenants (the demo itself) or more, 1 lead or more, 0 messages per lead or more.",
        )


def _showcase_tenant(leads: int, messages_per_lead: float) -> Tenant:
    return Tenant(SHOWCASE_USER_ID, "Meridian Living", "team@meridian.example", leads, messages_per_lead)


def _benchmark_tenant(number: int, leads: int, messages_per_lead: float, seed: int) -> Tenant:
    """Return the tenant of a number. Its id depends on everything that its rows depend on, except the day."""
    name = f"leads-demo:seed={seed}:leads={leads}:messages={messages_per_lead:g}:tenant={number}"
    user_id = str(uuid5(NAMESPACE_URL, name))
    email = f"owner@{user_id[:8]}.example"
    return Tenant(user_id, f"Benchmark tenant {number}", email, leads, messages_per_lead)


def _make(tenants: list[Tenant], seed: int, now: int, rows: SourceRows) -> Iterator[int]:
    """Make all tenants. Yields from time to time how many more leads are done."""
    scripts = make_scripts(Random(seed))  # noqa: S311  # Nothing here is secret.
    for tenant in tenants:
        waiting = 0
        for _ in TenantMaker(tenant, seed=seed, now=now, scripts=scripts, rows=rows).make():
            waiting += 1
            if waiting == _LEADS_PER_NOTE:
                yield waiting
                waiting = 0
        yield waiting


def _refuse_present(conn: psycopg.Connection[Any], user_ids: list[str]) -> None:
    """Raise ProjectorError where one of these tenants exists: old and new rows of one tenant would be mixed."""
    found = conn.execute(query("demo", "find_present_users"), {"user_ids": user_ids})
    present = [user_id for (user_id,) in found]
    if present:
        more = len(present) - _NAMED
        named = ", ".join(present[:_NAMED]) + (f" and {more} more" if more > 0 else "")
        raise ProjectorError(
            f"Demo tenants are already there: {named}. Nothing was loaded. "
            "Delete their rows of `users` first: this deletes all their rows; "
            "or load other tenants, with --tenants and another --seed.",
        )


def _analyze(conn: psycopg.Connection[Any]) -> None:
    """Update the planner's statistics of the source tables, since a rebuild is likely to be next."""
    conn.execute(f"ANALYZE {', '.join(source_names(conn).of(TABLES))}".encode())
