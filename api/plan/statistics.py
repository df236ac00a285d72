"""The statements of GET /users/{user_id}/leads/stats, and of stats/series."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache, reduce
from operator import add
from types import MappingProxyType
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Interval,
    Select,
    SelectBase,
    Text,
    cast,
    func,
    literal_column,
    select,
)

from api.database.statement import BoundStatement, Freshness
from api.plan.sql import (
    TIME_FORMAT,
    USER,
    ZERO,
    PageRow,
    between,
    constant,
    constant_text,
    freshness_columns,
    has_granularity,
    is_tenant_total,
    json_members,
    lead_totals,
    leads,
    message_counts,
    moment,
    sum_of,
    tenant_totals,
    with_page,
)
from api.plan.time_buckets import ago, end_of_days, next_start, once, stands_until
from api.request.lead import PLATFORMS
from api.request.parameters import Parameters

# The time ranges of leads_last_7_days and leads_last_30_days.
STATISTICS_DAYS = (7, 30)
# The keys of the numbers of a day or an hour, and their columns in lead_totals.
_STATUSES = {"hot_leads": "hot", "warm_leads": "warm", "cold_leads": "cold"}
NUMBERS = {"leads": "leads", **_STATUSES}
# The keys that `include=waiting` adds to the active leads.
WAITING = {"waiting": "last_from_user", "with_reply_window": "with_reply_window"}
# The keys of the numbers of all leads.
STATISTICS = {"total_leads": "leads", "leads_with_extraction": "with_extraction", **_STATUSES}


@dataclass(slots=True)
class StatisticsRow(Freshness):
    """The counts of a tenant as a JSON object. `stands_until` is as in ListRow."""

    statistics: bytes
    stands_until: datetime | None


def lead_statistics(user_id: str) -> BoundStatement[StatisticsRow]:
    """Return the statement of the statistics."""
    return BoundStatement(_statement(), StatisticsRow, {"user_id": user_id})


@lru_cache(maxsize=1)
def _statement() -> Select[Any]:
    """Return the row of all leads, and for each time range its whole days, whole hours and partial hour."""
    totals = lead_totals.c
    # A tenant without leads has no row.
    of_all = {column.key: func.coalesce(column, ZERO) for column in tenant_totals.c}
    ranges = {}
    for days in STATISTICS_DAYS:
        start = ago(constant(days))
        days_start, hours_start = (once(next_start(unit, start)) for unit in ("day", "hour"))
        is_whole_day = has_granularity(lead_totals, "day") & (totals.bucket_start >= days_start)
        is_whole_hour = has_granularity(lead_totals, "hour") & between(
            totals.bucket_start, hours_start, days_start
        )
        is_before = between(leads.c.last_message_at, once(start), hours_start)
        counts = (
            select(sum_of(totals.leads)).where(is_whole_day),
            select(sum_of(totals.leads)).where(is_whole_hour),
            # Counted in the index.
            select(func.count()).select_from(leads).where(leads.c.user_id == USER, is_before),
        )
        ranges[f"leads_last_{days}_days"] = reduce(add, (count.scalar_subquery() for count in counts))
    printed = _object({key: of_all[name] for key, name in STATISTICS.items()}, of_all, ranges)
    until = stands_until(*(end_of_days(constant(days)) for days in STATISTICS_DAYS))
    return (
        select(*freshness_columns(), printed.label("statistics"), until)
        .select_from(select(constant(1).label("one")).subquery("one"))
        .outerjoin(tenant_totals, is_tenant_total())
    )


def lead_series(user_id: str, parameters: Parameters) -> BoundStatement[PageRow]:
    """Return the statement of the numbers by day or hour, in order."""
    values = {"user_id": user_id, "first": parameters.from_date, "last": parameters.to_date}
    return BoundStatement(_series(parameters.by, parameters.include or ()), PageRow, values)


@lru_cache(maxsize=4)
def _series(by: str, included: tuple[str, ...]) -> SelectBase:
    """Return each bucket from the first to the last, with its numbers, or zeros."""
    step = literal_column(f"interval '1 {by}'", Interval)
    series = func.generate_series(moment("first"), moment("last"), step)
    buckets = series.table_valued("bucket_start", name="b").render_derived()
    printed = (
        constant_text('{"start":"')
        + func.to_char(buckets.c.bucket_start, TIME_FORMAT, type_=Text)
        + constant_text('","active":')
        + _numbers(by, buckets, included)
        + constant_text(',"new":')
        + _numbers(f"new_{by}", buckets)
        + constant_text(',"messages":')
        + cast(_messages(buckets, step), Text)
        + constant_text("}")
    )
    return with_page(freshness_columns(), [select(printed).select_from(buckets)])


def _numbers(granularity: str, buckets: FromClause, included: tuple[str, ...] = ()) -> ColumnElement[str]:
    """Return the numbers of the current bucket as a JSON object, by a look-up, because a join could lose the order."""
    totals = lead_totals.c
    numbers = (
        select(_numbers_of(dict(totals), included))
        .where(has_granularity(lead_totals, granularity), totals.bucket_start == buckets.c.bucket_start)
        .correlate(buckets)
        .scalar_subquery()
    )
    return func.coalesce(numbers, _numbers_of({}, included))


def _messages(buckets: FromClause, step: ColumnElement[Any]) -> ColumnElement[int]:
    """Return how many messages were sent in the current bucket: a look-up for each of its hours.

    With a range PostgreSQL 15 would read all hours of the tenant, because the addition in its end is not leakproof.
    """
    counted, start = message_counts.c, buckets.c.bucket_start
    hour = literal_column("interval '1 hour'", Interval)
    hours = (
        func.generate_series(start, start + step - hour, hour).table_valued("hour", name="o").render_derived()
    )
    in_hour = select(counted.messages).where(counted.user_id == USER, counted.hour == hours.c.hour)
    messages = sum_of(in_hour.correlate(hours).scalar_subquery())
    return select(messages).select_from(hours).correlate(buckets).scalar_subquery()


def _numbers_of(columns: Mapping[str, ColumnElement[int]], included: tuple[str, ...]) -> ColumnElement[str]:
    """Return an object with the numbers of these columns of lead_totals, and zeros for missing ones."""
    names = (*NUMBERS.values(), *map("on_{}".format, PLATFORMS), *WAITING.values())
    amounts = {name: columns.get(name, ZERO) for name in names}
    further = {key: amounts[name] for key, name in WAITING.items()} if "waiting" in included else {}
    return _object({key: amounts[name] for key, name in NUMBERS.items()}, amounts, further)


def _object(
    numbers: Mapping[str, ColumnElement[int]],
    platforms: Mapping[str, ColumnElement[int]],
    further: Mapping[str, ColumnElement[int]] = MappingProxyType({}),
) -> ColumnElement[str]:
    """Return an object with these numbers, the number of each platform, and further numbers."""
    printed = constant_text("{") + json_members(**numbers) + constant_text(',"by_platform":{')
    printed += json_members(**{platform: platforms[f"on_{platform}"] for platform in PLATFORMS})
    printed += constant_text("}")
    if further:
        printed += constant_text(",") + json_members(**further)
    return printed + constant_text("}")
