"""Parts of SQL that several statements share."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    BindParameter,
    Boolean,
    ColumnElement,
    DateTime,
    FromClause,
    Integer,
    Label,
    ScalarSelect,
    Select,
    SelectBase,
    Text,
    and_,
    any_,
    bindparam,
    case,
    cast,
    func,
    literal_column,
    null,
    or_,
    select,
    union_all,
)
from sqlalchemy.types import UserDefinedType

from api.database import tables
from api.database.statement import PAGE, Freshness
from api.database.tables import SHARDS
from api.request.parameters import Parameters
from api.request.text import next_millisecond

Condition = ColumnElement[bool]

# Short names keep the statements readable in PostgreSQL's log and in pg_stat_activity.
leads = tables.leads.alias("l")
lead_profiles = tables.lead_profiles.alias("p")
lead_conversations = tables.lead_conversations.alias("c")
lead_messages = tables.lead_messages.alias("m")
message_lines = tables.message_lines.alias("m")
lead_counts = tables.lead_counts.alias("s")
lead_daily_counts = tables.lead_daily_counts.alias("d")
lead_totals = tables.lead_totals.alias("n")
attribute_counts = tables.attribute_counts.alias("e")
message_counts = tables.message_counts.alias("h")
tenant_totals = tables.lead_totals.alias("a")
status_changes = tables.lead_status_changes.alias("j")
freshness = tables.freshness.alias("f")
tenants = tables.tenants.alias("t")
tenant_names = tables.tenant_names.alias("b")
projection = tables.projection.alias("z")


# The name of a tenant is sent in a header, where 100 characters take at most 1,200 bytes.
_MOST_OF_NAME = literal_column("100", Integer)


class _AsSent(UserDefinedType[Any]):
    """A value that needs no cast: the driver sends its type, or PostgreSQL takes it from the column next to it."""

    cache_ok = True


AS_SENT = _AsSent()
USER = bindparam("user_id", type_=AS_SENT)
PHONE = bindparam("customer_phone", type_=AS_SENT)
# The lead or the message after which a page begins.
CURSOR_PHONE = bindparam("cursor_phone", type_=AS_SENT)
LIMIT = bindparam("limit", type_=Integer)
OFFSET = bindparam("offset", type_=BigInteger)
ZERO = literal_column("0", Integer)
# The API trims these characters from both ends of a value.
WHITE_SPACE = func.concat(
    *(func.chr(literal_column(str(code), Integer)) for code in (32, 9, 10, 11, 12, 13, 160))
)
UTC_NAME = literal_column("'UTC'", Text)
TIME_FORMAT = literal_column("""'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'""", Text)


def moment(name: str) -> BindParameter[Any]:
    """Return the parameter of a moment or a date."""
    return bindparam(name, type_=AS_SENT)


def between(column: ColumnElement[Any], start: ColumnElement[Any], end: ColumnElement[Any]) -> Condition:
    """Return the condition that a column lies from `start` to before `end`."""
    return (column >= start) & (column < end)


def constant(number: int) -> ColumnElement[int]:
    """Return a number that is part of the statement's text."""
    return literal_column(str(number), Integer)


def constant_text(text: str) -> ColumnElement[str]:
    """Return a text that is part of the statement's text."""
    return literal_column(f"'{text}'", Text)


def bounds_of(parameters: Parameters) -> dict[str, object]:
    """Return the values of the time range of a request: `start`, and `end`, before which it ends; none if not given."""
    bounds = {
        "start": parameters.from_date,
        "end": parameters.to_date and next_millisecond(parameters.to_date),
    }
    return {name: bound for name, bound in bounds.items() if bound is not None}


def within(column: ColumnElement[Any], bounds: Collection[str]) -> list[Condition]:
    """Return the conditions that a column lies within those of `start` and `end` that are given."""
    conditions = {"start": column >= moment("start"), "end": column < moment("end")}
    return [condition for name, condition in conditions.items() if name in bounds]


def of_lead(table: FromClause) -> list[Condition]:
    """Return the conditions for the rows of one lead."""
    return [table.c.user_id == USER, table.c.customer_phone == PHONE]


def same_lead(table: FromClause, keys: FromClause) -> list[Condition]:
    """Return the conditions for the rows of `table` that belong to the lead of a row of `keys`."""
    return [table.c.user_id == USER, table.c.customer_phone == keys.c.customer_phone]


def any_row(table: FromClause, *where: Condition) -> ScalarSelect[bool]:
    """Return true if any row of a table meets the conditions, else null.

    PostgreSQL would turn EXISTS into a join, and lose the order of the leads.
    """
    row = select(literal_column("true", Boolean)).where(*where).limit(constant(1))
    return row.correlate_except(table).scalar_subquery()


def sum_of(column: ColumnElement[Any], condition: Condition | None = None) -> ColumnElement[int]:
    """Return the sum as a bigint, 0 without any row."""
    total = func.sum(column)
    return func.coalesce(cast(total if condition is None else total.filter(condition), BigInteger), ZERO)


def count_of(rows: FromClause) -> ScalarSelect[int]:
    """Return the number of rows."""
    return select(func.count()).select_from(rows).scalar_subquery()


def has_granularity(totals: FromClause, granularity: str) -> Condition:
    """Return the condition for the tenant's rows of lead_totals that count by hour, by day, or all leads."""
    return and_(totals.c.user_id == USER, totals.c.granularity == constant_text(granularity))


def is_tenant_total() -> Condition:
    """Return the condition for the one row of `tenant_totals`; a tenant without leads has no such row."""
    return and_(
        has_granularity(tenant_totals, "all"), tenant_totals.c.bucket_start == literal_column("'-infinity'")
    )


def tenant_total() -> ColumnElement[int]:
    """Return how many leads the tenant has."""
    return func.coalesce(select(tenant_totals.c.leads).where(is_tenant_total()).scalar_subquery(), ZERO)


# The clock as it is now: the snapshot may have a moment that another session committed after the statement began. The
# clock of a standby may be behind that of the primary, which sets the moments. So a standby also believes a primary
# whose clock was set back by less than 5 s, until the projector has corrected the moments.
_REACHED: ColumnElement[Any] = literal_column(
    "clock_timestamp() + CASE WHEN pg_is_in_recovery() THEN interval '5 s' ELSE interval '0' END"
)
_NOTHING_CLAIMED = literal_column("'epoch'::timestamptz", DateTime(timezone=True))


def as_of(*late: ColumnElement[Any]) -> ScalarSelect[Any]:
    """Return the moment up to which the read model contains every change; null before the first build.

    It holds for each tenant that is not late. For a tenant that may be late, `late` is its own moment, or null. A
    moment ahead of the clock was set before the clock was set back, and means nothing: if any shard has one,
    the result is 'epoch'. The result is also 'epoch' if the clock is behind the newest time that the
    projector has read from it.
    """
    shards = freshness.c.shards
    compared = func.array_append(shards, freshness.c.newest_clock)
    is_ahead = any_(func.array_append(compared, *late) if late else compared) > _REACHED
    # Element by element, because reading the array as rows takes as long as all the rest.
    least = func.least(*(shards[constant(number)] for number in range(1, SHARDS + 1)), *late)
    is_void = or_(is_ahead, func.cardinality(shards) != constant(SHARDS))
    claimed = select(case((is_void, _NOTHING_CLAIMED), else_=least)).select_from(freshness)
    return claimed.correlate_except(freshness).scalar_subquery()


def unfilled() -> Label[str]:
    """Return the parts of the read model that no build has filled, as JSON text; null for none."""
    return select(cast(projection.c.unfilled, Text)).scalar_subquery().label("unfilled")


def freshness_columns(*more: Label[Any]) -> tuple[ColumnElement[Any], ...]:
    """Return the columns that each answer begins with: as_of, dead_letters, version, tenant_name and unfilled.

    `more` are further columns of `tenants`.

    A statement sees the version of a tenant and its rows in one snapshot, and so the rows of this very version.
    """
    # One row for an unknown tenant too. A subquery for each of the columns would look the tenant up twice.
    row = select(constant(1).label("one")).subquery("one")
    dash = constant_text("-")
    version = cast(tenants.c.version, Text) + dash + cast(tenants.c.version_id, Text)
    version += dash + cast(tenants.c.epoch, Text)
    tenant = (
        select(tenants.c.dead_letters, version.label("version"), tenants.c.late_as_of, *more)
        .select_from(row.outerjoin(tenants, tenants.c.user_id == USER))
        .subquery("known")
    )
    named = func.left(tenant_names.c.name, _MOST_OF_NAME)
    name = select(named).where(tenant_names.c.user_id == USER).scalar_subquery()
    return (
        as_of(tenant.c.late_as_of).label("as_of"),
        tenant.c.dead_letters,
        tenant.c.version,
        name.label("tenant_name"),
        unfilled(),
        *(tenant.c[extra.key] for extra in more),
    )


def json_members(**values: ColumnElement[Any]) -> ColumnElement[str]:
    """Return members of a JSON object as text, separated by commas: `"key":value,"other":null`."""
    parts: list[ColumnElement[str]] = []
    for key, value in values.items():
        parts.append(constant_text(f'{"," if parts else ""}"{key}":'))
        parts.append(func.coalesce(cast(func.to_json(value), Text), constant_text("null")))
    return reduce(add, parts)


def json_object(**values: ColumnElement[Any]) -> ColumnElement[str]:
    """Return a JSON object as text."""
    return constant_text("{") + json_members(**values) + constant_text("}")


class LimitOffset(NamedTuple):
    """Which rows of an order are the page; a limit of 0 reads none."""

    limit: ColumnElement[Any]
    offset: ColumnElement[Any] | None

    def of(self, rows: Select[Any]) -> Select[Any]:
        """Return these rows of an ordered select."""
        return rows.limit(self.limit) if self.offset is None else rows.limit(self.limit).offset(self.offset)


@dataclass(slots=True)
class PageRow(Freshness):
    """All results of a request, in a single page."""

    page: list[bytes]


def with_page(head: Sequence[ColumnElement[Any]], page: Sequence[Select[Any]]) -> SelectBase:
    """Return one row with the head, followed by a row with the column `page` for each row that a part of it prints.

    PostgreSQL would copy a page of leads several times to aggregate it to one text. The rows keep this order because
    no part of the statement runs in parallel.
    """
    first = select(*head, cast(null(), Text).label(PAGE))
    nulls = [null() for _ in head]
    return union_all(first, *(part.with_only_columns(*nulls, *part.selected_columns) for part in page))


def lookup_by_key(expression: ColumnElement[Any], keys: FromClause, table: FromClause) -> ScalarSelect[Any]:
    """Return an expression on the row of `table` whose key is the current row of `keys`."""
    return select(expression).where(*same_lead(table, keys)).correlate(keys).scalar_subquery()
