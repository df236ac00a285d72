"""The query of the numbers of leads by day or hour."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from marshmallow import Schema
from werkzeug.exceptions import BadRequest

from api.request.fields import Choice, EndMoment, Moment
from api.request.other_names import OtherDates
from api.request.parameters import CommonParameters, CommonQuery
from api.request.query import Query
from api.request.text import FIRST_MOMENT

# For each kind of bucket its length, and how many of them an answer may have: 14 days by hour.
BUCKETS = {"day": (timedelta(days=1), 1100), "hour": (timedelta(hours=1), 14 * 24)}


class _SeriesQuery(Schema):
    from_date = Moment("The first day or hour is the one that has this moment.", example="2025-12-01")
    to_date = EndMoment(
        "The last day or hour is the one that has this moment. A date covers its whole day.",
        example="2025-12-12",
    )
    by = Choice("Days in UTC, up to 1,100; or hours in UTC, up to 336.", tuple(BUCKETS), default="day")


# A schema describes the fields of its last base first.
class SeriesQuery(OtherDates, CommonQuery, _SeriesQuery):
    """The query of the numbers of leads by day or hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesParameters(CommonParameters):
    """The checked parameters of the numbers by day or hour: the starts of the first and of the last one."""

    by: str
    first: datetime
    last: datetime


def _parameters(
    by: str,
    from_date: datetime | None = None,
    to_date: datetime | None = None,
    min_as_of: datetime | None = None,
) -> SeriesParameters:
    """Returns the whole buckets. Raises BadRequest for a range without a start or an end, and for too many."""
    missing = [name for name, value in (("from_date", from_date), ("to_date", to_date)) if value is None]
    if from_date is None or to_date is None:
        raise BadRequest("; ".join(f"{name} is missing: it takes {Moment.takes}" for name in missing))
    length, most = BUCKETS[by]
    first, last = (moment - (moment - FIRST_MOMENT) % length for moment in (from_date, to_date))
    if (last - first) // length >= most:
        raise BadRequest(f"from_date and to_date are too far apart: by={by} takes up to {most:,} {by}s")
    return SeriesParameters(by=by, first=first, last=last, min_as_of=min_as_of)


SERIES_QUERY = Query(SeriesQuery, _parameters)
