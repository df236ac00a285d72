"""The statement of GET /users/{user_id}/leads: the ways to a page, and which one is taken.

PostgreSQL plans each statement once, for tenants of every size. So the API reads a page in the order of an index. Where
that could read many leads before the page, it first picks the time buckets of the page; where few leads match, it
collects and sorts them. Only the counts within the statement show that few match: the statement then says so instead of
returning the page, and a second statement returns the whole answer. A single statement for both ways would open, at
each request, the tables and indexes of the way that it does not take.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    SelectBase,
    and_,
    case,
    false,
    func,
    not_,
    or_,
    select,
    true,
    union_all,
)

from api.database.statement import BoundStatement, Freshness
from api.plan.list import search
from api.plan.list.counts import buckets, counts, matches_in_bucket, matches_on_leads, running_total
from api.plan.list.filters import conditions, moments_of
from api.plan.list.plan import SORTS, ListPlan, plan_list
from api.plan.printed import printed_lead, printed_leads_of
from api.plan.sql import (
    LIMIT,
    OFFSET,
    USER,
    ZERO,
    LimitOffset,
    constant,
    constant_text,
    count_of,
    freshness_columns,
    lead_profiles,
    leads,
    lookup_by_key,
    sum_of,
    tenant_total,
    with_page,
)
from api.plan.time_buckets import stands_until
from api.request.parameters import Parameters

_MAX_CACHED_PLANS = 512

# Matches are collected if reading in order would pass more leads than this, and more than this many for each match.
MIN_LEADS_PASSED = 10_000
MIN_LEADS_PASSED_A_MATCH = 8
# The same if each lead is looked up in another table: passing it then takes as long as collecting a match.
MIN_LEADS_LOOKED_UP = 1000
# A search reads all profiles of a tenant that has at most this many leads.
SMALL_TENANT_LEADS = 500


@dataclass(slots=True)
class ListRow(Freshness):
    """A page of leads. If `collect_matches` is true it is empty: the same list with that option has the page."""

    total: int
    collect_matches: bool
    # Until when the same leads match if none of them changes; None means for ever.
    stands_until: datetime | None
    page: list[bytes]


def list_leads(
    user_id: str, parameters: Parameters, *, collect_matches: bool = False
) -> BoundStatement[ListRow]:
    """Return the statement of a page of leads."""
    plan, values = plan_list(parameters)
    # The cursor of the next page has the value that orders the leads, which is read from the printed lead.
    plan = replace(plan, collect_matches=collect_matches, included=parameters.printed_on_page)
    return BoundStatement(list_statement(plan), ListRow, {"user_id": user_id, **values})


@lru_cache(maxsize=_MAX_CACHED_PLANS)
def list_statement(plan: ListPlan) -> SelectBase:
    """Return the statement of a plan, whose columns are the fields of ListRow."""
    total, page, collect_matches = _parts(plan)
    until = stands_until(*moments_of(plan.filters))
    head = (total.label("total"), collect_matches.label("collect_matches"), until)
    return with_page([*freshness_columns(), *head], page)


# The total, the page, and whether the page needs a second statement, with `collect_matches`.
_Parts = tuple[ColumnElement[int], list[Select[Any]], ColumnElement[bool]]


def _parts(plan: ListPlan) -> _Parts:
    page = LimitOffset(LIMIT, OFFSET if plan.has_offset else None)
    # The list of one phone has no second page; a made-up cursor is answered like any other.
    if plan.has("customer_phone") and plan.cursor is None:
        printed = printed_lead(leads, plan.included).label("document")
        matching = select(printed).where(leads.c.user_id == USER, *conditions(plan.filters, leads))
        lead = matching.cte("found")
        return count_of(lead), [documents(page.of(select(lead.c.document)))], false()
    # A search goes through the profiles. For other filters that are not counted, an index finds and counts the matches.
    if plan.search is not None:
        matches = all_matches(plan)
        return count_of(matches), [sorted_page(plan, matches, page)], false()
    if not (plan.has_offset or plan.filters):
        return tenant_total(), in_order(plan, page), false()
    return _by_counts(plan)


def _by_counts(plan: ListPlan) -> _Parts:
    """Take the total from the counts or from an index, and the page by the way that reads the fewest leads."""
    if plan.collect_matches and not plan.is_counted:
        # The matches are found once, and both counted and sorted.
        whole = LimitOffset(LIMIT, OFFSET if plan.has_offset else None)
        if plan.waits_within_window:
            rows = matching_keys(plan, leads).add_columns(leads.c[plan.sort.key].label("key"))
            # Materialized, because in the order of the index of the sort they come last.
            matches = rows.cte("matches").prefix_with("MATERIALIZED")
            return count_of(matches), [sorted_page(plan, matches, whole)], false()
        phones = matches_on_leads(plan).cte("phones")
        return count_of(phones), [_sorted(plan, phones, whole)], false()
    counted = counts(plan)
    total = select(counted.c.total).scalar_subquery()
    picks_buckets = plan.is_counted and plan.is_by_time and (plan.is_far or plan.collect_matches)
    has_page = counted.c.total > (OFFSET if plan.has_offset else ZERO)
    # With a filter on the column of the sort, the index reads only a range, in which the matches lie close together.
    is_narrow = plan.has_own_filter and not plan.waits_within_window
    is_decided = picks_buckets or plan.collect_matches or is_narrow or not plan.filters
    collect = false() if is_decided else and_(has_page, reads_fewer_collecting(plan, counted))
    # If the page is empty, limit and offset are 0, so that PostgreSQL skips no rows.
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
        return total, [collected(plan, page)], false()
    return total, in_order(plan, page), chosen["collect_matches"]


def reads_fewer_collecting(plan: ListPlan, counted: CTE) -> ColumnElement[bool]:
    """Return whether reading in order would pass too many leads: more than 10,000, and eight for each match.

    If each lead on the way is looked up in another table, the limits are 1,000 and one.

    To the end of a page, reading in order passes (offset + limit) * tenant_total / total leads, but at most
    all of them. Collecting reads the index of the buckets with matches and then looks up each match, which takes
    about eight times as long as passing a lead.
    """
    total = counted.c.total
    page_end: ColumnElement[int] = OFFSET + LIMIT if plan.has_offset else LIMIT
    if plan.waits_within_window:
        # Those whose window is open began to wait last.
        page_end = total
    passed_times_total = func.least(page_end, total) * counted.c.tenant_total
    least, a_match = (MIN_LEADS_PASSED, MIN_LEADS_PASSED_A_MATCH)
    if plan.looks_up_each:
        least, a_match = MIN_LEADS_LOOKED_UP, 1
    too_many = func.greatest(total * constant(a_match), constant(least))
    if plan.looks_up_attributes and not plan.finds_attributes:
        # Collecting looks at every lead.
        too_many = func.greatest(too_many, counted.c.tenant_total / constant(2))
    return passed_times_total > total * too_many


def in_order(plan: ListPlan, page: LimitOffset) -> list[Select[Any]]:
    """Read the page in the order of the index of its sort."""
    sort, direction = plan.sort, plan.sort_order
    if plan.cursor == "null":
        return [_of_those_without_value(plan, page)]
    rows = matching_keys(plan, sort.table)
    if plan.cursor is not None:
        rows = rows.where(plan.after_cursor(sort.table.c[sort.key], sort.table.c.customer_phone))
    order = sort.order(sort.table.c, direction)
    # After a cursor, the range of the index does not contain the leads without a value.
    has_nulls_last = direction == sort.nulls_last and not sort.is_partial
    if not plan.has_nulls or (plan.cursor is None and has_nulls_last):
        if _reads_documents(plan):
            return [documents(page.of(rows.with_only_columns(leads.c.document).order_by(*order)))]
        keys = page.of(rows.order_by(*order)).subquery("keys")
        return [printed_leads_of(keys, plan.included)]
    # In this direction the leads without a value are first in the index and last in the list.
    with_value = rows.where(sort.table.c[sort.key].is_not(None))
    taken = page.of(with_value.order_by(*order)).cte("with_value")
    return [
        printed_leads_of(taken, plan.included),
        _without_value(plan, page, taken, count_of(with_value.subquery())),
    ]


def _reads_documents(plan: ListPlan) -> bool:
    """Return whether the page reads the rows of `leads` in order, instead of looking up the rows of its keys.

    That is quicker if most rows on the way are printed, as with at most one filter, or if the index does not contain
    the filters, so that PostgreSQL reads each row anyway. With an offset it would also read the rows before the page.
    """
    if plan.sort.table is not leads or plan.has_offset or plan.included:
        return False
    # The newest leads are those whose window is open.
    return not plan.is_by_time or (len(plan.beside_time) <= 1 and not plan.has("reply_window"))


def documents(rows: Select[Any]) -> Select[Any]:
    """Return the page of a select of documents."""
    page = rows.subquery("documents")
    return select(page.c.document)


def by_buckets(plan: ListPlan, page: LimitOffset) -> list[Select[Any]]:
    """Read a page by last_message_at from the buckets that it lies in."""
    if plan.cursor == "null":
        return [_of_those_without_value(plan, page)]
    running = running_total(plan)
    before = running.c.reached - running.c.counted
    offset = ZERO if page.offset is None else page.offset
    # In the bucket where the previous page ended no match is counted, but any of them may be on this page.
    is_reached = running.c.reached > offset if plan.cursor is None else running.c.matches > ZERO
    picked = (
        select(running.c.bucket_start, running.c.bucket_end, before.label("before"))
        .where(is_reached, before < offset + page.limit)
        .cte("picked")
    )
    in_bucket = matches_in_bucket(plan, picked)
    before_page = select(func.min(picked.c.before)).scalar_subquery()
    # PostgreSQL computes the offset even if the limit is 0, and would sum up the buckets in vain.
    skipped = case((page.limit > ZERO, offset - before_page), else_=ZERO)
    rows = select(in_bucket.c.customer_phone).select_from(picked.join(in_bucket, true()))
    if plan.cursor is not None:
        rows = rows.where(plan.after_cursor(in_bucket.c.last_message_at, in_bucket.c.customer_phone))
    ordered = rows.order_by(*SORTS["last_message_at"].order(in_bucket.c, plan.sort_order))
    taken = LimitOffset(page.limit, None if plan.cursor else skipped).of(ordered).cte("in_buckets")
    parts = [printed_leads_of(taken, plan.included)]
    if plan.has_nulls:
        with_value = select(sum_of(buckets(plan).c.matches)).scalar_subquery()
        parts.append(_without_value(plan, page, taken, with_value))
    return parts


def _without_value(
    plan: ListPlan, page: LimitOffset, taken: FromClause, with_value: ColumnElement[int]
) -> Select[Any]:
    """Return the part of the page that lies among the leads without a value, which come after all others."""
    offset = None
    if page.offset is not None:
        no_need_to_count = or_(page.limit <= ZERO, count_of(taken) > ZERO)
        offset = case((no_need_to_count, ZERO), else_=func.greatest(page.offset - with_value, ZERO))
    return _of_those_without_value(
        plan, LimitOffset(func.greatest(page.limit - count_of(taken), ZERO), offset)
    )


def _of_those_without_value(plan: ListPlan, page: LimitOffset) -> Select[Any]:
    """Return a page of the leads without a value: those after the cursor, if the cursor is among them."""
    table = plan.sort.table
    rows = matching_keys(plan, table).where(table.c[plan.sort.key].is_(None))
    if plan.cursor == "null":
        rows = rows.where(plan.phone_after_cursor(table.c.customer_phone))
    order = plan.sort.order(table.c, plan.sort_order)
    # If the index of the sort lacks these leads, the primary key gives the order.
    in_order = rows.order_by(*(order[1:] if plan.sort.is_partial else order))
    keys = page.of(in_order).subquery("keys_without_value")
    return printed_leads_of(keys, plan.included)


def matching_keys(plan: ListPlan, table: FromClause) -> Select[Any]:
    """Return the keys of the matches from `leads` or `lead_profiles`."""
    return select(table.c.customer_phone).where(table.c.user_id == USER, *conditions(plan.filters, table))


def all_matches(plan: ListPlan, name: str = "matches") -> CTE:
    """Return the phones of all leads that match, with the key that they are sorted by. `name` is that of the CTE."""
    ways = [matching_profiles(plan, lead_profiles)]
    if plan.search is not None and plan.search.uses_index:
        # The index has the profiles of all tenants. For a small tenant it is quicker to read all its profiles, from
        # rows whose text is an expression, so that PostgreSQL cannot use the index.
        is_small = tenant_total() <= constant(SMALL_TENANT_LEADS)
        rows = select(
            *(
                (column + constant_text("")).label(column.key) if column.key in search.COLUMNS else column
                for column in lead_profiles.c
            )
        )
        unindexed = rows.where(lead_profiles.c.user_id == USER).subquery("unindexed")
        ways = [ways[0].where(not_(is_small)), matching_profiles(plan, unindexed).where(is_small)]
    return (union_all(*ways) if len(ways) > 1 else ways[0]).cte(name)


def collected(plan: ListPlan, page: LimitOffset) -> Select[Any]:
    """Collect all matches from the buckets that have any, and sort them."""
    matched = buckets(plan)
    in_bucket = matches_in_bucket(plan, matched)
    is_wanted = page.limit > ZERO
    rows: SelectBase = (
        select(in_bucket.c.customer_phone)
        .select_from(matched.join(in_bucket, true()))
        .where(matched.c.matches > ZERO, is_wanted)
    )
    if not plan.has_time_range:
        without_time = matching_keys(plan, leads).where(leads.c.last_message_at.is_(None), is_wanted)
        rows = union_all(rows, without_time)
    phones = rows.cte("phones")
    return _sorted(plan, phones, page)


def _sorted(plan: ListPlan, phones: CTE, page: LimitOffset) -> Select[Any]:
    """Look up the key of each match, and sort them by it."""
    key = lookup_by_key(plan.sort.table.c[plan.sort.key], phones, plan.sort.table)
    return sorted_page(plan, select(phones.c.customer_phone, key.label("key")).cte("matches"), page)


def matching_profiles(plan: ListPlan, profiles: FromClause) -> Select[Any]:
    """Return the phones of the profiles that match, and the key that they are sorted by."""
    sort = plan.sort
    key = (
        profiles.c[sort.key]
        if sort.table is lead_profiles
        else lookup_by_key(leads.c[sort.key], profiles, leads)
    )
    return select(profiles.c.customer_phone, key.label("key")).where(
        profiles.c.user_id == USER, *conditions(plan.filters, profiles)
    )


def sorted_page(plan: ListPlan, matches: CTE, page: LimitOffset) -> Select[Any]:
    """Sort matches by their key, and return the page of them."""
    key, phone = matches.c.key, matches.c.customer_phone
    rows = select(phone).order_by(*plan.order(key, phone))
    if plan.cursor is not None:
        rows = rows.where(plan.anywhere_after_cursor(key, phone))
    keys = page.of(rows).subquery("keys")
    return printed_leads_of(keys, plan.included)
