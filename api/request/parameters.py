"""The query parameters of each endpoint: one marshmallow schema checks them and describes them in OpenAPI."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from marshmallow import Schema
from werkzeug.exceptions import BadRequest

from api.request.cursor import EXAMPLE, LEAD_POSITIONS, MESSAGE_POSITION, CursorText
from api.request.fields import (
    Choice,
    Choices,
    Day,
    EndMoment,
    ExactMoment,
    Flag,
    Moment,
    Parameter,
    Phone,
    Search,
    SearchText,
    WholeNumber,
)
from api.request.lead import LEAD_KEYS, LEAD_STATUSES, PLATFORMS, SENDERS
from api.request.query import DEFAULT_LIMIT, Page, Query
from api.request.text import FIRST_MOMENT

SORTS = ("last_message_at", "first_contact_at", "total_messages", "total_score", "name")
ORDERS = ("desc", "asc")
MAX_OFFSET = 2**31 - 1
MAX_CHANGES = 500
MAX_WAIT_SECONDS = 25
# For each kind of bucket its length, and how many of them an answer may have: 14 days by hour.
BUCKETS = {"day": (timedelta(days=1), 1100), "hour": (timedelta(hours=1), 14 * 24)}
# Fields of the list that choose a page of the leads; every other field filters them, but for the common ones.
PAGE_FIELDS = ("sort_by", "sort_order", "limit", "offset", "cursor", "fields")


@dataclass(frozen=True, slots=True)
class CommonParameters:
    """The parameters that each endpoint takes."""

    min_as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class LeadParameters(CommonParameters):
    """The checked parameters of a single lead."""

    fields: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ListParameters:
    """The checked parameters of the list; None is a parameter that the request does not give."""

    page: Page
    sort_by: str
    sort_order: str
    platform: tuple[str, ...] | None = None
    lead_status: tuple[str, ...] | None = None
    has_extraction: bool | None = None
    has_email: bool | None = None
    min_total_score: int | None = None
    max_total_score: int | None = None
    days: int | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None
    search: Search | None = None
    customer_phone: str | None = None
    last_message_sender: str | None = None
    has_conversation: bool | None = None
    agent_id: str | None = None
    phone_number_id: str | None = None
    is_active: bool | None = None
    ignore_accents: bool | None = None
    fields: tuple[str, ...] | None = None
    min_as_of: datetime | None = None

    @property
    def moves_with_the_clock(self) -> bool:
        """Whether the list may change although no lead does."""
        return self.days is not None


@dataclass(frozen=True, slots=True)
class MessageParameters:
    """The checked parameters of the messages; None is a parameter that the request does not give."""

    page: Page
    sort_order: str = "asc"
    platform: tuple[str, ...] | None = None
    sender: str | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None
    conversation_id: str | None = None
    before: str | None = None
    after: str | None = None
    min_as_of: datetime | None = None


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


def _limit(greatest: int) -> WholeNumber:
    return WholeNumber(
        f"Results that a page has at most. Above {greatest} it is cut to {greatest}.",
        least=1,
        cut_to=greatest,
        default=DEFAULT_LIMIT,
    )


_OFFSET = WholeNumber("Results to skip.", least=0, greatest=MAX_OFFSET, default=0)
_CURSOR = CursorText(
    "The page after the one whose `Link` header has this cursor, of the same query. Not with `offset`.",
    example=EXAMPLE,
)
_MIN_AS_OF = ExactMoment(
    "The answer contains every change that was committed before this moment of the database's clock."
    " The API waits for it up to a second, then it answers 503.",
    example="2025-01-31T09:30:00.123456Z",
)


class CommonQuery(Schema):
    """The query of an endpoint that takes nothing but what all take."""

    min_as_of = _MIN_AS_OF


class _ListQuery(Schema):
    platform = Choices("Leads on any of these platforms.", PLATFORMS, example="instagram,webchat")
    lead_status = Choices("Leads of any of these statuses.", LEAD_STATUSES, example="Hot,Warm")
    has_extraction = Flag("Leads with an extraction, or (false) without.")
    has_email = Flag("Leads with an email address, or (false) without.")
    min_total_score = WholeNumber("Leads of at least this total score.", least=5, greatest=15, example=10)
    max_total_score = WholeNumber("Leads of at most this total score.", least=5, greatest=15, example=12)
    days = WholeNumber("Leads active in the last N times 24 hours.", least=1, greatest=36500, example=7)
    from_date = Moment("Leads last active at or after this moment.", example="2025-01-01")
    to_date = EndMoment(
        "Leads last active at or before this moment. A date covers its whole day.", example="2025-12-31"
    )
    search = SearchText(
        "Leads with each of these words in name, email, company or phone.", example="siddhant"
    )
    customer_phone = Phone("The lead of exactly this phone, in any spelling.", example="918979556941")
    sort_by = Choice(
        "What the leads are sorted by. Leads without it come last.",
        SORTS,
        default=SORTS[0],
        others={"created_at": "first_contact_at"},
    )
    sort_order = Choice("Direction of the sort.", ORDERS, default=ORDERS[0])
    limit = _limit(100)
    offset = _OFFSET
    cursor = _CURSOR
    min_as_of = _MIN_AS_OF


class OtherDates(Schema):
    """Other names of from_date and to_date."""

    start_date = Moment("Another name of `from_date`.", example="2025-01-01")
    end_date = EndMoment("Another name of `to_date`.", example="2025-12-31")
    date = Day(
        "One day in UTC: another name of `from_date` and `to_date` on the same date.", example="2025-12-12"
    )


class FewerKeys(Schema):
    """Which keys of a lead are printed."""

    # marshmallow takes it out of the class, whose own attribute of this name stays as it is. Written as an assignment,
    # it would have the type checker take it for that attribute.
    vars()["fields"] = Choices(
        "The keys of each lead to print, and no others.", LEAD_KEYS, example="customer_phone,name"
    )


class LeadQuery(CommonQuery, FewerKeys):
    """The query of a single lead."""


class _MessagesQuery(Schema):
    platform = Choices("Messages on any of these platforms.", PLATFORMS, example="whatsapp")
    sender = Choice("Messages of the customer (user) or the agent (agent).", SENDERS)
    from_date = Moment("Messages sent at or after this moment.", example="2025-01-01")
    to_date = EndMoment(
        "Messages sent at or before this moment. A date covers its whole day.", example="2025-12-31"
    )
    conversation_id = Parameter(
        "Messages of this conversation of the lead.", example="b1a93252-f8c6-448f-a765-195eea996d9a"
    )
    before = Parameter(
        "Messages before this one, a `message_id`, in the order of time.",
        example="out-1759645300741-hij9fvlyv",
    )
    after = Parameter(
        "Messages after this one, a `message_id`, in the order of time.",
        example="out-1759645300741-hij9fvlyv",
    )
    sort_order = Choice("Oldest messages first (asc), or newest first (desc).", ORDERS, default="asc")
    limit = _limit(200)
    offset = _OFFSET
    cursor = _CURSOR
    min_as_of = _MIN_AS_OF


# A schema describes the fields of its last base first, and its own ones last.
class ListQuery(OtherDates, FewerKeys, _ListQuery):
    """The query of the list of leads. Each filter has its condition in `api/plan/list/filters.py`."""

    last_message_sender = Choice(
        "Leads whose last message is from the customer (user) or the agent (agent).", SENDERS
    )
    has_conversation = Flag("Leads with a conversation, or (false) of template sends alone.")
    agent_id = Parameter("Leads with a conversation of this agent.", example="test-agent-001")
    phone_number_id = Parameter("Leads with a conversation on this channel.", example="test-phone-001")
    is_active = Flag("Leads with a conversation that is active, or (false) with one that is not.")
    ignore_accents = Flag("Whether `search` takes letters with and without an accent for the same.")


class MessagesQuery(OtherDates, _MessagesQuery):
    """The query of the messages of a lead."""


class _SeriesQuery(Schema):
    from_date = Moment("The first day or hour is the one that has this moment.", example="2025-12-01")
    to_date = EndMoment(
        "The last day or hour is the one that has this moment. A date covers its whole day.",
        example="2025-12-12",
    )
    by = Choice("Days in UTC, up to 1,100; or hours in UTC, up to 336.", tuple(BUCKETS), default="day")


class SeriesQuery(OtherDates, CommonQuery, _SeriesQuery):
    """The query of the numbers of leads by day or hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesParameters(CommonParameters):
    """The checked parameters of the numbers by day or hour: the starts of the first and of the last one."""

    by: str
    first: datetime
    last: datetime


def _series(
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


COMMON_QUERY = Query(CommonQuery, CommonParameters)
LEAD_QUERY = Query(LeadQuery, LeadParameters)
LIST_QUERY = Query(ListQuery, ListParameters, lambda parameters: LEAD_POSITIONS[parameters.sort_by])
MESSAGES_QUERY = Query(MessagesQuery, MessageParameters, lambda _parameters: MESSAGE_POSITION)
SERIES_QUERY = Query(SeriesQuery, _series)
EXPORT_QUERY = Query(ExportQuery, partial(ListParameters, Page()))
MESSAGE_EXPORT_QUERY = Query(MessageExportQuery, MessageExportParameters)
CHANGES_QUERY = Query(ChangesQuery, _changes_parameters)
