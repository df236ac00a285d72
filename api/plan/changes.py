"""The statements of the two change feeds: changed leads, and changes of statuses."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    DateTime,
    FromClause,
    SelectBase,
    Text,
    bindparam,
    cast,
    false,
    func,
    not_,
    select,
    true,
    tuple_,
    union_all,
)

from api.database import tables
from api.database.statement import BoundStatement, Freshness
from api.plan.history import members_of_change
from api.plan.list.filters import GivenFilter, conditions, given_filters
from api.plan.printed import printed_lead
from api.plan.sql import (
    LIMIT,
    USER,
    ZERO,
    constant,
    constant_text,
    freshness_columns,
    json_members,
    json_object,
    leads,
    same_lead,
    tenants,
    with_page,
)
from api.request.parameters import Parameters
from api.request.position.change_token import LEADS, STATUSES, Position, StatusKey, status_key
from api.request.text import read_moment

_MAX_CACHED_STATEMENTS = 256

_SINCE = tuple_(
    bindparam("since_version", type_=BigInteger),
    bindparam("since_phone", type_=Text),
)
_SINCE_STATUS = {
    "version": bindparam("since_version", type_=BigInteger),
    "customer_phone": bindparam("since_phone", type_=Text),
    "is_standing": bindparam("since_standing", type_=Boolean),
    "changed_at": bindparam("since_moment", type_=DateTime(timezone=True)),
}
"""The order of the changes of statuses, and the position in it.

Within a version and a lead, withdrawn changes come first. A client that keeps a copy by extraction and status would
otherwise lose a change that moved to an earlier moment: it would get the new one first, and then the withdrawal.
"""
_written = tables.leads.alias("w")
_deleted = tables.lead_tombstones.alias("g")
_changed = tables.lead_status_changes.alias("w")
_withdrawn = tables.status_change_tombstones.alias("g")
_place = tables.place_of_versions.alias("v")


@dataclass(slots=True)
class NowRow(Freshness):
    """The history of a tenant and its present version; None for a tenant that the read model does not know."""

    epoch: bytes | None
    newest: int | None
    pruned: int | None
    pruned_statuses: int | None
    place: bytes | None


@dataclass(slots=True)
class ChangesRow(NowRow):
    """The same columns, and a page of changes from the same snapshot: one more than asked for if there are more.

    Each change is printed after its version and a blank.
    """

    page: list[bytes]


def now_of(user_id: str) -> BoundStatement[NowRow]:
    """Return the statement of the present position of a tenant."""
    return BoundStatement(_NOW, NowRow, {"user_id": user_id})


def changes_since(user_id: str, since: Position, parameters: Parameters) -> BoundStatement[ChangesRow]:
    """Return the statement of the leads that changed after a position.

    A lead that is gone or does not pass the filters has no document.
    """
    filters, values = given_filters(parameters)
    bound = {"user_id": user_id, "limit": parameters.page.limit + 1, **values}
    bound |= {"since_version": since.version, "since_phone": since.key}
    return BoundStatement(_changes_statement(filters, parameters.printed_with), ChangesRow, bound)


def status_changes_since(user_id: str, since: Position, parameters: Parameters) -> BoundStatement[ChangesRow]:
    """Return the statement of the changes of statuses that were written or withdrawn after a position."""
    key = status_key(since.key)
    bound = {"user_id": user_id, "limit": parameters.page.limit + 1, "since_version": since.version}
    changed_at = read_moment(key.changed_at)[0] if key.changed_at else "-infinity"
    bound |= {
        "since_phone": key.customer_phone, "since_moment": changed_at, "since_standing": key.is_standing,
    }  # fmt: skip
    return BoundStatement(_status_changes_statement(), ChangesRow, bound)


@dataclass(frozen=True, slots=True)
class Feed:
    """One of the feeds: its name in tokens, its operation, the statement of a page, and the position of a change.

    `export` is the file with which a client begins, `pruned` the newest version whose changes were deleted.
    """

    name: str
    operation: str
    export: str
    changes_since: Callable[[str, Position, Parameters], BoundStatement[ChangesRow]]
    key_of: Callable[[dict[str, Any]], str]
    pruned: Callable[[NowRow], int | None]

    def position_of(self, printed: bytes) -> Position:
        """Return the position of a change of a page."""
        version, _, change = printed.partition(b" ")
        return Position(int(version), self.key_of(orjson.loads(change)))


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
    order = ("version", "customer_phone")
    return _page_of(ways, order, lambda page: _printed(page, filters, included))


def _page_of(
    ways: Iterable[FromClause], order: Iterable[str], printed: Callable[[FromClause], ColumnElement[str]]
) -> SelectBase:
    """Return the present position, and the next changes of several tables in one order, each after its version."""
    changed = union_all(*map(select, ways)).subquery("changed")
    page = select(changed).order_by(*(changed.c[name] for name in order)).limit(LIMIT).subquery("page_keys")
    change = cast(page.c.version, Text) + constant_text(" ") + printed(page)
    return with_page([*_NOW.selected_columns], [select(change).select_from(page)])


def _printed(
    keys: FromClause, filters: tuple[GivenFilter, ...], included: tuple[str, ...]
) -> ColumnElement[str]:
    """Return a change as JSON text."""
    rows = select(printed_lead(leads, included)).where(*same_lead(leads, keys), *conditions(filters, leads))
    document = rows.correlate(keys).scalar_subquery()
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
        tenants.c.pruned_status_version.label("pruned_statuses"),
    ),
    select(_place.c.place).scalar_subquery().label("place"),
)

FEEDS = {
    feed.name: feed
    for feed in (
        Feed(
            LEADS,
            "listLeadChanges",
            "leads.ndjson",
            changes_since,
            lambda change: change["customer_phone"],
            lambda row: row.pruned,
        ),
        Feed(
            STATUSES,
            "listStatusChanges",
            "leads/status-history.ndjson",
            status_changes_since,
            lambda change: StatusKey(
                change["customer_phone"], not change["withdrawn"], change["changed_at"]
            ).written(),
            lambda row: row.pruned_statuses,
        ),
    )
}


@lru_cache(maxsize=1)
def _status_changes_statement() -> SelectBase:
    """Return the changes in the order in which they were written."""
    ways = (_status_way(_changed, true()), _status_way(_withdrawn, false()))
    return _page_of(ways, _SINCE_STATUS, _printed_status)


def _status_way(table: FromClause, is_standing: ColumnElement[bool]) -> FromClause:
    """Return the next changes of a table."""
    columns = {**table.c, "is_standing": is_standing.label("is_standing")}
    # Version and phone, with which the order begins, are the range of the index.
    is_after = tuple_(*(columns[name] for name in _SINCE_STATUS)) > tuple_(*_SINCE_STATUS.values())
    return (
        select(*columns.values())
        .where(table.c.user_id == USER, table.c.version > ZERO, is_after)
        .order_by(table.c.version, table.c.customer_phone, table.c.changed_at)
        .limit(LIMIT)
        .subquery("standing" if table is _changed else "withdrawn")
    )


def _printed_status(page: FromClause) -> ColumnElement[str]:
    """Return a change of a status as JSON text."""
    before = tables.lead_status_changes.alias("b")
    from_status = (
        select(before.c.lead_status)
        .where(*same_lead(before, page), before.c.changed_at < page.c.changed_at, page.c.is_standing)
        .order_by(before.c.changed_at.desc())
        .limit(constant(1))
        .correlate(page)
        .scalar_subquery()
    )
    status = func.nullif(page.c.lead_status, constant_text(""))
    members = members_of_change(page, from_status=from_status, lead_status=status)
    return json_object(customer_phone=page.c.customer_phone, **members, withdrawn=not_(page.c.is_standing))
