"""Pages that are cut from all matches, which are found first and then sorted."""

from typing import Any

from sqlalchemy import (
    CTE,
    FromClause,
    Select,
    SelectBase,
    not_,
    select,
    true,
    union_all,
)

from api.plan.list import search
from api.plan.list.counts import buckets, matches_in_bucket, matches_on_leads
from api.plan.list.filters import conditions
from api.plan.list.in_order import matching_keys
from api.plan.list.plan import ListPlan
from api.plan.sql import (
    USER,
    ZERO,
    LimitOffset,
    constant,
    constant_text,
    documents_of,
    lead_profiles,
    leads,
    lookup_by_key,
    tenant_total,
)

# The search reads the profiles of a tenant of up to this many leads one by one.
SMALL_TENANT_LEADS = 500


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
