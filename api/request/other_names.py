"""Other names of parameters, which dashboards for other versions of this API use."""

from collections.abc import Mapping, MutableMapping
from datetime import datetime, timedelta
from typing import Any

from marshmallow import Schema

from api.request.fields import EndMoment, Moment, Parameter
from api.request.text import MILLISECOND, read_moment, shift

# Each with the parameters that it means.
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "start_date": ("from_date",),
    "end_date": ("to_date",),
    "date": ("from_date", "to_date"),
}
OTHER_SORTS: Mapping[str, str] = {"created_at": "first_contact_at"}


class Day(Parameter):
    """A date without a time."""

    takes = "a date such as 2025-01-31"
    schema: Mapping[str, object] = {"type": "string", "format": "date"}

    def read(self, text: str) -> datetime:
        """Returns the first millisecond of the day in UTC. Raises ValueError for any other text."""
        first, last = read_moment(text)
        if first == last:
            raise ValueError(text)
        return first


class OtherDates(Schema):
    """Other names of from_date and to_date."""

    start_date = Moment("Another name of `from_date`.", example="2025-01-01")
    end_date = EndMoment("Another name of `to_date`.", example="2025-12-31")
    date = Day(
        "One day in UTC: another name of `from_date` and `to_date` on the same date.", example="2025-12-12"
    )


def unite_names(loaded: MutableMapping[str, Any], errors: dict[str, str]) -> dict[str, str]:
    """Put each value that has another name under its own one, and return by which name each was given.

    Two names of one thing are an error of the other name.
    """
    given_as: dict[str, str] = {}
    for other, names in OTHER_NAMES.items():
        value = loaded.pop(other, None)
        if value is None:
            continue
        for name in names:
            if loaded.get(name) is not None:
                errors[other] = f"is another name of {given_as.get(name, name)}: give one of them"
            else:
                loaded[name] = _of_day(value)[names.index(name)] if len(names) > 1 else value
                given_as[name] = other
    return given_as


def _of_day(midnight: datetime) -> tuple[datetime, datetime]:
    """Returns the first and the last millisecond of a day."""
    return midnight, shift(midnight, timedelta(days=1) - MILLISECOND)
