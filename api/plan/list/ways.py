"""The ways to a page of a list, of which `pages.py` chooses.

It is read in the order of an index, from its start or from the time buckets that it lies in; or cut from all matches,
which are found first and then sorted.
"""

from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    FromClause,
    Select,
    SelectBase,
    case,
    func,
    not_,
    or_,
    select,
    true,
    union_all,
)

from api.plan.list import search
from api.plan.list.counts import buckets, matches_in_bucket, matches_on_leads, running_total
from api.plan.list.filters import conditions
from api.plan.list.plan import SORTS, ListPlan
from api.plan.sql import (
    USER,
    ZERO,
    LimitOffset,
    constant,
    constant_text,
    count_of,
    documents_of,
    lead_profiles,
    leads,
    lookup_by_key,
    sum_of,
    tenant_total,
)

# The search reads the profiles of a tenant of up to this many leads one by one.
SMALL_TENANT_LEADS = 500


def in_order(plan: ListPlan, page: LimitOffset) -> list[Select[Any]]:
    """Reads the page in the order of the index of its sort."""
    sort, direction = plan.sort, plan.sort_order
    if plan.cursor == "null":
        return [_of_those_without_value(plan, page)]
    rows = matching_keys(plan, sort.table)
    if plan.cursor is not None:
        rows = rows.where(plan.after_cursor(sort.table.c[sort.key], sort.table.c.customer_phone))
    order = sort.order(sort.table.c, direction)
    # The leads without a value are beyond the range of the index that a cursor leaves.
    if not plan.has_nulls or (plan.cursor is None and direction == sort.nulls_last):
        if _reads_documents(plan):
            return [documents(page.of(rows.with_only_columns(leads.c.document).order_by(*order)))]
        keys = page.of(rows.order_by(*order)).subquery("keys")
        return [documents_of(keys)]
    # In this direction the index has the leads without a value first, and the list has them last.
    with_value = rows.where(sort.table.c[sort.key].is_not(None))
    taken = page.of(with_value.order_by(*order)).cte("with_value")
    return [
        documents_of(taken),
        _without_value(plan, page, taken, count_of(with_value.subquery())),
    ]


def _reads_documents(plan: ListPlan) -> bool:
    """Returns whether the page reads the rows of `leads` in order, instead of looking up those of its keys.

    That is quicker if many rows on the way are printed, as with at most one filter; and if the index does not contain
    the filters, so that PostgreSQL reads each row anyway. With an offset it would read the rows before the page too.
    """
    if plan.sort.table is not leads or plan.has_offset:
        return False
    return not plan.is_by_time or len(plan.beside_time) <= 1


def documents(rows: Select[Any]) -> Select[Any]:
    """Returns the page of a select of documents."""
    page = rows.subquery("documents")
    return select(page.c.document)


def by_buckets(plan: ListPlan, page: LimitOffset) -> list[Select[Any]]:
    """Reads a page by last_message_at from the buckets that it lies in."""
    if plan.cursor == "null":
        return [_of_those_without_value(plan, page)]
    running = running_total(plan)
    before = running.c.reached - running.c.counted
    offset = ZERO if page.offset is None else page.offset
    # Of the bucket in which the page before ended, no match is counted, and any may be on this one.
    is_reached = running.c.reached > offset if plan.cursor is None else running.c.matches > ZERO
    picked = (
        select(running.c.bucket_start, running.c.bucket_end, before.label("before"))
        .where(is_reached, before < offset + page.limit)
        .cte("picked")
    )
    in_bucket = matches_in_bucket(plan, picked)
    before_page = select(func.min(picked.c.before)).scalar_subquery()
    # PostgreSQL computes an offset even if the limit is 0, and would sum up the buckets for nothing.
    skipped = case((page.limit > ZERO, offset - before_page), else_=ZERO)
    rows = select(in_bucket.c.customer_phone).select_from(picked.join(in_bucket, true()))
    if plan.cursor is not None:
        rows = rows.where(plan.after_cursor(in_bucket.c.last_message_at, in_bucket.c.customer_phone))
    ordered = rows.order_by(*SORTS["last_message_at"].order(in_bucket.c, plan.sort_order))
    taken = LimitOffset(page.limit, None if plan.cursor else skipped).of(ordered).cte("in_buckets")
    parts = [documents_of(taken)]
    if plan.has_nulls:
        with_value = select(sum_of(buckets(plan).c.matches)).scalar_subquery()
        parts.append(_without_value(plan, page, taken, with_value))
    return parts


def _without_value(
    plan: ListPlan, page: LimitOffset, taken: FromClause, with_value: ColumnElement[int]
) -> Select[Any]:
    """Returns the part of the page that lies among the leads without a value, which come after all others."""
    offset = None
    if page.offset is not None:
        no_need_to_count = or_(page.limit <= ZERO, count_of(taken) > ZERO)
        offset = case((no_need_to_count, ZERO), else_=func.greatest(page.offset - with_value, ZERO))
    return _of_those_without_value(
        plan, LimitOffset(func.greatest(page.limit - count_of(taken), ZERO), offset)
    )


def _of_those_without_value(plan: ListPlan, page: LimitOffset) -> Select[Any]:
    """Returns a page of the leads without a value: those after the cursor, if that is among them."""
    table = plan.sort.table
    rows = matching_keys(plan, table).where(table.c[plan.sort.key].is_(None))
    if plan.cursor == "null":
        rows = rows.where(plan.phone_after_cursor(table.c.customer_phone))
    keys = page.of(rows.order_by(*plan.sort.order(table.c, plan.sort_order))).subquery("keys_without_value")
    return documents_of(keys)


def matching_keys(plan: ListPlan, table: FromClause) -> Select[Any]:
    """Returns the keys of the matches from `leads` or `lead_profiles`."""
    return select(table.c.customer_phone).where(table.c.user_id == USER, *conditions(plan.filters, table))


def all_matches(plan: ListPlan, name: str = "matches") -> CTE:
    """Returns the phones of all leads that match, with the key that they are sorted by. `name` is that of the CTE."""
    ways = [matching_profiles(plan, lead_profiles)]
    if plan.search is not None and plan.search.uses_index:
        # The index has the profiles of all tenants. To a small one it is no help: its own are read sooner, from rows
        # whose text is an expression, which the index does not know.
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
    """Collects all matches from the buckets that have any, and sorts them."""
    found = buckets(plan)
    in_bucket = matches_in_bucket(plan, found)
    is_wanted = page.limit > ZERO
    rows: SelectBase = (
        select(in_bucket.c.customer_phone)
        .select_from(found.join(in_bucket, true()))
        .where(found.c.matches > ZERO, is_wanted)
    )
    if not plan.has_time_range:
        without_time = matching_keys(plan, leads).where(leads.c.last_message_at.is_(None), is_wanted)
        rows = union_all(rows, without_time)
    phones = rows.cte("phones")
    return _sorted(plan, phones, page)


def found_and_sorted(plan: ListPlan, page: LimitOffset) -> Select[Any]:
    """Finds all matches in an index of `leads`, and sorts them."""
    phones = matches_on_leads(plan).where(page.limit > ZERO).cte("phones")
    return _sorted(plan, phones, page)


def _sorted(plan: ListPlan, phones: CTE, page: LimitOffset) -> Select[Any]:
    """Looks up the key of each match, and sorts them by it."""
    key = lookup_by_key(plan.sort.table.c[plan.sort.key], phones, plan.sort.table)
    return sorted_page(plan, select(phones.c.customer_phone, key.label("key")).cte("matches"), page)


def matching_profiles(plan: ListPlan, profiles: FromClause) -> Select[Any]:
    """Returns the phones of the profiles that match, and the key that they are sorted by."""
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
    """Sorts matches by their key, and returns the page of them."""
    key, phone = matches.c.key, matches.c.customer_phone
    rows = select(phone).order_by(*plan.order(key, phone))
    if plan.cursor is not None:
        rows = rows.where(plan.anywhere_after_cursor(key, phone))
    keys = page.of(rows).subquery("keys")
    return documents_of(keys)
