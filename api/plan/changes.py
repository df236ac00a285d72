"""The statements of the change feed."""

from dataclasses import dataclass
from functools import lru_cache

import orjson
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    SelectBase,
    Text,
    bindparam,
    cast,
    func,
    select,
    tuple_,
    union_all,
)

from api.database import tables
from api.database.statement import BoundStatement, Freshness
from api.plan.list.filters import GivenFilter, conditions, given_filters
from api.plan.printed import printed_lead
from api.plan.sql import (
    LIMIT,
    USER,
    Condition,
    constant_text,
    freshness_columns,
    json_members,
    leads,
    tenants,
    with_page,
)
from api.request.parameters import Parameters
from api.request.position.change_token import Position

_MAX_CACHED_STATEMENTS = 256

_SINCE = tuple_(
    bindparam("since_version", type_=BigInteger),
    bindparam("since_phone", type_=Text),
)
_written = tables.leads.alias("w")
_deleted = tables.lead_tombstones.alias("g")
_place = tables.place_of_versions.alias("v")


@dataclass(slots=True)
class NowRow(Freshness):
    """The history of a tenant and its present version; None for a tenant that the read model does not know."""

    epoch: bytes | None
    newest: int | None
    pruned: int | None
    place: bytes | None


@dataclass(slots=True)
class ChangesRow(NowRow):
    """The same in the snapshot of a page of changes, and one change more than asked for if there are more.

    Each is printed behind its version and a blank.
    """

    page: list[bytes]


def now_of(user_id: str) -> BoundStatement[NowRow]:
    """Return the statement of the present position of a tenant."""
    return BoundStatement(_NOW, NowRow, {"user_id": user_id})


def changes_since(user_id: str, since: Position, parameters: Parameters) -> BoundStatement[ChangesRow]:
    """Return the statement of the leads that changed after a position.

    A lead that went, or that does not pass the filters, has no document.
    """
    filters, values = given_filters(parameters)
    bound = {"user_id": user_id, "limit": parameters.page.limit + 1, **values}
    bound |= {"since_version": since.version, "since_phone": since.customer_phone}
    return BoundStatement(_changes_statement(filters, parameters.printed_with), ChangesRow, bound)


def position_of_change(printed: bytes) -> Position:
    """Return the position of a change of a page."""
    version, _, change = printed.partition(b" ")
    return Position(int(version), orjson.loads(change)["customer_phone"])


def json_of_change(printed: bytes) -> bytes:
    """Return a change of a page as JSON."""
    return printed.partition(b" ")[2]


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _changes_statement(filters: tuple[GivenFilter, ...], included: tuple[str, ...]) -> SelectBase:
    ways = (
        select(table.c.version, table.c.customer_phone)
        .where(table.c.user_id == USER, tuple_(table.c.version, table.c.customer_phone) > _SINCE)
        .order_by(table.c.version, table.c.customer_phone)
        .limit(LIMIT)
        .subquery(name)
        for table, name in ((_written, "written"), (_deleted, "deleted"))
    )
    changed = union_all(*(select(way.c.version, way.c.customer_phone) for way in ways)).subquery("changed")
    page = (
        select(changed)
        .order_by(changed.c.version, changed.c.customer_phone)
        .limit(LIMIT)
        .subquery("page_keys")
    )
    printed = cast(page.c.version, Text) + constant_text(" ") + _printed(page, filters, included)
    return with_page([*_NOW.selected_columns], [select(printed).select_from(page)])


def _printed(
    keys: FromClause, filters: tuple[GivenFilter, ...], included: tuple[str, ...]
) -> ColumnElement[str]:
    """Return a change as JSON text."""
    same: list[Condition] = [leads.c.user_id == USER, leads.c.customer_phone == keys.c.customer_phone]
    document = (
        select(printed_lead(leads, included))
        .where(*same, *conditions(filters, leads))
        .correlate(keys)
        .scalar_subquery()
    )
    there = constant_text(',"deleted":false,"lead":') + document + constant_text("}")
    gone = constant_text(',"deleted":true,"lead":null}')
    return (
        constant_text("{") + json_members(customer_phone=keys.c.customer_phone) + func.coalesce(there, gone)
    )


_NOW = select(
    *freshness_columns(
        cast(tenants.c.epoch, Text).label("epoch"),
        tenants.c.version.label("newest"),
        tenants.c.pruned_version.label("pruned"),
    ),
    select(_place.c.place).scalar_subquery().label("place"),
)
