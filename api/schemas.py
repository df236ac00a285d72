"""The query parameters of each endpoint: one marshmallow schema checks them and describes them in OpenAPI."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Any, ClassVar, Generic, TypeVar, cast
from urllib.parse import parse_qsl

from marshmallow import Schema, ValidationError, fields
from werkzeug.exceptions import BadRequest

from api.paging import DEFAULT_LIMIT, GREATEST_OFFSET, Page
from api.values import canonical_phone, is_broken, phone_digits, read_moment, trim, words

PLATFORMS = ("whatsapp", "instagram", "webchat")
LEAD_STATUSES = ("Hot", "Warm", "Cold")
SENDERS = ("user", "agent")
SORTS = ("last_message_at", "first_contact_at", "total_messages", "total_score", "name")
ORDERS = ("desc", "asc")
LONGEST_SEARCH = 200

_INTEGER = re.compile(r"-?[0-9]{1,4000}")
_IGNORED = re.compile(r"_|utm_.*|gclid|fbclid", re.DOTALL)
_LONGEST_CACHED = 256
_MOST_NAMED = 20


@dataclass(frozen=True, slots=True)
class Search:
    """What a search looks for: every word, or the digits where the whole of it is a phone."""

    words: tuple[str, ...]
    digits: str | None


@dataclass(frozen=True, slots=True)
class NoParameters:
    """The query of an endpoint that takes none."""


@dataclass(frozen=True, slots=True)
class ListParameters:
    """The query of the list, checked; None is a parameter that is not there."""

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


@dataclass(frozen=True, slots=True)
class MessageParameters:
    """The query of the messages, checked; None is a parameter that is not there."""

    page: Page
    platform: tuple[str, ...] | None = None
    sender: str | None = None
    from_date: datetime | None = None
    to_date: datetime | None = None
    conversation_id: str | None = None


class Parameter(fields.Field[Any]):
    """A parameter that takes one value, given once or more often in the same spelling."""

    takes = ""

    def __init__(self, description: str, *, example: object = None, default: object = None) -> None:
        super().__init__(load_default=default)
        self.description = description
        self.example = example

    def _deserialize(self, value: list[str], *_args: object, **_kwargs: object) -> object:
        if len(set(value)) > 1:
            raise ValidationError(f"takes one value: {self.takes}")
        try:
            return self.read(value[0])
        except ValueError:
            raise ValidationError(f"takes {self.takes}") from None

    def read(self, text: str) -> object:
        """What the text means; ValueError for one that is not taken."""
        return text

    def as_openapi(self) -> dict[str, object]:
        """The parameter's schema in OpenAPI."""
        return {"type": "string"}


class WholeNumber(Parameter):
    """An integer within bounds; one above `cut_to` is cut to it."""

    def __init__(  # noqa: PLR0913  # Each is a word of the description.
        self,
        description: str,
        *,
        least: int,
        greatest: int | None = None,
        cut_to: int | None = None,
        example: object = None,
        default: int | None = None,
    ) -> None:
        super().__init__(description, example=example, default=default)
        self.least, self.greatest, self.cut_to = least, greatest, cut_to
        self.takes = (
            f"an integer of at least {least}"
            if greatest is None
            else f"an integer from {least} to {greatest}"
        )

    def read(self, text: str) -> int:
        """Digits with an optional minus."""
        if _INTEGER.fullmatch(text) is None:
            raise ValueError(text)
        number = int(text)
        if number < self.least or (self.greatest is not None and number > self.greatest):
            raise ValueError(text)
        return number if self.cut_to is None else min(number, self.cut_to)

    def as_openapi(self) -> dict[str, object]:
        """Bounds and default."""
        described: dict[str, object] = {"type": "integer", "minimum": self.least}
        if self.greatest is not None:
            described["maximum"] = self.greatest
        if self.load_default is not None:
            described["default"] = self.load_default
        return described


class Choice(Parameter):
    """One of a few words, in any case."""

    def __init__(self, description: str, options: tuple[str, ...], *, default: str | None = None) -> None:
        super().__init__(description, default=default)
        self.options = options
        self.by_lower = {option.lower(): option for option in options}
        self.takes = f"one of {', '.join(options)}"

    def read(self, text: str) -> str:
        """The word as it is printed."""
        if text.lower() not in self.by_lower:
            raise ValueError(text)
        return self.by_lower[text.lower()]

    def as_openapi(self) -> dict[str, object]:
        """The words, and which of them is the default."""
        described: dict[str, object] = {"type": "string", "enum": list(self.options)}
        if self.load_default is not None:
            described["default"] = self.load_default
        return described


class Choices(Choice):
    """Several of a few words: a comma between them, or the parameter repeated."""

    def __init__(self, description: str, options: tuple[str, ...], *, example: str) -> None:
        super().__init__(description, options)
        self.example = example
        self.takes = f"one or more of {', '.join(options)}, a comma between them"

    def _deserialize(self, value: list[str], *_args: object, **_kwargs: object) -> tuple[str, ...]:
        elements = [trim(element) for text in value for element in text.split(",")]
        try:
            chosen = {self.read(element) for element in elements if element}
        except ValueError:
            chosen = set()
        if not chosen:
            raise ValidationError(f"takes {self.takes}")
        return tuple(option for option in self.options if option in chosen)

    def as_openapi(self) -> dict[str, object]:
        """A text, because the list is one in a single parameter, whatever its case."""
        option = "|".join(self.options)
        return {"type": "string", "pattern": f"^({option})(,({option}))*$"}


class Flag(Parameter):
    """True or false."""

    takes = "true or false"
    _meanings: ClassVar = {"true": True, "1": True, "false": False, "0": False}

    def read(self, text: str) -> bool:
        """Also as 1 and 0."""
        if text.lower() not in self._meanings:
            raise ValueError(text)
        return bool(self._meanings[text.lower()])

    def as_openapi(self) -> dict[str, object]:
        """A boolean."""
        return {"type": "boolean"}


class Moment(Parameter):
    """A date, or a date with a time."""

    takes = "a date such as 2025-01-31 or 2025-01-31T09:30:00Z"

    def read(self, text: str) -> datetime:
        """The first millisecond that the text names."""
        return read_moment(text)[0]


class EndMoment(Moment):
    """A date that covers its whole day, or a date with a time."""

    def read(self, text: str) -> datetime:
        """The last millisecond that the text names."""
        return read_moment(text)[1]


class SearchText(Parameter):
    """Words to look for."""

    takes = f"at most {LONGEST_SEARCH} characters"

    def read(self, text: str) -> Search:
        """The words, and the digits where the whole text is a phone."""
        if len(text) > LONGEST_SEARCH:
            raise ValueError(text)
        return Search(tuple(words(text)), phone_digits(text))

    def as_openapi(self) -> dict[str, object]:
        """A text of bounded length."""
        return {"type": "string", "maxLength": LONGEST_SEARCH}


class Phone(Parameter):
    """A customer_phone in any spelling."""

    takes = "a phone number or another identifier"

    def read(self, text: str) -> str:
        """The canonical form."""
        return canonical_phone(text)


def _limit(greatest: int) -> WholeNumber:
    return WholeNumber(
        f"Number of results a page; above {greatest} it is cut to {greatest}",
        least=1,
        cut_to=greatest,
        default=DEFAULT_LIMIT,
    )


def _offset() -> WholeNumber:
    return WholeNumber("Number of results to skip", least=0, greatest=GREATEST_OFFSET, default=0)


class NoQuery(Schema):
    """An endpoint without query parameters."""


class ListQuery(Schema):
    """What the list of leads takes."""

    platform = Choices("Leads on any of these platforms", PLATFORMS, example="instagram,webchat")
    lead_status = Choices("Leads of any of these statuses", LEAD_STATUSES, example="Hot,Warm")
    has_extraction = Flag("Leads with, or without, extraction data")
    has_email = Flag("Leads with, or without, an email address")
    min_total_score = WholeNumber("Least total score", least=5, greatest=15, example=10)
    max_total_score = WholeNumber("Greatest total score", least=5, greatest=15, example=12)
    days = WholeNumber("Leads active within the last N times 24 hours", least=1, greatest=36500, example=7)
    from_date = Moment("Leads active at or after this moment", example="2025-01-01")
    to_date = EndMoment(
        "Leads active at or before this moment; a date covers its whole day", example="2025-12-31"
    )
    search = SearchText("Every word occurs in name, email, company or phone", example="siddhant")
    customer_phone = Phone("The lead of exactly this phone", example="918979556941")
    sort_by = Choice("What the leads are ordered by; leads without it come last", SORTS, default=SORTS[0])
    sort_order = Choice("Direction of the order", ORDERS, default=ORDERS[0])
    limit = _limit(100)
    offset = _offset()


class MessagesQuery(Schema):
    """What the messages of a lead take."""

    platform = Choices("Messages on any of these platforms", PLATFORMS, example="whatsapp")
    sender = Choice("Messages of this sender", SENDERS)
    from_date = Moment("Messages at or after this moment", example="2025-01-01")
    to_date = EndMoment(
        "Messages at or before this moment; a date covers its whole day", example="2025-12-31"
    )
    conversation_id = Parameter(
        "Messages of this conversation", example="b1a93252-f8c6-448f-a765-195eea996d9a"
    )
    limit = _limit(200)
    offset = _offset()


Result = TypeVar("Result")


class Query(Generic[Result]):
    """Reads the query string of one endpoint."""

    def __init__(self, schema: type[Schema], result: Callable[..., Result]) -> None:
        self.schema = schema()
        self.result = result
        # The same few queries come again and again, and mean the same each time.
        self._read_again = lru_cache(maxsize=2048)(self._read)

    def read(self, query_string: str) -> Result:
        """The parameters, checked; BadRequest that names every bad one."""
        if len(query_string) > _LONGEST_CACHED:
            return self._read(query_string)
        return self._read_again(query_string)

    def _read(self, query_string: str) -> Result:
        complaints: dict[str, str] = {}
        given = self._collect(query_string, complaints)
        try:
            loaded: Mapping[str, Any] = self.schema.load(given)
        except ValidationError as error:
            loaded = error.valid_data if isinstance(error.valid_data, dict) else {}
            found = cast("dict[str, list[str]]", error.messages)
            complaints.update({name: messages[0] for name, messages in found.items()})
        for least, greatest in (("min_total_score", "max_total_score"), ("from_date", "to_date")):
            low, high = loaded.get(least), loaded.get(greatest)
            if low is not None and high is not None and low > high:
                complaints[least] = f"must not be above {greatest}"
        if complaints:
            raise BadRequest("; ".join(f"{name} {what}" for name, what in complaints.items()))
        values = dict(loaded)
        if "limit" in values:
            values["page"] = Page(values.pop("limit"), values.pop("offset"))
        return self.result(**values)

    def _collect(self, query_string: str, complaints: dict[str, str]) -> dict[str, list[str]]:
        """The values of each known parameter that are not empty."""
        given: dict[str, list[str]] = {}
        # A server hands the bytes of the query string on as Latin-1.
        text = query_string.encode("latin-1").decode(errors="surrogateescape")
        for name, value in parse_qsl(text, keep_blank_values=True, errors="surrogateescape"):
            # A query string has room for thousands of names, and to find the nearest to each takes a millisecond.
            if len(complaints) == _MOST_NAMED:
                complaints["the rest"] = "was not looked at"
                break
            if is_broken(name):
                complaints["the name of a parameter"] = "holds a NUL character or broken UTF-8"
            elif is_broken(value):
                complaints[_shortened(name)] = "holds a NUL character or broken UTF-8"
            elif name in self.schema.fields:
                if trimmed := trim(value):
                    given.setdefault(name, []).append(trimmed)
            elif not _IGNORED.fullmatch(name) and _shortened(name) not in complaints:
                complaints[_shortened(name)] = self._unknown(name)
        return given

    def _unknown(self, name: str) -> str:
        """Says that there is no such parameter, and which one may have been meant."""
        nearest = get_close_matches(name[:100].lower(), self.schema.fields, n=1, cutoff=0)
        if not nearest:
            return "is not a parameter: this endpoint takes none"
        return f"is not a parameter; the nearest is {nearest[0]}"


def _shortened(name: str) -> str:
    """A name as it can be repeated in a message."""
    return repr(name if len(name) <= 100 else name[:100] + "…")  # noqa: PLR2004


NO_QUERY = Query(NoQuery, NoParameters)
LIST_QUERY = Query(ListQuery, ListParameters)
MESSAGES_QUERY = Query(MessagesQuery, MessageParameters)
