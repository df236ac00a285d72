"""The statement of GET /users/{user_id}/leads/stats/series."""

from dataclasses import dataclass
from functools import lru_cache

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Interval,
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
    PageRows,
    freshness_columns,
    has_granularity,
    lead_totals,
    moment,
    with_page,
)
from api.request.lead import PLATFORMS
from api.request.parameters import SeriesParameters

# Keys of the numbers of a day or an hour, and the columns of lead_totals that have them.
NUMBERS = {"leads": "leads", "hot_leads": "hot", "warm_leads": "warm", "cold_leads": "cold"}


@dataclass(slots=True)
class SeriesRow(Freshness):
    """The days or hours, in order."""

    page: list[bytes]


def lead_series(user_id: str, parameters: SeriesParameters) -> BoundStatement[SeriesRow]:
    """Returns the statement of the numbers by day or hour."""
    values = {"user_id": user_id, "first": parameters.first, "last": parameters.last}
    return BoundStatement(_statement(parameters.by), SeriesRow, values)


@lru_cache(maxsize=2)
def _statement(by: str) -> SelectBase:
    """Returns each bucket from the first to the last one, with its rows of lead_totals, or zeros."""
    step = literal_column(f"interval '1 {by}'", Interval)
    series = func.generate_series(moment("first"), moment("last"), step)
    buckets = series.table_valued("bucket_start", name="b").render_derived()
    printed = (
        _text('{"start":"')
        + func.to_char(buckets.c.bucket_start, TIME_FORMAT, type_=Text)
        + _text('","active":')
        + _numbers(by, buckets)
        + _text(',"new":')
        + _numbers(f"new_{by}", buckets)
        + _text("}")
    )
    return with_page(freshness_columns(), [PageRows(buckets, printed)])


def _numbers(granularity: str, buckets: FromClause) -> ColumnElement[str]:
    """Returns the numbers of the current bucket as a JSON object: a look-up for each, no join, so that order stays."""
    totals = lead_totals.c
    found = (
        select(_object(dict(totals)))
        .where(has_granularity(lead_totals, granularity), totals.bucket_start == buckets.c.bucket_start)
        .correlate(buckets)
        .scalar_subquery()
    )
    return func.coalesce(found, _object({}))


def _object(columns: dict[str, ColumnElement[int]]) -> ColumnElement[str]:
    """Returns the object with the numbers of these columns of lead_totals; with zeros for those that are missing."""

    def members(names: dict[str, str]) -> ColumnElement[str]:
        text = _text("")
        for place, (key, name) in enumerate(names.items()):
            number = cast(columns[name], Text) if name in columns else _text("0")
            text = text + _text(f'{"," if place else ""}"{key}":') + number
        return text

    platforms = members({platform: f"on_{platform}" for platform in PLATFORMS})
    return _text("{") + members(NUMBERS) + _text(',"by_platform":{') + platforms + _text("}}")


def _text(text: str) -> ColumnElement[str]:
    return literal_column(f"'{text}'", Text)
