"""The time range in which leads of the list were last active."""

from datetime import datetime, timedelta

from api.plan.list.conversations import Columns
from api.plan.sql import Condition, between, moment
from api.plan.time_buckets import DAY, HOUR, time_range
from api.request.parameters import ListParameters
from api.request.text import FIRST_MOMENT, LAST_MOMENT, next_millisecond


def is_active(columns: Columns, _shape: object) -> Condition:
    """Returns whether a lead was last active in the time range."""
    return between(columns.last_message_at, moment("start"), moment("end"))


def time_range_of(parameters: ListParameters, now: datetime) -> tuple[datetime, datetime] | None:
    """Returns the moment from which and the moment before which a lead has to be active."""
    if parameters.days is None and parameters.from_date is None and parameters.to_date is None:
        return None
    start = parameters.from_date or FIRST_MOMENT
    if parameters.days is not None:
        start = max(start, now - timedelta(days=parameters.days))
    return start, LAST_MOMENT if parameters.to_date is None else next_millisecond(parameters.to_date)


def bind(bounds: tuple[datetime, datetime]) -> dict[str, object]:
    """Returns the range, its whole hours, and the whole days among these, as moments and as dates."""
    hours = time_range(HOUR, *bounds)
    days = time_range(DAY, hours.buckets_start, hours.buckets_end)
    return {
        "start": hours.start,
        "hours_start": hours.buckets_start,
        "days_start": days.buckets_start,
        "first_day": days.buckets_start.date(),
        "days_end": days.buckets_end,
        "end_day": days.buckets_end.date(),
        "hours_end": hours.buckets_end,
        "end": hours.end,
    }
