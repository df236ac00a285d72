"""Pages that are read in the order of an index, from its start or from the time buckets that they lie in."""

from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, case, func, or_, select, true

from api.plan.list.counts import buckets, matches_in_bucket, running_total
from api.plan.list.filters import conditions
from api.plan.list.plan import SORTS, ListPlan
from api.plan.sql import (
    USER,
    ZERO,
    LimitOffset,
    count_of,
    documents_of,
    leads,
    sum_of,
)


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
