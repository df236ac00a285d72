"""The kinds of query parameters: each reads a text and describes itself in OpenAPI."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, NamedTuple

from marshmallow import ValidationError
from marshmallow.fields import Field

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
_PLATFORM = re.compile(r"[A-Za-z0-9_]{1,20}")
_FLAGS = {"true": True, "1": True, "false": False, "0": False}
# How OpenAPI describes the spelling of a parameter by the type of its schema.
_STYLES: Mapping[object, Mapping[str, object]] = {
    "array": {"style": "form", "explode": False},
    "object": {"style": "deepObject", "explode": True},
}
# A path or a query with a NUL character is refused.
NO_NUL = r"^[^\u0000]*$"


class Kind(NamedTuple):
    """A kind of values of parameters: its description, its JSON schema, and how its text is read."""

    takes: str
    schema: Mapping[str, object]
    # Raises LookupError or ValueError for a text that the parameter does not take.
    meaning: Callable[[str], object]
    # An example that fits every parameter of this kind.
    example: object = None
    # Returns the value of several meanings, each once; None for a kind that takes one text. Several are separated by
    # commas, or the parameter is repeated.
    several: Callable[[list[Any]], tuple[Any, ...]] | None = None


TEXT = Kind("a text", {"type": "string", "pattern": NO_NUL}, str)


class Parameter(Field[Any]):
    """A parameter of a query, as a field of the schema of its endpoint."""

    def __init__(
        self,
        description: str,
        kind: Kind = TEXT,
        example: object = None,
        default: object = None,
        attribute: str | None = None,
    ) -> None:
        super().__init__(load_default=default, attribute=attribute)
        self.description = description
        self.kind = kind
        self.example = example

    def _deserialize(self, value: Sequence[str], *_: object, **__: object) -> object:
        """Return the value of the texts. Raises ValidationError, which says what the parameter takes.

        A request may repeat a parameter that takes one value, if all texts are the same.
        """
        kind, texts = self.kind, value
        if kind.several:
            texts = parts_of(texts)
        elif len(set(texts)) > 1:
            raise ValidationError(f"was given several values, and takes one: {kind.takes}")
        try:
            meanings = [*dict.fromkeys(map(kind.meaning, texts))]
        except (LookupError, ValueError):
            meanings = []
        if not meanings:
            raise ValidationError(f"takes {kind.takes}")
        return kind.several(meanings) if kind.several else meanings[0]

    def as_openapi(self, name: str) -> dict[str, Any]:
        """Return the parameter of this name as an object of OpenAPI."""
        default = {} if self.load_default is None else {"default": self.load_default}
        examples = (self.example, self.kind.example, self.load_default)
        return {
            "in": "query",
            "name": name,
            "description": self.description,
            "schema": {**self.kind.schema, **default},
            "example": next(example for example in examples if example is not None),
            **_STYLES.get(self.kind.schema.get("type"), {}),
        }


def parts_of(texts: Sequence[str]) -> list[str]:
    """Return the parts of these texts between commas that are not blank."""
    return [trimmed for text in texts for part in text.split(",") if (trimmed := trim(part))]


def whole_number(least: int, greatest: int | None = None, *, cut_to: int | None = None) -> Kind:
    """Return the kind of integers within bounds, in ASCII digits; those above `cut_to` are cut to it."""

    def read(text: str) -> int:
        number = int(text) if _INTEGER.fullmatch(text) else least - 1
        if number < least or (greatest is not None and number > greatest):
            raise ValueError(text)
        return number if cut_to is None else min(number, cut_to)

    schema = {"type": "integer", "minimum": least}
    if greatest is None:
        return Kind(f"an integer of at least {least}", schema, read)
    return Kind(f"an integer from {least} to {greatest}", {**schema, "maximum": greatest}, read)


def one_of(*words: str, **others: str) -> Kind:
    """Return the kind of one of several words, in any case; `others` are further words with their meanings."""
    meanings = {**{word: word for word in words}, **others}
    by_lower = {word.lower(): meaning for word, meaning in meanings.items()}
    schema = {"type": "string", "enum": [*meanings]}
    return Kind(f"one of {', '.join(meanings)}", schema, lambda text: by_lower[text.lower()], words[0])


def some_of(*words: str) -> Kind:
    """Return the kind of several of these words."""
    word = one_of(*words)
    takes = f"one or more of {', '.join(words)}, separated by commas"
    return Kind(
        takes, {"type": "array", "items": word.schema}, word.meaning, several=partial(_in_order, words)
    )


def _in_order(words: Sequence[str], meanings: Collection[str]) -> tuple[str, ...]:
    """Return the meanings in the order of these words; others come after them."""
    return (*(word for word in words if word in meanings), *sorted({*meanings} - {*words}))


def platforms_of(*words: str) -> Kind:
    """Return the kind of several platforms: these words, and any other word that can name a platform."""

    def read(text: str) -> str:
        if not _PLATFORM.fullmatch(text):
            raise ValueError(text)
        return text.lower()

    takes = f"one or more of {', '.join(words)} and other words of at most 20 of a-z, 0-9 and _, separated by commas"
    items = {"type": "string", "pattern": f"^{_PLATFORM.pattern}$"}
    return Kind(takes, {"type": "array", "items": items}, read, several=partial(_in_order, words))


def _day(text: str) -> tuple[datetime, datetime]:
    first, last = read_moment(text)
    if first == last:
        raise ValueError(text)
    return first, last


@dataclass(frozen=True, slots=True)
class Search:
    """The terms of a search: every word, or the digits of a text that is a phone number."""

    words: tuple[str, ...]
    digits: str | None
    ignore_accents: bool = False


def _search(text: str) -> Search:
    if len(text) > MAX_SEARCH_LENGTH:
        raise ValueError(text)
    return Search(tuple(words(text)), phone_digits(text))


def _phone(text: str) -> str:
    if len(text) > MAX_ID_LENGTH:
        raise ValueError(text)
    return canonical_phone(text)


FLAG = Kind("true or false", {"type": "boolean"}, lambda text: _FLAGS[text.lower()], example=True)
# A start is the first millisecond of a date or a moment, an end the last one: a date covers its whole day.
MOMENT = Kind(
    "a date such as 2025-01-31 or 2025-01-31T09:30:00Z",
    {"anyOf": [{"type": "string", "format": kind} for kind in ("date", "date-time")]},
    lambda text: read_moment(text)[0],
)
END_MOMENT = MOMENT._replace(meaning=lambda text: read_moment(text)[1])
EXACT_MOMENT = MOMENT._replace(
    takes="a date with a time such as 2025-01-31T09:30:00.123456Z", meaning=read_exact_moment
)
DAY = Kind("a date such as 2025-01-31", {"type": "string", "format": "date"}, _day)
SEARCH = Kind(
    f"at most {MAX_SEARCH_LENGTH} characters",
    {"type": "string", "maxLength": MAX_SEARCH_LENGTH, "pattern": NO_NUL},
    _search,
)
PHONE = Kind(
    f"a phone number or another identifier of at most {MAX_ID_LENGTH} characters",
    {"type": "string", "maxLength": MAX_ID_LENGTH, "pattern": NO_NUL},
    _phone,
)
