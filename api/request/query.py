"""Reads the query string of an endpoint by its schema."""

import re
from ast import literal_eval
from collections.abc import Mapping, MutableMapping
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote, urlencode

import orjson
from marshmallow import Schema, ValidationError

from api.request.attributes import ATTRIBUTE_VALUES, given_name, read_given
from api.request.error_codes import ErrorCode, RequestError
from api.request.kinds import MOMENT, Parameter
from api.request.parameters import BUCKETS, OF_ALL, OF_ONE_PAGE, OPERATIONS, OTHER_NAMES, Page, Parameters
from api.request.position.cursor import CURSOR, position_fields, read_position, scope_of
from api.request.text import (
    FIRST_MOMENT,
    is_broken,
    nearest,
    query_pairs,
    quoted,
)

_IGNORED = re.compile(r"_|utm_.*|gclid|fbclid", re.DOTALL)
_MAX_CACHED_LENGTH = 256
_MAX_CACHED_QUERIES = 2048
_MAX_NAMED_ERRORS = 20
_UNKNOWN = "is not a parameter"
_NAMELESS = "the name of a parameter"
_UNREADABLE = "contains a NUL character (%00) or bytes that are not UTF-8"


class Query:
    """Reads the query string of an operation."""

    def __init__(self, operation: str, parameters: Mapping[str, Parameter]) -> None:
        self.operation = operation
        self.parameters = parameters
        self._schema = Schema.from_dict(dict(parameters))()
        self._result = _whole_buckets if operation == "getLeadSeries" else Parameters
        # Clients repeat few query strings, and a query string always means the same.
        self._read_cached = lru_cache(maxsize=_MAX_CACHED_QUERIES)(self._read)

    def read(self, query_string: str, *path: str) -> Parameters:
        """Return the checked parameters. Raises RequestError, whose description names every wrong one.

        `path` has the ids of the path, to which a cursor is bound.
        """
        # Requests with min_as_of or a cursor hardly ever repeat.
        is_new = "min_as_of" in query_string or "cursor" in query_string
        if len(query_string) > _MAX_CACHED_LENGTH or is_new:
            parameters = self._read(query_string)
        else:
            parameters = self._read_cached(query_string)
        page = parameters.page
        if page.cursor is None:
            return parameters
        if page.cursor.scope != scope_of(page.asked, path):
            said = "belongs to another query: send the path, the filters and the order that it was given with"
            raise RequestError(f"cursor {said}", "cursor", ErrorCode.BAD_CURSOR)
        try:
            position = read_position(page.position_fields, page.cursor.values)
        except ValidationError:
            raise RequestError(f"cursor takes {CURSOR.takes}", "cursor", ErrorCode.BAD_CURSOR) from None
        return replace(parameters, page=replace(page, position=position))

    def _read(self, query_string: str) -> Parameters:
        errors: dict[str, str] = {}
        texts = self._collect(query_string, errors)
        try:
            by_names = {name: values for name, values in texts.items() if name in self.parameters}
            loaded: dict[str, Any] = self._schema.load(by_names)
        except ValidationError as error:
            loaded = cast("dict[str, Any]", error.valid_data)
            reasons = cast("dict[str, list[str]]", error.messages)
            errors.update({name: messages[0] for name, messages in reasons.items()})
        if "attributes" in self.parameters:
            if loaded.get("attributes") is not None:
                errors["attributes"] = f"takes {ATTRIBUTE_VALUES.takes}"
            loaded["attributes"] = read_given(texts, errors)
        given_as = _unite_names(loaded, errors)
        _compare(loaded, given_as, errors)
        if errors:
            parts = [f"{name} {what}" for name, what in errors.items()]
            # This helps if an unknown name is similar to none.
            if _UNKNOWN in errors.values():
                parts.append(f"this endpoint takes {', '.join(self.parameters)}")
            raise RequestError("; ".join(parts), *_first(errors))
        if "limit" in loaded:
            # The other parameters may change from page to page. Absent filters are left out, so that a new filter
            # invalidates no cursor.
            others = (*OF_ONE_PAGE, *OF_ALL)
            asked = {
                name: value for name, value in loaded.items() if name not in others and value is not None
            }
            again = [
                (name, value)
                for name, values in texts.items()
                if name not in ("offset", "cursor")
                for value in dict.fromkeys(values)
            ]
            loaded["page"] = Page(
                loaded.pop("limit"),
                loaded.pop("offset", 0),
                loaded.pop("cursor", None),
                asked=orjson.dumps(asked, option=orjson.OPT_SORT_KEYS),
                query=urlencode(again, quote_via=quote, safe=",:"),
                position_fields=position_fields(self.operation, loaded.get("sort_by", "")),
            )
        return self._result(**loaded)

    def _collect(self, query_string: str, errors: dict[str, str]) -> dict[str, list[str]]:
        """Return the non-empty values of each known parameter, and add to `errors` what is wrong."""
        texts: dict[str, list[str]] = {}
        unknown: dict[str, str] = {}
        for name, value in query_pairs(query_string):
            # A query string can contain thousands of names.
            if len(errors) == _MAX_NAMED_ERRORS:
                errors["the rest"] = "was not checked"
                break
            if is_broken(f"{name}{value}"):
                errors[_NAMELESS if is_broken(name) else quoted(name)] = _UNREADABLE
            elif name in self.parameters or (
                "attributes" in self.parameters and given_name(name) is not None
            ):
                if value:
                    texts.setdefault(name, []).append(value)
            elif not _IGNORED.fullmatch(name) and quoted(name) not in errors:
                unknown[quoted(name)] = name
                errors[quoted(name)] = _UNKNOWN
        else:
            # Too many names are not misspellings, and the comparison would take longer than all else.
            for key, name in unknown.items():
                if near := nearest(name, self.parameters):
                    errors[key] += f" (did you mean {' or '.join(near)}?)"
        return texts


def _first(errors: Mapping[str, str]) -> tuple[str, ErrorCode]:
    """Return the parameter of the first of several errors, and its code."""
    name, what = next(iter(errors.items()))
    if name == "cursor":
        return name, ErrorCode.BAD_CURSOR
    # An unknown name is in quotes.
    parameter = "" if name == _NAMELESS else literal_eval(name) if name[0] in "'\"" else name
    return parameter, ErrorCode.UNKNOWN_PARAMETER if what.startswith(_UNKNOWN) else ErrorCode.BAD_VALUE


def _unite_names(loaded: MutableMapping[str, Any], errors: dict[str, str]) -> dict[str, str]:
    """Move each value to the main name of its parameter, and return the names by which they were given.

    Giving both names of a parameter is an error of the other name.
    """
    given_as: dict[str, str] = {}
    for other, names in OTHER_NAMES.items():
        value = loaded.pop(other, None)
        if value is None:
            continue
        for name, moment in zip(names, value if isinstance(value, tuple) else (value,), strict=True):
            if loaded.get(name) is not None:
                errors[other] = f"is another name of {given_as.get(name, name)}: give one of them"
            else:
                loaded[name] = moment
                given_as[name] = other
    return given_as


def _compare(loaded: Mapping[str, Any], given_as: Mapping[str, str], errors: dict[str, str]) -> None:
    """Add to `errors` each parameter that contradicts another one."""
    for least, greatest in (("min_total_score", "max_total_score"), ("from_date", "to_date")):
        low, high = loaded.get(least), loaded.get(greatest)
        if low is not None and high is not None and low > high:
            what = "after" if greatest == "to_date" else "above"
            errors[given_as.get(least, least)] = f"must not be {what} {given_as.get(greatest, greatest)}"
    if loaded.get("became_days") is not None and loaded.get("became") is None:
        errors["became_days"] = "needs became, which says what the leads became"
    if loaded.get("cursor") is not None and loaded.get("offset"):
        errors["cursor"] = "cannot be combined with an offset"


def _whole_buckets(**read: Any) -> Parameters:  # noqa: ANN401  # As they are read.
    """Return the parameters of a series. Raises RequestError if the range lacks a bound or is too long."""
    missing = [name for name in ("from_date", "to_date") if read[name] is None]
    if missing:
        message = "; ".join(f"{name} is missing: it takes {MOMENT.takes}" for name in missing)
        raise RequestError(message, missing[0], ErrorCode.MISSING_PARAMETER)
    length, most = BUCKETS[read["by"]]
    first, last = (
        moment - (moment - FIRST_MOMENT) % length for moment in (read["from_date"], read["to_date"])
    )
    if (last - first) // length >= most:
        raise RequestError(
            f"from_date and to_date are too far apart: by={read['by']} takes up to {most:,} {read['by']}s",
            "to_date",
        )
    return Parameters(**{**read, "from_date": first, "to_date": last})


QUERIES = {operation: Query(operation, parameters) for operation, parameters in OPERATIONS.items()}
"""The query of each operation that takes parameters."""
