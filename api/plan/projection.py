"""The statements about the read model as a whole, and about a tenant as a whole; they read no lead."""

from datetime import datetime
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, Label, Text, cast, extract, false, func, select

from api.database.statement import BoundStatement, TenantNowRow
from api.database.tables import late_tenants, projection, row_security, tenant_ids
from api.plan.sql import as_of, constant, constant_text, freshness_columns

# Tenants that the pages for people offer, where the API asks nobody who calls.
MOST_LISTED = 100


class ProjectionRow(NamedTuple):
    """The state of the read model, and how far the verify is.

    `installed` is 0 before the projector has installed it. `proved_at` is when everything was compared last,
    `round_done` the part of the present round that is done; None before the first, and between two. The differences
    count what differs now, and what ever did. `unfilled` is as in an answer, and `rebuild_done` the part of the present
    rebuild of everything that is done; None while there is none. `gap_fills` says what it fills, as a clause, where a
    migrate opened the gap. The data are late once they are older than `late_after`, in seconds; None while that is not
    known.
    """

    installed: int
    built_at: datetime | None
    capture_gap: bytes | None
    feed_problem: bytes | None
    proved_at: datetime | None
    round_done: float | None
    open_differences: int
    found_differences: int
    unfilled: bytes | None
    rebuild_done: float | None
    gap_fills: bytes | None
    late_after: float | None


PROJECTION_STATE = BoundStatement(
    # Aggregates of the only row, so that there is one without it too.
    select(
        func.count().label("installed"),
        func.max(projection.c.built_at).label("built_at"),
        func.max(projection.c.capture_gap).label("capture_gap"),
        func.max(projection.c.feed_problem).label("feed_problem"),
        func.max(projection.c.proved_at).label("proved_at"),
        func.max(projection.c.round_done).label("round_done"),
        func.coalesce(func.max(projection.c.open_differences), 0).label("open_differences"),
        func.coalesce(func.max(projection.c.found_differences), 0).label("found_differences"),
        func.max(cast(projection.c.unfilled, Text)).label("unfilled"),
        func.max(projection.c.rebuild_done).label("rebuild_done"),
        func.max(projection.c.gap_fills).label("gap_fills"),
        func.max(projection.c.late_after_seconds).label("late_after"),
    ).select_from(projection),
    ProjectionRow,
)


class FreshnessRow(NamedTuple):
    """The moment up to which the read model contains every change, and its age in seconds by the database's clock."""

    as_of: datetime | None
    age: float | None


def _age(moment: ColumnElement[Any]) -> Label[float]:
    # The clock of the database has set the moment; that of this machine may differ.
    return cast(extract("epoch", func.clock_timestamp() - moment), Float).label("age")


# For all tenants that are not late.
FRESHNESS = BoundStatement(select(as_of().label("as_of"), _age(as_of())), FreshnessRow)


class LateRow(NamedTuple):
    """How many tenants are late; None where the API cannot know. And the age of the data of the latest, in seconds."""

    tenants: int | None
    age: float | None


LATE_TENANTS = BoundStatement(select(late_tenants.c.tenants, _age(late_tenants.c.as_of)), LateRow)


class TablesRow(NamedTuple):
    """An answer of all tables: that there is one shows that they can be read. And what row security lacks, if anything.

    That is of the first table that lacks something.
    """

    rows: int
    unprotected: bytes | None


# It reads no row of a table, and fails unless every table with every column of it can be read.
TABLES_STATE = BoundStatement(
    select(
        reduce(
            add,
            (
                select(func.count()).select_from(select(table).where(false()).subquery()).scalar_subquery()
                for table in projection.metadata.sorted_tables
            ),
        ).label("rows"),
        # Without a problem the concatenation is null.
        func.min(row_security.c.table_name + constant_text(": ") + row_security.c.problem).label(
            "unprotected"
        ),
    ).select_from(row_security),
    TablesRow,
)


class TextRow(NamedTuple):
    """One text, or None where there is nothing to say."""

    text: bytes | None


_NOW = select(*freshness_columns(), func.clock_timestamp().label("clock"))


def tenant_now(user_id: str) -> BoundStatement[TenantNowRow]:
    """Return the statement of the version and the name of a tenant, and of the clock."""
    return BoundStatement(_NOW, TenantNowRow, {"user_id": user_id})


_first = (
    select(tenant_ids.c.user_id).order_by(tenant_ids.c.user_id).limit(constant(MOST_LISTED + 1)).subquery("i")
)
# The ids of the first tenants in bytewise order, as a JSON array: one more than are listed, if there are more. It reads
# no more rows than it returns.
FIRST_TENANTS = BoundStatement(select(cast(func.json_agg(_first.c.user_id), Text).label("text")), TextRow)
