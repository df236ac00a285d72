"""Reads a query string with the marshmallow schema of an endpoint."""

import re
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import lru_cache
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote, urlencode

import orjson
from marshmallow import Schema, ValidationError
from werkzeug.exceptions import BadRequest

from api.request.cursor import Cursor, CursorText, Position, Reader, read_position, scope_of
from api.request.text import MAX_NAME_LENGTH, MILLISECOND, is_broken, nearest, query_pairs, shift, trim

DEFAULT_LIMIT = 50
# Fields of all endpoints, which ask for the freshness of the answer.
COMMON_FIELDS = ("min_as_of",)

# Other names of parameters, which dashboards for other versions of this API use, each with those that it means.
OTHER_NAMES: Mapping[str, tuple[str, ...]] = {
    "start_date": ("from_date",),
    "end_date": ("to_date",),
    "date": ("from_date", "to_date"),
}

_IGNORED = re.compile(r"_|utm_.*|gclid|fbclid", re.DOTALL)
_MAX_CACHED_LENGTH = 256
_MAX_CACHED_QUERIES = 2048
_MAX_NAMED_ERRORS = 20
_UNKNOWN = "is not a parameter"
_UNREADABLE = "contains a NUL character (%00) or bytes that are not UTF-8"
# What a request may change from page to page; a cursor is good for requests that are equal in all else.
_OF_ONE_PAGE = frozenset({"limit", "offset", "cursor", "fields", *COMMON_FIELDS})


@dataclass(frozen=True, slots=True)
class Page:
    """The part of an ordered set that a request asks for: from an offset, or after the position of a cursor."""

    limit: int = DEFAULT_LIMIT
    offset: int = 0
    cursor: Cursor | None = None
    # Of the cursor, once it is known to be of this very query.
    position: Position | None = None
    # Which set and which order, the same for each spelling of a query.
    asked: bytes = b""
    # The query string of the next page, without its cursor.
    query: str = ""

    @property
    def rows_to_read(self) -> int:
        """How many rows tell the page, and after a cursor whether there is a next one, which no total tells."""
        return self.limit if self.position is None else self.limit + 1


Result = TypeVar("Result")


class Query(Generic[Result]):
    """Reads the query string of one endpoint with its schema."""

    def __init__(
        self,
        schema: type[Schema],
        result: Callable[..., Result],
        readers: Callable[[Result], Sequence[Reader]] = lambda _result: (),
    ) -> None:
        self.schema = schema()
        self.result = result
        # Of the values of a cursor's position.
        self.readers = readers
        # Clients repeat a few query strings, and each of them means the same every time.
        self._read_cached = lru_cache(maxsize=_MAX_CACHED_QUERIES)(self._read)

    def read(self, query_string: str, *path: str) -> Result:
        """Returns the checked parameters. Raises BadRequest, whose description names every wrong one.

        `path` has the ids of the path, which a cursor is bound to.
        """
        # min_as_of is another moment each time, and a cursor another place.
        is_new = "min_as_of" in query_string or "cursor" in query_string
        if len(query_string) > _MAX_CACHED_LENGTH or is_new:
            return self._with_position(self._read(query_string), path)
        return self._with_position(self._read_cached(query_string), path)

    def _with_position(self, parameters: Result, path: Sequence[str]) -> Result:
        """Returns the parameters with the position of their cursor. Raises BadRequest if it is not of this query."""
        page: Page | None = getattr(parameters, "page", None)
        if page is None or page.cursor is None:
            return parameters
        if page.cursor.scope != scope_of(page.asked, path):
            raise BadRequest(
                "cursor belongs to another query: send the path, the filters and the order that it was given with"
            )
        try:
            position = read_position(self.readers(parameters), page.cursor.values)
        except ValueError:
            raise BadRequest(f"cursor takes {CursorText.takes}") from None
        return cast("Result", replace(cast("Any", parameters), page=replace(page, position=position)))

    def _read(self, query_string: str) -> Result:
        errors: dict[str, str] = {}
        given = self._collect(query_string, errors)
        try:
            loaded: dict[str, Any] = self.schema.load(given)
        except ValidationError as error:
            loaded = error.valid_data if isinstance(error.valid_data, dict) else {}
            found = cast("dict[str, list[str]]", error.messages)
            errors.update({name: messages[0] for name, messages in found.items()})
        given_as = _unite_names(loaded, errors)
        for least, greatest in (("min_total_score", "max_total_score"), ("from_date", "to_date")):
            low, high = loaded.get(least), loaded.get(greatest)
            if low is not None and high is not None and low > high:
                what = "after" if greatest == "to_date" else "above"
                errors[given_as.get(least, least)] = f"must not be {what} {given_as.get(greatest, greatest)}"
        if loaded.get("cursor") is not None and loaded.get("offset"):
            errors["cursor"] = "cannot be combined with an offset"
        if errors:
            raise BadRequest(self._message(errors))
        values = dict(loaded)
        if "offset" in values:
            values["page"] = Page(
                values.pop("limit"),
                values.pop("offset"),
                values.pop("cursor"),
                asked=_asked(loaded),
                query=_query_of_next_page(given),
            )
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


def _unite_names(loaded: MutableMapping[str, Any], errors: dict[str, str]) -> dict[str, str]:
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
                loaded[name] = (
                    shift(value, timedelta(days=1) - MILLISECOND)
                    if (other, name) == ("date", "to_date")
                    else value
                )
                given_as[name] = other
    return given_as


def _quoted(name: str) -> str:
    """Returns a name in quotes, shortened so that a message can repeat it."""
    return repr(name if len(name) <= MAX_NAME_LENGTH else name[:MAX_NAME_LENGTH] + "…")


def _asked(loaded: Mapping[str, Any]) -> bytes:
    """Returns the set and the order that a request asks for; an absent filter is not named, so that new ones may be."""
    asked = {name: value for name, value in loaded.items() if name not in _OF_ONE_PAGE and value is not None}
    return orjson.dumps(asked, option=orjson.OPT_SORT_KEYS)


def _query_of_next_page(given: Mapping[str, Sequence[str]]) -> str:
    pairs = [
        (name, value)
        for name, values in given.items()
        if name not in ("offset", "cursor")
        for value in dict.fromkeys(values)
    ]
    return urlencode(pairs, quote_via=quote, safe=",:")
