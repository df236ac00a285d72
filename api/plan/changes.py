"""The statements of the change feed."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Label,
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
from api.plan.sql import (
    LIMIT,
    USER,
    Condition,
    constant,
    constant_text,
    count_of,
    freshness_columns,
    json_members,
    leads,
    tenants,
    with_page,
)
from api.request.change_token import Position
from api.request.parameters import Parameters

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

    place: bytes | None
    epoch: bytes | None
    newest: int | None
    pruned: int | None


@dataclass(slots=True)
class ChangesRow(NowRow):
    """The same in the snapshot of a page of changes, and the position of the last one of the page."""

    last_version: int | None
    last_phone: bytes | None
    has_more: bool
    page: list[bytes]


def now_of(user_id: str) -> BoundStatement[NowRow]:
    """Returns the statement of the present position of a tenant."""
    return BoundStatement(_NOW, NowRow, {"user_id": user_id})


def changes_since(
    user_id: str, since: Position, parameters: Parameters, *, with_versions: bool = False
) -> BoundStatement[ChangesRow]:
    """Returns the statement of the leads that changed after a position.

    A lead that went, or that does not pass the filters, has no document. With versions, each change is printed behind
    its version and a blank.
    """
    filters, values = given_filters(parameters)
    given = {"user_id": user_id, "limit": parameters.page.limit, **values}
    given |= {"since_version": since.version, "since_phone": since.customer_phone}
    return BoundStatement(_changes_statement(filters, with_versions=with_versions), ChangesRow, given)


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _changes_statement(filters: tuple[GivenFilter, ...], *, with_versions: bool) -> SelectBase:
    one_more = LIMIT + constant(1)
    ways = (
        select(table.c.version, table.c.customer_phone)
        .where(table.c.user_id == USER, tuple_(table.c.version, table.c.customer_phone) > _SINCE)
        .order_by(table.c.version, table.c.customer_phone)
        .limit(one_more)
        .subquery(name)
        for table, name in ((_written, "written"), (_deleted, "deleted"))
    )
    changed = union_all(*(select(way.c.version, way.c.customer_phone) for way in ways)).cte("changed")
    page = (
        select(changed.c.version, changed.c.customer_phone)
        .order_by(changed.c.version, changed.c.customer_phone)
        .limit(LIMIT)
        .cte("page_keys")
    )
    last = select(page).order_by(page.c.version.desc(), page.c.customer_phone.desc()).limit(constant(1))
    head = [
        *_NOW.selected_columns,
        last.with_only_columns(page.c.version).scalar_subquery().label("last_version"),
        last.with_only_columns(page.c.customer_phone).scalar_subquery().label("last_phone"),
        (count_of(changed) > LIMIT).label("has_more"),
    ]
    in_order = (
        select(page.c.version, page.c.customer_phone)
        .order_by(page.c.version, page.c.customer_phone)
        .subquery("in_order")
    )
    printed = _printed(in_order, filters)
    if with_versions:
        printed = cast(in_order.c.version, Text) + constant_text(" ") + printed
    return with_page(head, [select(printed).select_from(in_order)])


def _printed(keys: FromClause, filters: tuple[GivenFilter, ...]) -> ColumnElement[str]:
    """Returns a change as JSON text."""
    same: list[Condition] = [leads.c.user_id == USER, leads.c.customer_phone == keys.c.customer_phone]
    document = (
        select(leads.c.document).where(*same, *conditions(filters, leads)).correlate(keys).scalar_subquery()
    )
    there = constant_text(',"deleted":false,"lead":') + document + constant_text("}")
    gone = constant_text(',"deleted":true,"lead":null}')
    return (
        constant_text("{") + json_members(customer_phone=keys.c.customer_phone) + func.coalesce(there, gone)
    )


def _of_tenant(column: ColumnElement[Any], name: str) -> Label[Any]:
    return select(column).where(tenants.c.user_id == USER).scalar_subquery().label(name)


_NOW = select(
    *freshness_columns(),
    select(_place.c.place).scalar_subquery().label("place"),
    _of_tenant(cast(tenants.c.epoch, Text), "epoch"),
    _of_tenant(tenants.c.version, "newest"),
    _of_tenant(tenants.c.pruned_version, "pruned"),
)
