"""The statements about the read model and about a tenant as a whole. They read no lead."""

from datetime import datetime
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, Label, Text, cast, extract, false, func, select

from api.database.statement import BoundStatement, TenantNowRow
from api.database.tables import late_tenants, projection, row_security, tenant_ids
from api.plan.sql import as_of, constant, constant_text, freshness_columns

# How many tenants the page for people offers, where the API does not authenticate.
MOST_LISTED = 100


class ProjectionRow(NamedTuple):
    """The state of the read model, of its verify and of its rebuild.

    `installed` is 0 before `migrate` has installed the read model. `proved_at` is when a verify last compared
    everything, `round_done` the fraction of the present round that is done; None between two rounds. `open_differences`
    counts what differs now, `found_differences` what ever differed. `unfilled` is as in Freshness. `rebuild_done` is
    the fraction of the present rebuild that is done; None without one. `gap_fills` is a clause that says what the
    rebuild fills, if `migrate` opened the gap. Data older than `late_after` seconds are late; None while that is not
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
    # Aggregates, so that there is a row even if the table has none.
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
    # By the clock of the database, which set the moment; the clock of this machine may differ.
    return cast(extract("epoch", func.clock_timestamp() - moment), Float).label("age")


# The freshness of all tenants that are not late.
FRESHNESS = BoundStatement(select(as_of().label("as_of"), _age(as_of())), FreshnessRow)


class LateRow(NamedTuple):
    """How many tenants are late, None where the API cannot know; and the age of the oldest data, in seconds."""

    tenants: int | None
    age: float | None


LATE_TENANTS = BoundStatement(select(late_tenants.c.tenants, _age(late_tenants.c.as_of)), LateRow)


class TablesRow(NamedTuple):
    """A row shows that all tables can be read. `unprotected` names the first table that lacks row security, and why."""

    rows: int
    unprotected: bytes | None


# It reads no row, and fails unless it may read every column of every table.
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
    """One text, or None."""

    text: bytes | None


_NOW = select(*freshness_columns(), func.clock_timestamp().label("clock"))


def tenant_now(user_id: str) -> BoundStatement[TenantNowRow]:
    """Return the statement of the version and the name of a tenant, and of the clock."""
    return BoundStatement(_NOW, TenantNowRow, {"user_id": user_id})


_first = (
    select(tenant_ids.c.user_id).order_by(tenant_ids.c.user_id).limit(constant(MOST_LISTED + 1)).subquery("i")
)
# The ids of the first tenants in bytewise order as a JSON array; one more than are listed, if there are more. The
# statement reads no more rows than it returns.
FIRST_TENANTS = BoundStatement(select(cast(func.json_agg(_first.c.user_id), Text).label("text")), TextRow)
