"""How many leads match, by the counts of the read model, and in which hours or days these were last active.

lead_totals counts the leads of a tenant, of a day and of an hour that pass one filter; lead_counts and
lead_daily_counts count by every combination of facets, of a tenant and of a day.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Date,
    DateTime,
    FromClause,
    Interval,
    Select,
    and_,
    case,
    cast,
    column,
    func,
    literal_column,
    not_,
    select,
    union,
    union_all,
    values,
)

from api.plan.attributes import ConditionShape, has
from api.plan.list.filters import (
    BECAME,
    OF_CONVERSATIONS,
    OF_PROFILES,
    OF_THEIR_CONVERSATIONS,
    GivenFilter,
    conditions,
    conditions_on_facets,
    has_become,
    of_conversations,
)
from api.plan.list.plan import ListPlan
from api.plan.sql import (
    USER,
    UTC_NAME,
    ZERO,
    between,
    constant,
    count_of,
    has_granularity,
    is_tenant_total,
    lead_conversations,
    lead_counts,
    lead_daily_counts,
    lead_profiles,
    lead_totals,
    leads,
    lookup_by_key,
    status_changes,
    sum_of,
    tenant_totals,
)
from api.plan.time_buckets import edge
from api.request.attributes import CONVERSATION, LEAD

_MAX_CACHED_PLANS = 512
_OPEN, _CLOSED = (GivenFilter("reply_window", word) for word in ("open", "closed"))
_WAITING = GivenFilter("waiting_minutes", None)


def counts(plan: ListPlan) -> CTE:
    """Return one row: how many leads match (`total`), and how many the tenant has (`tenant_total`)."""
    total: ColumnElement[int]
    matches = plan.matches(tenant_totals)
    if (by_clock := count_by_clock(plan.filters)) is not None:
        total = by_clock
    elif not plan.is_counted:
        total = count_of(matches_on_leads(plan).subquery("found"))
    elif plan.has_time_range:
        total = select(sum_of(buckets(plan).c.matches)).scalar_subquery()
    elif matches is None:
        # As a filter of the sum: searching the index for its last columns takes longer than reading these few rows.
        matching = sum_of(lead_counts.c.leads, and_(*conditions_on_facets(plan.filters, lead_counts.c)))
        tenant_counts = select(matching.label("total")).where(lead_counts.c.user_id == USER).cte("found")
        total = select(tenant_counts.c.total).scalar_subquery()
    else:
        total = sum_of(matches)
    # A sum, because a tenant without leads has no row.
    tenant_total = sum_of(tenant_totals.c.leads)
    row = select(total.label("total"), tenant_total.label("tenant_total"))
    return row.where(is_tenant_total()).cte("counts")


def count_by_clock(filters: Sequence[GivenFilter]) -> ColumnElement[int] | None:
    """Return how many leads pass one filter that the clock moves, by the row of tenant_totals; None for others.

    Only few leads are counted: most reply windows have closed, and few customers began to wait just now.
    """
    few = {
        _OPEN: (None, conditions([_OPEN], leads)),
        _CLOSED: (tenant_totals.c.with_reply_window, conditions([_OPEN], leads)),
        _WAITING: (tenant_totals.c.last_from_user, [not_(*conditions([_WAITING], leads))]),
    }
    if len(filters) != 1 or filters[0] not in few:
        return None
    of_all, others = few[filters[0]]
    counted = count_of(select(leads.c.customer_phone).where(leads.c.user_id == USER, *others).subquery())
    return counted if of_all is None else sum_of(of_all) - counted


def matches_on_leads(plan: ListPlan) -> Select[tuple[str]]:
    """Return the phones of all matches, by an index on `leads`, on attributes or on conversations."""
    # An index by attributes or conversations finds fewer leads than those of the tenant.
    narrowest = _narrowest(plan)
    if narrowest is None:
        return select(leads.c.customer_phone).where(leads.c.user_id == USER, *conditions(plan.filters, leads))
    phones, others = narrowest
    if not others:
        return select(phones.c.customer_phone)
    rest = and_(*conditions(others, leads))
    return select(phones.c.customer_phone).where(lookup_by_key(rest, phones, leads))


def _narrowest(plan: ListPlan) -> tuple[FromClause, list[GivenFilter]] | None:
    """Return the phones that pass one of the filters, and the filters that remain to be applied."""
    of_profiles = plan.find(OF_PROFILES)
    if of_profiles is not None and any(part.levels == (LEAD,) for part in of_profiles.shape):
        profiles = select(lead_profiles.c.customer_phone).where(
            lead_profiles.c.user_id == USER, *conditions([of_profiles], lead_profiles)
        )
        return profiles.subquery("having"), _without(plan, of_profiles)
    for given in filter(None, (of_profiles, plan.find(OF_THEIR_CONVERSATIONS))):
        for part in given.shape:
            if part.is_indexed:
                is_all = len(given.shape) == 1
                phones = _having(part, f"{given.name}_{part.at}")
                return phones, _without(plan, given) if is_all else [*plan.filters]
    if (became := plan.find(BECAME)) is not None:
        changed = select(status_changes.c.customer_phone).where(*has_become(status_changes, became.shape))
        return changed.distinct().subquery("having"), _without(plan, became)
    narrow = next(filter(None, map(plan.find, OF_CONVERSATIONS)), None)
    if narrow is None:
        return None
    conversations = _of_tenant(lead_conversations).where(of_conversations(narrow.name)).distinct()
    return conversations.subquery("having"), _without(plan, narrow)


def _having(part: ConditionShape, name: str) -> FromClause:
    """Return the phones of the leads that have an attribute, or whose conversations have it, each once."""
    tables = {LEAD: lead_profiles, CONVERSATION: lead_conversations}
    ways = [
        _of_tenant(tables[level]).where(has(tables[level].c.attributes, part, name)) for level in part.levels
    ]
    return union(*ways).subquery("having") if ways[1:] else ways[0].distinct().subquery("having")


def _of_tenant(table: FromClause) -> Select[tuple[str]]:
    return select(table.c.customer_phone).where(table.c.user_id == USER)


def _without(plan: ListPlan, applied: GivenFilter) -> list[GivenFilter]:
    return [filter_ for filter_ in plan.filters if filter_ is not applied]


@lru_cache(maxsize=_MAX_CACHED_PLANS)
def buckets(plan: ListPlan) -> CTE:
    """Return the hours or days of the time range, partial ones too, each with its number of matches.

    Columns: bucket_start, bucket_end, matches. Without a time range these are all hours or days of the tenant.
    """
    matches = plan.matches(lead_totals)
    if not plan.has_time_range:
        return (_days_by_facets(plan) if matches is None else _totals(matches, "hour")).cte("buckets")
    if matches is None:
        return union_all(_days_by_facets(plan), _partial_buckets(plan, "days")).cte("buckets")
    if plan.is_far:
        # The page is searched in buckets: the shorter they are, the fewer leads are read before the page.
        whole = [_totals(matches, "hour", "hours_start", "hours_end")]
    else:
        whole = [
            _totals(matches, "hour", "hours_start", "days_start"),
            _totals(matches, "day", "days_start", "days_end"),
            _totals(matches, "hour", "days_end", "hours_end"),
        ]
    return union_all(*whole, _partial_buckets(plan, "hours")).cte("buckets")


def _days_by_facets(plan: ListPlan) -> Select[tuple[object, ...]]:
    """Return the whole days of the time range, or all days, by the table that counts each combination of facets."""
    day = lead_daily_counts.c.day
    next_day = day + constant(1)
    days = (cast(func.timezone(UTC_NAME, edge(name)), Date) for name in ("days_start", "days_end"))
    in_range = [between(day, *days)] if plan.has_time_range else []
    return (
        select(
            func.timezone(UTC_NAME, cast(day, DateTime)).label("bucket_start"),
            func.timezone(UTC_NAME, cast(next_day, DateTime)).label("bucket_end"),
            func.sum(lead_daily_counts.c.leads).label("matches"),
        )
        .where(
            lead_daily_counts.c.user_id == USER,
            *conditions_on_facets(plan.filters, lead_daily_counts.c),
            *in_range,
        )
        .group_by(day)
    )


def _totals(matches: ColumnElement[int], granularity: str, *time_range: str) -> Select[tuple[object, ...]]:
    """Return the days or hours of a time range, or all of them, by lead_totals."""
    start = lead_totals.c.bucket_start
    end = start + literal_column(f"'1 {granularity}'", Interval)
    in_range = [between(start, *map(edge, time_range))] if time_range else []
    return select(start.label("bucket_start"), end.label("bucket_end"), matches.label("matches")).where(
        has_granularity(lead_totals, granularity), *in_range
    )


def _partial_buckets(plan: ListPlan, whole: str) -> Select[tuple[object, ...]]:
    """Return the partial buckets before and after the whole hours or days, whose leads the index counts."""
    bounds = [(edge("start"), edge(f"{whole}_start")), (edge(f"{whole}_end"), edge("end"))]
    partial = values(column("bucket_start"), column("bucket_end"), name="e").data(bounds)
    in_bucket = between(leads.c.last_message_at, partial.c.bucket_start, partial.c.bucket_end)
    counted = (
        select(func.count())
        .select_from(leads)
        .where(leads.c.user_id == USER, in_bucket, *conditions(plan.beside_time, leads))
    )
    matches = counted.correlate(partial).scalar_subquery().label("matches")
    return select(partial.c.bucket_start, partial.c.bucket_end, matches)


def running_total(plan: ListPlan) -> CTE:
    """Return the buckets in the order of the list, each with the number of matches up to its end (`reached`).

    With a cursor they begin with the bucket of its position. How many matches of that bucket come after the position is
    not known, so none of them is `counted`.
    """
    matched = buckets(plan)
    start, end = matched.c.bucket_start, matched.c.bucket_end
    counted: ColumnElement[Any] = matched.c.matches
    is_ascending = plan.sort_order == "asc"
    rows = select(matched)
    if plan.cursor is not None:
        position = plan.sort.cursor_key
        rows = rows.where(end > position if is_ascending else start <= position)
        counted = case((and_(start <= position, position < end), ZERO), else_=counted)
    reached = func.sum(counted).over(order_by=start.asc() if is_ascending else start.desc())
    return rows.add_columns(counted.label("counted"), cast(reached, BigInteger).label("reached")).cte(
        "running"
    )


def matches_in_bucket(plan: ListPlan, chosen: FromClause) -> FromClause:
    """Return the matches of the current bucket."""
    in_time = between(leads.c.last_message_at, chosen.c.bucket_start, chosen.c.bucket_end)
    # No bucket exceeds the time range, so that the range itself needs no condition.
    rows = select(leads.c.customer_phone, leads.c.last_message_at).where(
        leads.c.user_id == USER, *conditions(plan.beside_time, leads), in_time
    )
    # The offset keeps PostgreSQL from turning the loop over the buckets inside out.
    return rows.correlate(chosen).offset(ZERO).lateral("in_bucket")
