"""The statement of GET /users/{user_id}/leads, and which way it takes to its page.

`ways.py` has the ways themselves.

PostgreSQL plans each statement once, for tenants of every size. So a page is read in the order of an index. Where that
could read many leads before the page, the time buckets that it lies in are picked first; where few leads match, these
are collected and sorted. Only the counts within the statement tell that few match: the statement then says so instead
of returning the page, and a second statement returns the whole answer. One statement for both would open, at each
request, the tables and indexes of the way that it does not take.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import CTE, ColumnElement, Select, SelectBase, and_, case, false, func, not_, select

from api.database.statement import BoundStatement, Freshness
from api.plan.list.counts import counts
from api.plan.list.filters import FILTERS, conditions
from api.plan.list.plan import ListPlan, plan_list
from api.plan.list.ways import (
    all_matches,
    by_buckets,
    collected,
    documents,
    found_and_sorted,
    in_order,
    sorted_page,
)
from api.plan.sql import (
    LIMIT,
    OFFSET,
    USER,
    ZERO,
    LimitOffset,
    constant,
    count_of,
    freshness_columns,
    leads,
    tenant_total,
    with_page,
)
from api.plan.time_buckets import DAYS, stands_until
from api.request.parameters import Parameters

_MAX_CACHED_PLANS = 512

# Matches are collected if reading in order would pass more leads than this, and this many leads for each match.
MIN_LEADS_PASSED = 10_000
MIN_LEADS_PASSED_A_MATCH = 8


@dataclass(slots=True)
class ListRow(Freshness):
    """A page of leads; if `collect_matches` is true it is empty, and the same list with that option has it."""

    total: int
    collect_matches: bool
    # The last moment at which the leads of the last `days` are the same, unless one changes; None for ever.
    stands_until: datetime | None
    page: list[bytes]


def list_leads(
    user_id: str, parameters: Parameters, now: datetime | None = None, *, collect_matches: bool = False
) -> BoundStatement[ListRow]:
    """Returns the statement of a page of leads."""
    plan, values = plan_list(parameters, now)
    if collect_matches:
        plan = replace(plan, collect_matches=True)
    return BoundStatement(list_statement(plan), ListRow, {"user_id": user_id, **values})


@lru_cache(maxsize=_MAX_CACHED_PLANS)
def list_statement(plan: ListPlan) -> SelectBase:
    """Returns the statement of a plan, whose columns are the fields of ListRow."""
    total, page, collect_matches = _parts(plan)
    until = stands_until(*([DAYS] if plan.has_time_range else []))
    head = (total.label("total"), collect_matches.label("collect_matches"), until)
    return with_page([*freshness_columns(), *head], page)


# The total, the page, and whether the page has to be asked for again with `collect_matches`.
_Parts = tuple[ColumnElement[int], list[Select[Any]], ColumnElement[bool]]


def _parts(plan: ListPlan) -> _Parts:
    page = LimitOffset(LIMIT, OFFSET if plan.has_offset else None)
    # The list of one phone has no second page; a cursor that somebody made is answered as any other.
    if plan.has("customer_phone") and plan.cursor is None:
        found = select(leads.c.document).where(leads.c.user_id == USER, *conditions(plan.filters, leads))
        lead = found.cte("found")
        return count_of(lead), [documents(page.of(select(lead.c.document)))], false()
    # With a condition on `leads` for each filter, an index finds and counts the matches.
    is_on_leads = all(FILTERS[given.name].on_leads is not None for given in plan.filters)
    if not (plan.is_counted or is_on_leads):
        matches = all_matches(plan)
        return count_of(matches), [sorted_page(plan, matches, page)], false()
    if not (plan.has_offset or plan.filters):
        return tenant_total(), in_order(plan, page), false()
    return _by_counts(plan)


def _by_counts(plan: ListPlan) -> _Parts:
    """Takes the total from the counts, or counts in an index, and the page in the way that reads fewest leads."""
    found = counts(plan)
    total = select(found.c.total).scalar_subquery()
    picks_buckets = plan.is_counted and plan.is_by_time and (plan.is_far or plan.collect_matches)
    has_page = found.c.total > (OFFSET if plan.has_offset else ZERO)
    # A filter on the sort's own column has its index read only a range, in which the matches lie close together.
    is_decided = picks_buckets or plan.collect_matches or plan.has_own_filter or not plan.filters
    collect = false() if is_decided else and_(has_page, reads_fewer_collecting(plan, found))
    # A limit and an offset of 0 if the page is empty: PostgreSQL then reads no row to skip it.
    choice = select(
        case((and_(has_page, not_(collect)), LIMIT), else_=ZERO).label("limit"),
        collect.label("collect_matches"),
        *([case((has_page, OFFSET), else_=ZERO).label("offset")] if plan.has_offset else []),
    ).cte("choice")
    chosen = {column.key: select(column).scalar_subquery() for column in choice.c}
    page = LimitOffset(chosen["limit"], chosen.get("offset"))
    if picks_buckets:
        return total, by_buckets(plan, page), false()
    if plan.collect_matches:
        return total, [(collected if plan.is_counted else found_and_sorted)(plan, page)], false()
    return total, in_order(plan, page), chosen["collect_matches"]


def reads_fewer_collecting(plan: ListPlan, found: CTE) -> ColumnElement[bool]:
    """Returns whether reading in order would pass too many leads: more than 10,000, and eight for each match.

    To the end of a page, reading in order passes (offset + limit) * tenant_total / total leads, but at most
    all of them. Collecting reads the index of the buckets with matches and then looks up each match, which takes
    about eight times as long as passing a lead.
    """
    total = found.c.total
    page_end = OFFSET + LIMIT if plan.has_offset else LIMIT
    passed_times_total = func.least(page_end, total) * found.c.tenant_total
    too_many = func.greatest(total * constant(MIN_LEADS_PASSED_A_MATCH), constant(MIN_LEADS_PASSED))
    return passed_times_total > total * too_many
