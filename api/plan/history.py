"""The statements about changes of statuses: the history of a lead, and the funnel of all leads."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import (
    ColumnElement,
    Double,
    FromClause,
    Select,
    SelectBase,
    Text,
    cast,
    func,
    literal_column,
    null,
    select,
    true,
    union_all,
)

from api.database.statement import BoundStatement, Freshness
from api.plan.list.filters import UNKNOWN_TIME
from api.plan.printed import printed_time
from api.plan.sql import (
    LIMIT,
    OFFSET,
    USER,
    ZERO,
    PageRow,
    bounds_of,
    constant_text,
    count_of,
    freshness_columns,
    json_object,
    lead_conversations,
    leads,
    moment,
    of_lead,
    same_lead,
    status_changes,
    with_page,
    within,
)
from api.request.lead import PLATFORMS
from api.request.parameters import Parameters

_MAX_CACHED_STATEMENTS = 64
# The statuses in the order of a funnel.
_STEPS = ("Cold", "Warm", "Hot")
CHANGE_KEYS = ("changed_at", "from_status", "lead_status", "total_score", "extraction_id", "conversation_id")


@dataclass(slots=True)
class HistoryRow(Freshness):
    """A page of the changes of the status of a lead; `is_there` is false if the tenant has no such lead."""

    is_there: bool
    total: int
    page: list[bytes]


def history_of_lead(user_id: str, customer_phone: str, parameters: Parameters) -> BoundStatement[HistoryRow]:
    """Return the statement of a page of the changes of the status of a lead, newest first."""
    page = parameters.page
    values = {"user_id": user_id, "customer_phone": customer_phone, "limit": page.rows_to_read}
    if page.position is not None:
        [values["cursor_changed_at"]] = page.position
    if page.offset:
        values["offset"] = page.offset
    statement = _history(has_cursor=page.position is not None, has_offset=page.offset > 0)
    return BoundStatement(statement, HistoryRow, values)


@lru_cache(maxsize=4)
def _history(*, has_cursor: bool, has_offset: bool) -> SelectBase:
    changes = with_from_status(select(status_changes).where(*of_lead(status_changes))).cte("changes")
    rows = select(printed_change(changes)).order_by(changes.c.changed_at.desc()).limit(LIMIT)
    if has_cursor:
        rows = rows.where(changes.c.changed_at < moment("cursor_changed_at"))
    if has_offset:
        rows = rows.offset(OFFSET)
    page = rows.subquery("page_rows")
    is_there = select(func.count() > ZERO).where(*of_lead(leads))
    head = (
        *freshness_columns(),
        is_there.scalar_subquery().label("is_there"),
        count_of(changes).label("total"),
    )
    return with_page(head, [select(page.c.printed)])


def with_from_status(changes: Select[Any]) -> Select[Any]:
    """Return changes of statuses, each with the previous status of its lead."""
    rows = changes.subquery("rows")
    before = func.lag(rows.c.lead_status).over(partition_by=rows.c.customer_phone, order_by=rows.c.changed_at)
    return select(rows, before.label("from_status"))


def members_of_change(changes: FromClause, **computed: ColumnElement[Any]) -> dict[str, ColumnElement[Any]]:
    """Return the printed values of a change of a status by their keys: columns, unless they are computed."""
    computed["changed_at"] = printed_time(changes.c.changed_at)
    return {key: computed[key] if key in computed else changes.c[key] for key in CHANGE_KEYS}


def printed_change(changes: FromClause) -> ColumnElement[str]:
    """Return a change of a status as JSON text, called `printed`."""
    return json_object(**members_of_change(changes)).label("printed")


def lead_funnel(user_id: str, parameters: Parameters) -> BoundStatement[PageRow]:
    """Return the statement of the funnel: a JSON array for all leads, and one for each platform or agent."""
    bounds = bounds_of(parameters)
    statement = _funnel(parameters.divided_by, frozenset(bounds))
    return BoundStatement(statement, PageRow, {"user_id": user_id, **bounds})


@lru_cache(maxsize=_MAX_CACHED_STATEMENTS)
def _funnel(divided_by: str | None, bounds: frozenset[str]) -> SelectBase:
    chosen = [leads.c.user_id == USER, *within(leads.c.first_contact_at, bounds)]
    # The index by first_contact_at has these columns.
    names = ("first_contact_at", "lead_status", "first_warm_at", "first_hot_at", "was_cold")
    flags = [f"on_{platform}" for platform in PLATFORMS]
    found = (
        select(*(leads.c[name] for name in ("customer_phone", *names, *flags))).where(*chosen).cte("found")
    )
    parts: list[Select[Any]] = [_numbers(cast(null(), Text), found)]
    if divided_by == "platform":
        parts += [
            _numbers(constant_text(platform), found).where(found.c[f"on_{platform}"])
            for platform in PLATFORMS
        ]
    elif divided_by == "agent":
        conversation = lead_conversations.c
        # LATERAL, because PostgreSQL would compare each lead with each conversation in a plain join.
        pairs = (
            select(conversation.agent_id)
            .where(*same_lead(lead_conversations, found), conversation.agent_id.is_not(None))
            .distinct()
            .lateral("pairs")
        )
        joined = found.join(pairs, true())
        parts.append(_numbers(pairs.c.agent_id, found, joined).group_by(pairs.c.agent_id))
    rows = (union_all(*parts) if parts[1:] else parts[0]).subquery("numbers")
    return with_page(freshness_columns(), [select(cast(rows.c.line, Text))])


def _numbers(name: ColumnElement[str], found: FromClause, source: FromClause | None = None) -> Select[Any]:
    """Return one row: a JSON array of a name, and the numbers of these leads as `printed_funnel` reads them."""
    was = (found.c.was_cold, found.c.first_warm_at.is_not(None), found.c.first_hot_at.is_not(None))
    is_ever = dict(zip(_STEPS, was, strict=True))
    counts = [func.count().filter(condition) for condition in is_ever.values()]
    counts += [func.count().filter(found.c.lead_status == constant_text(status)) for status in is_ever]
    hours = [_hours_to(found, column) for column in ("first_warm_at", "first_hot_at")]
    line = func.json_build_array(name, func.count(), *counts, *hours).label("line")
    return select(line).select_from(found if source is None else source)


def _hours_to(found: FromClause, column: str) -> ColumnElement[Any]:
    """Return the median and the 90th percentile of the hours from the first contact to a moment, as an array."""
    reached = found.c[column]
    seconds = func.extract("epoch", reached - found.c.first_contact_at)
    hours = func.greatest(literal_column("0"), seconds / literal_column("3600"))
    percentiles = func.percentile_cont(literal_column("ARRAY[0.5, 0.9]")).within_group(cast(hours, Double))
    # A null is excluded too.
    return percentiles.filter(reached > UNKNOWN_TIME)


def printed_funnel(lines: Sequence[bytes], divided_by: str | None) -> dict[str, object]:
    """Return the funnel of the lines of its statement."""
    whole, *parts = map(orjson.loads, lines)
    funnel = _printed_numbers(whole)
    if divided_by is None:
        return funnel
    return funnel | {f"by_{divided_by}": {part[0]: _printed_numbers(part) for part in parts}}


def _printed_numbers(line: Sequence[Any]) -> dict[str, object]:
    _, total, *numbers, to_warm, to_hot = line
    ever, now = (dict(zip(_STEPS, part, strict=True)) for part in (numbers[:3], numbers[3:]))
    hours = {
        status: dict(zip(("p50", "p90"), _rounded(of_status), strict=True))
        for status, of_status in (("Warm", to_warm), ("Hot", to_hot))
    }
    return {
        "leads": total, "ever": ever, "now": now | {"none": total - sum(now.values())}, "hours_to": hours,
    }  # fmt: skip


def _rounded(hours: Sequence[float] | None) -> Sequence[float | None]:
    return (None, None) if hours is None else [round(float(number), 2) for number in hours]
