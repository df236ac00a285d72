"""The kinds of query parameters: each field reads a text and describes itself in OpenAPI."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from marshmallow import ValidationError, fields

from api.request.text import (
    MAX_ID_LENGTH,
    canonical_phone,
    phone_digits,
    read_exact_moment,
    read_moment,
    trim,
    words,
)

MAX_SEARCH_LENGTH = 200

_INTEGER = re.compile(r"-?[0-9]{1,4000}")
# A path or a query with a NUL character is refused.
NO_NUL = r"^[^\u0000]*$"


@dataclass(frozen=True, slots=True)
class Search:
    """What a search looks for: every word, or the digits if the whole text is a phone number."""

    words: tuple[str, ...]
    digits: str | None
    ignore_accents: bool = False


class Parameter(fields.Field[Any]):
    """A parameter that takes one text; a request may repeat it in the same spelling."""

    takes = "a text"
    # What it takes, as a JSON schema.
    schema: Mapping[str, object] = {"type": "string", "pattern": NO_NUL}
    # How OpenAPI says that the parameter is written, where that is not its default.
    style: ClassVar[Mapping[str, object]] = {}

    def __init__(self, description: str, *, example: object = None, default: object = None) -> None:
        super().__init__(load_default=default)
        self.description = description
        self.example = default if example is None else example

    def _deserialize(self, value: list[str], *_args: object, **_kwargs: object) -> object:
        if len(set(value)) > 1:
            raise ValidationError(f"was given several values, and takes one: {self.takes}")
        try:
            return self.read(value[0])
        except (LookupError, ValueError):
            raise ValidationError(f"takes {self.takes}") from None

    def read(self, text: str) -> object:
        """Returns what the text means. Raises LookupError or ValueError for one that the parameter does not take."""
        return text

    def as_openapi(self) -> dict[str, object]:
        """Returns the JSON schema with the default."""
        return {**self.schema, **({} if self.load_default is None else {"default": self.load_default})}


class WholeNumber(Parameter):
    """An integer within bounds; one above `cut_to` is cut to it."""

    def __init__(  # noqa: PLR0913  # Each is a keyword of the JSON schema.
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
        maximum = {} if greatest is None else {"maximum": greatest}
        self.schema = {"type": "integer", "minimum": least, **maximum}

    def read(self, text: str) -> int:
        """Returns the number of ASCII digits with an optional minus. Raises ValueError if it is out of bounds."""
        if _INTEGER.fullmatch(text) is None:
            raise ValueError(text)
        number = int(text)
        if number < self.least or (self.greatest is not None and number > self.greatest):
            raise ValueError(text)
        return number if self.cut_to is None else min(number, self.cut_to)


class Choice(Parameter):
    """One of several words, in any case; `others` are further words, each with the one that it means."""

    def __init__(
        self,
        description: str,
        options: tuple[str, ...],
        *,
        default: str | None = None,
        others: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(description, example=options[0], default=default)
        further = others or {}
        self.options = (*options, *further)
        self.by_lower = {option.lower(): further.get(option, option) for option in self.options}
        self.takes = f"one of {', '.join(self.options)}"
        self.schema = {"type": "string", "enum": list(self.options)}

    def read(self, text: str) -> str:
        """Returns the word that is meant, in the case of the options."""
        return self.by_lower[text.lower()]


class Choices(Choice):
    """Several of a few words, separated by commas or in a repeated parameter."""

    style: ClassVar = {"style": "form", "explode": False}

    def __init__(self, description: str, options: tuple[str, ...], *, example: str) -> None:
        super().__init__(description, options)
        self.example = example.split(",")
        self.takes = f"one or more of {', '.join(options)}, separated by commas"
        self.schema = {"type": "array", "items": self.schema}

    def _deserialize(self, value: list[str], *_args: object, **_kwargs: object) -> tuple[str, ...]:
        elements = [trim(element) for text in value for element in text.split(",")]
        try:
            chosen = {self.read(element) for element in elements if element}
        except LookupError:
            chosen = set()
        if not chosen:
            raise ValidationError(f"takes {self.takes}")
        return tuple(option for option in self.options if option in chosen)


class Flag(Parameter):
    """True or false."""

    takes = "true or false"
    schema: Mapping[str, object] = {"type": "boolean"}
    _meanings: ClassVar = {"true": True, "1": True, "false": False, "0": False}

    def __init__(self, description: str) -> None:
        super().__init__(description, example=True)

    def read(self, text: str) -> bool:
        """Returns the meaning of true, false, 1 or 0."""
        return bool(self._meanings[text.lower()])


class Moment(Parameter):
    """A date, or a date with a time; the first millisecond of it counts."""

    takes = "a date such as 2025-01-31 or 2025-01-31T09:30:00Z"
    schema: Mapping[str, object] = {
        "anyOf": [{"type": "string", "format": kind} for kind in ("date", "date-time")]
    }

    def read(self, text: str) -> datetime:
        """Returns the first millisecond that the text names."""
        return read_moment(text)[0]


class EndMoment(Moment):
    """A date, which covers its whole day, or a date with a time."""

    def read(self, text: str) -> datetime:
        """Returns the last millisecond that the text names."""
        return read_moment(text)[1]


class ExactMoment(Moment):
    """A date, or a date with a time; its microseconds count."""

    takes = "a date with a time such as 2025-01-31T09:30:00.123456Z"

    def read(self, text: str) -> datetime:
        """Returns the moment that the text names."""
        return read_exact_moment(text)


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


class SearchText(Parameter):
    """Words to look for."""

    takes = f"at most {MAX_SEARCH_LENGTH} characters"
    schema: Mapping[str, object] = {"type": "string", "maxLength": MAX_SEARCH_LENGTH, "pattern": NO_NUL}

    def read(self, text: str) -> Search:
        """Returns the words, and the digits if the whole text is a phone. Raises ValueError if it is too long."""
        if len(text) > MAX_SEARCH_LENGTH:
            raise ValueError(text)
        return Search(tuple(words(text)), phone_digits(text))


class Phone(Parameter):
    """A customer_phone in any spelling."""

    takes = f"a phone number or another identifier of at most {MAX_ID_LENGTH} characters"
    schema: Mapping[str, object] = {"type": "string", "maxLength": MAX_ID_LENGTH, "pattern": NO_NUL}

    def read(self, text: str) -> str:
        """Returns the canonical form. Raises ValueError if it is too long."""
        if len(text) > MAX_ID_LENGTH:
            raise ValueError(text)
        return canonical_phone(text)
