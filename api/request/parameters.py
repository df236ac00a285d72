"""The query parameters of each endpoint: one marshmallow schema checks them and describes them in OpenAPI."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast

from marshmallow import Schema, ValidationError
from werkzeug.exceptions import BadRequest

from api.nearest import MAX_LENGTH, nearest
from api.request.fields import (
    Choice,
    Choices,
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
from api.request.text import is_broken, query_pairs, trim

PLATFORMS = ("whatsapp", "instagram", "webchat")
LEAD_STATUSES = ("Hot", "Warm", "Cold")
SENDERS = ("user", "agent")
SORTS = ("last_message_at", "first_contact_at", "total_messages", "total_score", "name")
ORDERS = ("desc", "asc")
DEFAULT_LIMIT = 50
MAX_OFFSET = 2**31 - 1
# Fields of the list that choose a page of the leads; every other field filters them, but for the common ones.
PAGE_FIELDS = ("sort_by", "sort_order", "limit", "offset")
# Fields of all endpoints, which ask for the freshness of the answer.
COMMON_FIELDS = ("min_as_of",)

_IGNORED = re.compile(r"_|utm_.*|gclid|fbclid", re.DOTALL)
_MAX_CACHED_LENGTH = 256
_MAX_CACHED_QUERIES = 2048
_MAX_NAMED_ERRORS = 20
_UNKNOWN = "is not a parameter"
_UNREADABLE = "contains a NUL character (%00) or bytes that are not UTF-8"


@dataclass(frozen=True, slots=True)
class Page:
    """The part of an ordered set that a request asks for."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0


@dataclass(frozen=True, slots=True)
class CommonParameters:
    """The parameters that each endpoint takes."""

    min_as_of: datetime | None = None


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
    min_as_of: datetime | None = None

    @property
    def moves_with_the_clock(self) -> bool:
        """Whether the list may change although no lead does."""
        return self.days is not None


@dataclass(frozen=True, slots=True)
class MessageParameters:
    """The checked parameters of the messages; None is a parameter that the request does not give."""

    page: Page
    platform: tuple[str, ...] | None = None
    sender: str | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None
    conversation_id: str | None = None
    min_as_of: datetime | None = None


def _limit(greatest: int) -> WholeNumber:
    return WholeNumber(
        f"Results that a page has at most. Above {greatest} it is cut to {greatest}.",
        least=1,
        cut_to=greatest,
        default=DEFAULT_LIMIT,
    )


def _offset() -> WholeNumber:
    return WholeNumber("Results to skip.", least=0, greatest=MAX_OFFSET, default=0)


def _min_as_of() -> ExactMoment:
    return ExactMoment(
        "The answer contains every change that was committed before this moment of the database's clock."
        " The API waits for it up to a second, then it answers 503.",
        example="2025-01-31T09:30:00.123456Z",
    )


class CommonQuery(Schema):
    """The query of an endpoint that takes nothing but what all take."""

    min_as_of = _min_as_of()


class ListQuery(Schema):
    """The query of the list of leads. Each filter has its condition in `api/plan/filters.py`."""

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
    sort_by = Choice("What the leads are sorted by. Leads without it come last.", SORTS, default=SORTS[0])
    sort_order = Choice("Direction of the sort.", ORDERS, default=ORDERS[0])
    limit = _limit(100)
    offset = _offset()
    min_as_of = _min_as_of()


class MessagesQuery(Schema):
    """The query of the messages of a lead."""

    platform = Choices("Messages on any of these platforms.", PLATFORMS, example="whatsapp")
    sender = Choice("Messages of the customer (user) or the agent (agent).", SENDERS)
    from_date = Moment("Messages sent at or after this moment.", example="2025-01-01")
    to_date = EndMoment(
        "Messages sent at or before this moment. A date covers its whole day.", example="2025-12-31"
    )
    conversation_id = Parameter(
        "Messages of this conversation of the lead.", example="b1a93252-f8c6-448f-a765-195eea996d9a"
    )
    limit = _limit(200)
    offset = _offset()
    min_as_of = _min_as_of()


Result = TypeVar("Result")


class Query(Generic[Result]):
    """Reads the query string of one endpoint with its schema."""

    def __init__(self, schema: type[Schema], result: Callable[..., Result]) -> None:
        self.schema = schema()
        self.result = result
        # Clients repeat a few query strings, and each of them means the same every time.
        self._read_cached = lru_cache(maxsize=_MAX_CACHED_QUERIES)(self._read)

    def read(self, query_string: str) -> Result:
        """Returns the checked parameters. Raises BadRequest, whose description names every wrong one."""
        # min_as_of is another moment each time.
        if len(query_string) > _MAX_CACHED_LENGTH or "min_as_of" in query_string:
            return self._read(query_string)
        return self._read_cached(query_string)

    def _read(self, query_string: str) -> Result:
        errors: dict[str, str] = {}
        given = self._collect(query_string, errors)
        try:
            loaded: Mapping[str, Any] = self.schema.load(given)
        except ValidationError as error:
            loaded = error.valid_data if isinstance(error.valid_data, dict) else {}
            found = cast("dict[str, list[str]]", error.messages)
            errors.update({name: messages[0] for name, messages in found.items()})
        for least, greatest in (("min_total_score", "max_total_score"), ("from_date", "to_date")):
            low, high = loaded.get(least), loaded.get(greatest)
            if low is not None and high is not None and low > high:
                errors[least] = f"must not be {'after' if greatest == 'to_date' else 'above'} {greatest}"
        if errors:
            raise BadRequest(self._message(errors))
        values = dict(loaded)
        if "limit" in values:
            values["page"] = Page(values.pop("limit"), values.pop("offset"))
        return self.result(**values)

    def _collect(self, query_string: str, errors: dict[str, str]) -> dict[str, list[str]]:
        """Returns the values of each known parameter that are not empty, and adds what is wrong to `errors`."""
        given: dict[str, list[str]] = {}
        for name, value in query_pairs(query_string):
            # A query string can contain thousands of names, and finding the nearest to each takes a millisecond.
            if len(errors) == _MAX_NAMED_ERRORS:
                errors["the rest"] = "was not checked"
                break
            if is_broken(name):
                errors["the name of a parameter"] = _UNREADABLE
            elif is_broken(value):
                errors[_quoted(name)] = _UNREADABLE
            elif name in self.schema.fields:
                if trimmed := trim(value):
                    given.setdefault(name, []).append(trimmed)
            elif not _IGNORED.fullmatch(name) and _quoted(name) not in errors:
                errors[_quoted(name)] = self._unknown(name)
        return given

    def _unknown(self, name: str) -> str:
        """Returns the error for a parameter that does not exist, with the names that the caller may have meant."""
        near = nearest(name, self.schema.fields)
        return f"{_UNKNOWN} (did you mean {' or '.join(near)}?)" if near else _UNKNOWN

    def _message(self, errors: Mapping[str, str]) -> str:
        """Returns the errors as one text. It names all parameters if no one name is near to an unknown one."""
        parts = [f"{name} {what}" for name, what in errors.items()]
        if _UNKNOWN in errors.values():
            parts.append(f"this endpoint takes {', '.join(self.schema.fields)}")
        return "; ".join(parts)


def _quoted(name: str) -> str:
    """Returns a name in quotes, shortened so that a message can repeat it."""
    return repr(name if len(name) <= MAX_LENGTH else name[:MAX_LENGTH] + "…")


COMMON_QUERY = Query(CommonQuery, CommonParameters)
LIST_QUERY = Query(ListQuery, ListParameters)
MESSAGES_QUERY = Query(MessagesQuery, MessageParameters)
