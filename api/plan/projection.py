"""The statements about the read model as a whole, and about a tenant as a whole; they read no lead."""

from datetime import datetime
from functools import lru_cache, reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import Float, Select, SelectBase, Text, cast, extract, false, func, literal_column, select

from api.database.statement import BoundStatement
from api.database.tables import projection, tenant_ids
from api.database.tables import row_security as row_security_table
from api.plan.sql import as_of, constant, freshness_columns

# Tenants that the pages for people offer, where the API asks nobody who calls.
MOST_LISTED = 100


class ProjectionRow(NamedTuple):
    """The state of the read model: `installed` is 0 before the projector has installed it."""

    installed: int
    built_at: datetime | None
    capture_gap: bytes | None
    feed_problem: bytes | None


class FreshnessRow(NamedTuple):
    """The moment up to which the read model contains every change, and its age in seconds by the database's clock."""

    as_of: datetime | None
    age: float | None


class VerificationRow(NamedTuple):
    """How far the verify is.

    `proved_at` is when everything was compared last, `round_done` the part of the present round that is done; None
    before the first, and between two. The others count what differs now, and what ever did.
    """

    proved_at: datetime | None
    round_done: float | None
    open_differences: int
    found_differences: int


def projection_state() -> BoundStatement[ProjectionRow]:
    """Returns the statement of whether the read model is installed, built and complete."""
    return BoundStatement(_projection_statement(), ProjectionRow, {})


class TablesRow(NamedTuple):
    """An answer of all tables: that there is one shows that they can be read."""

    rows: int


def tables_state() -> BoundStatement[TablesRow]:
    """Returns a statement that reads no row, and fails unless every table with every column of it can be read."""
    return BoundStatement(_tables_statement(), TablesRow, {})


class RowSecurityRow(NamedTuple):
    """What row security lacks, of the first table that lacks something: `table: problem`. None if it is complete."""

    missing: bytes | None


def row_security() -> BoundStatement[RowSecurityRow]:
    """Returns the statement of whether PostgreSQL shows each session the rows of its tenant alone."""
    return BoundStatement(_row_security_statement(), RowSecurityRow, {})


def freshness() -> BoundStatement[FreshnessRow]:
    """Returns the statement of how fresh the read model is."""
    return BoundStatement(_freshness_statement(), FreshnessRow, {})


def verification() -> BoundStatement[VerificationRow]:
    """Returns the statement of how far the verify is, and what it found."""
    return BoundStatement(_verification_statement(), VerificationRow, {})


@lru_cache(maxsize=1)
def _verification_statement() -> SelectBase:
    return select(
        func.max(projection.c.proved_at).label("proved_at"),
        func.max(projection.c.round_done).label("round_done"),
        func.coalesce(func.max(projection.c.open_differences), 0).label("open_differences"),
        func.coalesce(func.max(projection.c.found_differences), 0).label("found_differences"),
    ).select_from(projection)


@lru_cache(maxsize=1)
def _projection_statement() -> SelectBase:
    # Aggregates of the only row, so that there is one without it too.
    return select(
        func.count().label("installed"),
        func.max(projection.c.built_at).label("built_at"),
        func.max(projection.c.capture_gap).label("capture_gap"),
        func.max(projection.c.feed_problem).label("feed_problem"),
    ).select_from(projection)


@lru_cache(maxsize=1)
def _tables_statement() -> SelectBase:
    counts = [
        select(func.count()).select_from(select(table).where(false()).subquery()).scalar_subquery()
        for table in projection.metadata.sorted_tables
    ]
    return select(reduce(add, counts).label("rows"))


@lru_cache(maxsize=1)
def _row_security_statement() -> SelectBase:
    # Without a problem the concatenation is null.
    found = row_security_table.c.table_name + literal_column("': '", Text) + row_security_table.c.problem
    return select(func.min(found).label("missing")).select_from(row_security_table)


@lru_cache(maxsize=1)
def _freshness_statement() -> SelectBase:
    # The clock of the database has set as_of; that of this machine may differ.
    age = extract("epoch", func.clock_timestamp() - as_of())
    return select(as_of().label("as_of"), cast(age, Float).label("age"))


class VersionRow(NamedTuple):
    """What every answer of a tenant begins with; `version` is None if the read model does not know the tenant."""

    as_of: datetime | None
    dead_letters: int | None
    version: bytes | None


def tenant_version(user_id: str) -> BoundStatement[VersionRow]:
    """Returns the statement of the version of a tenant."""
    return BoundStatement(_version_statement(), VersionRow, {"user_id": user_id})


@lru_cache(maxsize=1)
def _version_statement() -> Select[Any]:
    return select(*freshness_columns())


class TenantsRow(NamedTuple):
    """The ids of the first tenants in bytewise order, as a JSON array: one more than are listed, if there are more."""

    user_ids: bytes


def first_tenants() -> BoundStatement[TenantsRow]:
    """Returns the statement of the first tenants, which reads no more rows than it returns."""
    return BoundStatement(_tenants_statement(), TenantsRow, {})


@lru_cache(maxsize=1)
def _tenants_statement() -> SelectBase:
    first = (
        select(tenant_ids.c.user_id)
        .order_by(tenant_ids.c.user_id)
        .limit(constant(MOST_LISTED + 1))
        .subquery("i")
    )
    ids = func.coalesce(cast(func.json_agg(first.c.user_id), Text), literal_column("'[]'", Text))
    return select(ids.label("user_ids"))
