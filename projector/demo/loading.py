"""Load demo tenants into the source tables."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import date
from random import Random
from time import monotonic
from typing import Any, Protocol
from uuid import NAMESPACE_URL, uuid5

import psycopg
from psycopg import errors, sql

from projector.demo import reference
from projector.demo.clock import midnight
from projector.demo.script import make_scripts
from projector.demo.source_rows import TABLES, SourceRows
from projector.demo.tenants import Tenant, TenantMaker
from projector.errors import ProjectorError, SourceMissingError

DEFAULT_LEADS = 2_000
DEFAULT_MESSAGES_PER_LEAD = 12.0
DEFAULT_SEED = 1

_LEADS_PER_NOTE = 100

SHOWCASE_USER_ID = "5d1c2a77-0b3e-4f56-9a84-2c6e8f90b1d3"
"""The tenant in which every filter, sort and page has something to show."""


class Progress(Protocol):
    """What is told how far the loading is."""

    def start(self, title: str, total: int, unit: str) -> None:
        """Begin something of a known size."""

    def advance(self, n: int) -> None:
        """Note that so much more of it is done."""

    def finish(self) -> None:
        """End it, however far it came."""


@dataclass(frozen=True, slots=True)
class DemoReport:
    """What was loaded: the tenants, how many leads they have, and how many rows went into each source table."""

    user_ids: tuple[str, ...]
    leads: int
    rows: dict[str, int]
    seconds: float

    @property
    def messages(self) -> int:
        """How many messages were loaded."""
        return self.rows["messages"]


def load(
    conn: psycopg.Connection[Any],
    *,
    tenants: int,
    leads: int,
    messages_per_lead: float,
    seed: int,
    today: date,
    progress: Progress,
) -> DemoReport:
    """Load the demo, or tenants for a benchmark, as if it were midnight UTC at the beginning of `today`.

    Without `tenants` (0) that is the demo: the reference's tenant and the showcase tenant of so many leads, in one
    transaction. With `tenants` it is so many tenants and nothing else, in transactions of some ten thousand
    messages. Their ids follow from seed, size and number: another seed or size adds further tenants.
    A tenant that is already there is refused before anything is written.
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
            f"Some demo rows are already there ({error.diag.message_detail}). Nothing of theirs was overwritten.",
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
            f"No demo can be made of {tenants} tenants, {leads} leads and {messages_per_lead} messages per lead: "
            "take 0 tenants (for the demo itself) or more, 1 lead or more, and 0 messages per lead or more.",
        )


def _showcase_tenant(leads: int, messages_per_lead: float) -> Tenant:
    return Tenant(SHOWCASE_USER_ID, "Meridian Living", "team@meridian.example", leads, messages_per_lead)


def _benchmark_tenant(number: int, leads: int, messages_per_lead: float, seed: int) -> Tenant:
    """The tenant of that number; its id names everything that its rows depend on, but for the day."""
    name = f"leads-demo:seed={seed}:leads={leads}:messages={messages_per_lead:g}:tenant={number}"
    user_id = str(uuid5(NAMESPACE_URL, name))
    email = f"owner@{user_id[:8]}.example"
    return Tenant(user_id, f"Benchmark tenant {number}", email, leads, messages_per_lead)


def _make(tenants: list[Tenant], seed: int, now: int, rows: SourceRows) -> Iterator[int]:
    """Make all tenants, and tell from time to time how many more leads are done."""
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
    """Refuse to load a tenant that is there: half of one kind and half of another would be nobody's demo."""
    present = [
        user_id
        for (user_id,) in conn.execute(
            'SELECT user_id FROM users WHERE user_id = ANY(%s) ORDER BY user_id COLLATE "C"',
            [user_ids],
        )
    ]
    if present:
        named = ", ".join(present[:3]) + (f" and {len(present) - 3} more" if len(present) > 3 else "")
        raise ProjectorError(
            f"Demo tenants are already there: {named}. Nothing was loaded. "
            "Delete their rows of `users` first (what belongs to them goes with them), "
            "or load further tenants with another --seed.",
        )


def _analyze(conn: psycopg.Connection[Any]) -> None:
    """Let the planner know of the rows at once, since a rebuild is what comes next."""
    conn.execute(sql.SQL("ANALYZE {}").format(sql.SQL(", ").join(map(sql.Identifier, TABLES))))
