"""The query parameters of exports and of the change feed, which copy what the list shows."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from api.request.fields import EndMoment, Moment, Parameter, WholeNumber
from api.request.parameters import (
    ORDERS,
    SORTS,
    CommonQuery,
    ListParameters,
    ListQuery,
)
from api.request.query import DEFAULT_LIMIT, Page, Query

MAX_CHANGES = 500
MAX_WAIT_SECONDS = 25


@dataclass(frozen=True, slots=True)
class ChangesParameters:
    """The checked parameters of the change feed; `filters` are those of a list."""

    limit: int
    wait: int
    filters: ListParameters
    since: str | None = None
    min_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class MessageExportParameters:
    """The checked parameters of an export of messages."""

    from_date: datetime | None = None
    to_date: datetime | None = None
    min_as_of: datetime | None = None


class ExportQuery(ListQuery):
    """The query of an export of leads: that of the list without its pages."""

    class Meta:
        """What the list has and an export has not."""

        exclude = ("limit", "offset", "cursor", "fields")


class ChangesQuery(ListQuery):
    """The query of the change feed: the filters of the list, but for the one that moves with the clock."""

    class Meta:
        """What the list has and the feed has not."""

        exclude = ("sort_by", "sort_order", "offset", "cursor", "fields", "days")

    since = Parameter(
        "What an answer gave as `next`. Without it the answer has no change, but the token of now.",
        example="AAAAAAAAAAgAwv2sIPkF7gWLO1cKzWAu",
    )
    limit = WholeNumber(
        f"Changes that an answer has at most. Above {MAX_CHANGES} it is cut to {MAX_CHANGES}.",
        least=1,
        cut_to=MAX_CHANGES,
        default=DEFAULT_LIMIT,
    )
    wait = WholeNumber(
        f"Seconds to wait for a change while there is none. Above {MAX_WAIT_SECONDS} it is cut to {MAX_WAIT_SECONDS}.",
        least=0,
        cut_to=MAX_WAIT_SECONDS,
        default=0,
        example=20,
    )


class MessageExportQuery(CommonQuery):
    """The query of an export of messages."""

    from_date = Moment("Messages at or after this moment.", example="2025-01-01")
    to_date = EndMoment(
        "Messages at or before this moment. A date covers its whole day.", example="2025-12-31"
    )


def _changes_parameters(  # As they are given.
    *,
    limit: int,
    wait: int,
    since: str | None = None,
    min_as_of: datetime | None = None,
    **filters: Any,  # noqa: ANN401  # Those of the list.
) -> ChangesParameters:
    chosen = ListParameters(Page(), SORTS[0], ORDERS[0], **filters)
    return ChangesParameters(limit, wait, chosen, since, min_as_of)


EXPORT_QUERY = Query(ExportQuery, partial(ListParameters, Page()))
MESSAGE_EXPORT_QUERY = Query(MessageExportQuery, MessageExportParameters)
CHANGES_QUERY = Query(ChangesQuery, _changes_parameters)
