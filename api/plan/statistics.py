"""The statement of GET /users/{user_id}/leads/stats."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from sqlalchemy import Label, ScalarSelect, Select, func, select

from api.database.statement import BoundStatement, Freshness
from api.plan.sql import (
    USER,
    ZERO,
    between,
    freshness_columns,
    has_granularity,
    is_tenant_total,
    lead_totals,
    leads,
    moment,
    sum_of,
    tenant_totals,
)
from api.plan.time_buckets import DAY, HOUR, time_range

# The time ranges of leads_last_7_days and leads_last_30_days.
STATISTICS_DAYS = (7, 30)


@dataclass(slots=True)
class StatisticsStateRow(Freshness):
    """What the counts of a tenant depend on: see windows_of."""

    oldest_of_7_days: datetime | None
    oldest_of_30_days: datetime | None


@dataclass(slots=True)
class StatisticsRow(StatisticsStateRow):
    """The counts of a tenant."""

    total_leads: int
    leads_with_extraction: int
    hot_leads: int
    warm_leads: int
    cold_leads: int
    whatsapp: int
    instagram: int
    webchat: int
    leads_last_7_days: int
    leads_last_30_days: int


def windows_of(row: StatisticsStateRow) -> bytes:
    """Returns what the clock decides of the counts: at one version of a tenant, equal ones are of equal counts.

    The oldest lead of a time range tells which leads are in it.
    """
    return f"{row.oldest_of_7_days} {row.oldest_of_30_days}".encode()


def statistics_state(user_id: str, now: datetime) -> BoundStatement[StatisticsStateRow]:
    """Returns the statement of what the statistics at a moment depend on, which counts nothing."""
    starts = {f"start_{days}": now - timedelta(days=days) for days in STATISTICS_DAYS}
    return BoundStatement(_state_statement(), StatisticsStateRow, {"user_id": user_id, **starts})


def lead_statistics(user_id: str, now: datetime) -> BoundStatement[StatisticsRow]:
    """Returns the statement of the statistics at a moment."""
    values: dict[str, object] = {"user_id": user_id}
    for days in STATISTICS_DAYS:
        start = now - timedelta(days=days)
        hours_start = time_range(HOUR, start).buckets_start
        days_start = time_range(DAY, hours_start).buckets_start
        values |= {
            f"start_{days}": start,
            f"hours_start_{days}": hours_start,
            f"days_start_{days}": days_start,
        }
    return BoundStatement(_statement(), StatisticsRow, values)


@lru_cache(maxsize=1)
def _statement() -> Select[Any]:
    """Returns the row of all leads, and for each time range its whole days, whole hours and partial hour."""
    all_leads, totals = tenant_totals.c, lead_totals.c
    numbers = {
        "total_leads": all_leads.leads,
        "leads_with_extraction": all_leads.with_extraction,
        "hot_leads": all_leads.hot,
        "warm_leads": all_leads.warm,
        "cold_leads": all_leads.cold,
        "whatsapp": all_leads.on_whatsapp,
        "instagram": all_leads.on_instagram,
        "webchat": all_leads.on_webchat,
    }
    # The days of the longest range are read once, for all ranges.
    longest = max(STATISTICS_DAYS)
    in_days = {
        days: sum_of(
            totals.leads,
            None if days == longest else totals.bucket_start >= moment(f"days_start_{days}"),
        ).label(f"days_{days}")
        for days in STATISTICS_DAYS
    }
    by_day = (
        select(*in_days.values())
        .where(has_granularity(lead_totals, "day"), totals.bucket_start >= moment(f"days_start_{longest}"))
        .subquery("by_day")
    )
    ranges = (
        (by_day.c[f"days_{days}"] + _in_whole_hours(days) + _in_partial_hour(days)).label(
            f"leads_last_{days}_days"
        )
        for days in STATISTICS_DAYS
    )
    now = (func.coalesce(number, ZERO).label(name) for name, number in numbers.items())
    return (
        select(*freshness_columns(), *_oldest(), *now, *ranges)
        .select_from(by_day)
        .outerjoin(tenant_totals, is_tenant_total())
    )


@lru_cache(maxsize=1)
def _state_statement() -> Select[Any]:
    return select(*freshness_columns(), *_oldest())


def _oldest() -> Iterator[Label[Any]]:
    """Yields the last message of the oldest lead of each time range: the first entry of a range of an index."""
    for days in STATISTICS_DAYS:
        in_range = (leads.c.user_id == USER, leads.c.last_message_at >= moment(f"start_{days}"))
        oldest = select(func.min(leads.c.last_message_at)).select_from(leads).where(*in_range)
        yield oldest.scalar_subquery().label(f"oldest_of_{days}_days")


def _in_whole_hours(days: int) -> ScalarSelect[int]:
    """Returns the leads of the whole hours before the first whole day of a range."""
    totals = lead_totals.c
    in_hours = between(totals.bucket_start, moment(f"hours_start_{days}"), moment(f"days_start_{days}"))
    return (
        select(sum_of(totals.leads)).where(has_granularity(lead_totals, "hour"), in_hours).scalar_subquery()
    )


def _in_partial_hour(days: int) -> ScalarSelect[int]:
    """Returns the leads before the first whole hour of a range, counted in the index."""
    at = between(leads.c.last_message_at, moment(f"start_{days}"), moment(f"hours_start_{days}"))
    return select(func.count()).select_from(leads).where(leads.c.user_id == USER, at).scalar_subquery()
