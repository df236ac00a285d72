"""Reads the filters by attributes from a request, and resolves them by the catalog of attributes."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from marshmallow import ValidationError

from api.request.error_codes import RequestError
from api.request.kinds import Kind
from api.request.text import format_time, nearest, quoted, read_moment, trim

LEAD, CONVERSATION = "lead", "conversation"
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
MAX_ATTRIBUTES = 8
"""How many filters by attributes, and how many facets of attributes, a request may give."""

MAX_VALUES = 20
"""How many values a filter may have, and how many names a parameter."""

_GIVEN = re.compile(r"attributes\[([^\[\]]*)\]")
_COMMA = re.compile(r"(?<!\\),")
_NUMBER = re.compile(r"-?[0-9]{1,9999}(?:\.[0-9]{1,9999})?")
# A number in the form in which an answer prints it.
_PRINTED_NUMBER = re.compile(r"(?!-0$)-?(?:0|[1-9][0-9]{0,9998})(?:\.[0-9]{0,9998}[1-9])?")
_FLAGS = ("true", "false")
_ATTRIBUTES = "attributes."
_MOST_NAMED = 40
_TAKES = {
    "number": "a number such as 10, or a range such as 10..20, 10.. or ..20",
    "date": "a date such as 2025-01-31, or a range such as 2025-01-01..2025-01-31",
    "time": "a date such as 2025-01-31 or 2025-01-31T09:30:00Z, or a range of them with .. between",
    "boolean": "true or false",
}

Given = tuple[tuple[str, tuple[str, ...]], ...]
"""The names of the attributes by which a request filters, each with its values."""


class Contains(NamedTuple):
    """The attributes contain this JSON object."""

    json: str


class Path(NamedTuple):
    """The attributes match this jsonpath."""

    jsonpath: str


class Range(NamedTuple):
    """An attribute is at least `low` and at most `high`: a number, or a text compared bytewise. None means no bound."""

    is_number: bool
    low: Decimal | str | None
    high: Decimal | str | None


@dataclass(frozen=True, slots=True)
class AttributeCondition:
    """A condition on an attribute of a lead or of one of its conversations.

    The attribute may be at one of the `levels`, and has to have one of the `alternatives`. Without alternatives it has
    to exist, or with `is_absent` not to exist. A declared attribute (`is_declared`) has an index for ranges. The value
    of one with `is_list` may be a list.
    """

    name: str
    levels: tuple[str, ...]
    alternatives: tuple[Contains | Path | Range, ...] = ()
    is_absent: bool = False
    is_declared: bool = True
    is_list: bool = False

    @property
    def names_read(self) -> list[str]:
        """The names of the parts of the read model that the condition reads."""
        return [
            name_read(level, self.name) if self.is_declared else name_read(level) for level in self.levels
        ]


@dataclass(frozen=True, slots=True)
class Catalog:
    """The known attributes: those that the mapping declares, and the levels at which JSON gives any others.

    `declared` has the form in which `attribute_catalog` of the projector stores it. `unfilled` has the parts of the
    read model that no build has filled yet, and `unfilled_names` their names, such as `attributes.lead.city`.
    """

    declared: Sequence[Mapping[str, Any]] = ()
    spreads: Mapping[str, Sequence[str]] = field(default_factory=dict)
    unfilled: bytes | None = None
    unfilled_names: AbstractSet[str] = frozenset()

    @property
    def open_levels(self) -> tuple[str, ...]:
        """The levels at which JSON gives attributes of any name."""
        return tuple(level for level in (LEAD, CONVERSATION) if self.spreads.get(level))

    @property
    def has_conversations(self) -> bool:
        """Whether conversations can have attributes."""
        return CONVERSATION in self.open_levels or any(made["of"] == CONVERSATION for made in self.declared)

    @property
    def of_leads(self) -> tuple[tuple[str, str], ...]:
        """The declared attributes of leads that a build has filled, each with its type."""
        return tuple((made["name"], made["type"]) for made in self._filled if made["of"] == LEAD)

    @property
    def _filled(self) -> list[Mapping[str, Any]]:
        return [
            made for made in self.declared if name_read(made["of"], made["name"]) not in self.unfilled_names
        ]

    @property
    def printed(self) -> tuple[str, ...]:
        """Which attributes are printed: "-name" is left out; of a level with "-*", only "+name" is printed."""
        left_out = sorted(name for name in self.unfilled_names if name.startswith(_ATTRIBUTES))
        if not left_out:
            return ()
        kept = (name_read(made["of"], made["name"]) for made in self._filled)
        return (*(f"-{name}" for name in left_out), *(f"+{name}" for name in kept))

    def find(self, name: str, named: str) -> tuple[tuple[str, ...], str | None]:
        """Return the levels of an attribute, and its type; None if it is not declared.

        Raises ValueError if there is no such attribute; the message calls it `named`.
        """
        for made in self.declared:
            if made["name"] == name:
                return (made["of"],), made["type"]
        if self.open_levels:
            return self.open_levels, None
        names = [made["name"] for made in self.declared]
        near = nearest(name, names)
        meant = f" (did you mean {' or '.join(near)}?)" if near else ""
        there = ", ".join(names[:_MOST_NAMED]) or "none"
        raise ValueError(f"{named} names no attribute{meant}; there are: {there}")


def name_read(level: str, name: str = "*") -> str:
    """Return the name of the part of the read model that has an attribute, or all undeclared ones of a level."""
    return f"{_ATTRIBUTES}{level}.{name}"


def given_name(parameter: str) -> str | None:
    """Return the name in the brackets of a parameter such as attributes[city]; None for any other."""
    match = _GIVEN.fullmatch(parameter)
    return None if match is None else match[1]


def split_values(texts: Sequence[str]) -> tuple[str, ...]:
    """Return the values of a filter, separated by commas; a comma after a backslash is part of a value."""
    parts = (trim(part.replace("\\,", ",")) for text in texts for part in _COMMA.split(text))
    return tuple(dict.fromkeys(part for part in parts if part))


def read_name(text: str) -> str:
    """Return the name of an attribute. Raises ValueError if the text is not one."""
    if NAME.fullmatch(text) is None:
        raise ValueError(text)
    return text


def few_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return the names. Raises ValidationError if there are too many."""
    if len(names) > MAX_VALUES:
        raise ValidationError(f"takes at most {MAX_VALUES} names")
    return tuple(names)


ATTRIBUTE_NAMES = Kind(
    "the names of attributes, separated by commas",
    {"type": "array", "items": {"type": "string", "pattern": f"^{NAME.pattern}$"}},
    read_name,
    several=few_names,
)
ATTRIBUTE_VALUES = Kind(
    "a name in brackets, as in attributes[city]=Mumbai",
    {"type": "object", "additionalProperties": {"type": "string"}},
    str,
)


def read_given(texts: Mapping[str, Sequence[str]], errors: dict[str, str]) -> Given | None:
    """Return the filters by attributes among the parameters, and add to `errors` what is wrong."""
    named = {parameter: name for parameter in texts if (name := given_name(parameter)) is not None}
    if len(named) > MAX_ATTRIBUTES:
        errors["attributes"] = f"takes at most {MAX_ATTRIBUTES} names"
        return None
    given: list[tuple[str, tuple[str, ...]]] = []
    for parameter, name in named.items():
        values = split_values(texts[parameter])
        if NAME.fullmatch(name) is None:
            errors[quoted(parameter)] = "names no attribute: a name has lower-case letters, digits and _"
        elif not 0 < len(values) <= MAX_VALUES:
            errors[parameter] = f"takes 1 to {MAX_VALUES} values"
        else:
            given.append((name, values))
    return tuple(sorted(given)) or None


def read_conditions(
    given: Given | None, present: Sequence[str] | None, absent: Sequence[str] | None, catalog: Catalog
) -> tuple[AttributeCondition, ...]:
    """Return the conditions of filters by attributes. Raises RequestError, which names each wrong filter."""
    errors: list[str] = []
    made: list[AttributeCondition] = []
    asked = [(name, f"attributes[{name}]", values) for name, values in given or ()]
    asked += [(name, "with_attributes", ()) for name in present or ()]
    asked += [(name, "without_attributes", ()) for name in absent or ()]
    for name, named, values in asked:
        try:
            levels, of_type = catalog.find(name, named)
            parts = tuple(part for value in values for part in _alternatives(name, of_type, value, named))
        except ValueError as error:
            errors.append(str(error))
        else:
            is_absent, is_declared = named == "without_attributes", of_type is not None
            made.append(AttributeCondition(name, levels, parts, is_absent, is_declared))
    if len(made) > MAX_ATTRIBUTES:
        errors.append(
            f"attributes takes at most {MAX_ATTRIBUTES} filters, with_attributes and without_attributes among them"
        )
    if errors:
        parameter = errors[0].partition(" ")[0]
        raise RequestError("; ".join(dict.fromkeys(errors)), parameter)
    return tuple(made)


def read_facets(names: Sequence[str], catalog: Catalog) -> tuple[AttributeCondition, ...]:
    """Return the attributes whose values are counted. Raises RequestError for an unknown name."""
    if len(names) > MAX_ATTRIBUTES:
        raise RequestError(f"facets takes at most {MAX_ATTRIBUTES} attributes", "facets")
    try:
        return tuple(
            AttributeCondition(
                name, levels, is_declared=of_type is not None, is_list=of_type in (None, "list")
            )
            for name in names
            for levels, of_type in [catalog.find(name, f"facets=attributes.{name}")]
        )
    except ValueError as error:
        raise RequestError(str(error), "facets") from None


def _alternatives(name: str, of_type: str | None, value: str, named: str) -> list[Contains | Path | Range]:
    """Return the forms in which a value may be stored. Raises ValueError, which says what the attribute takes."""
    made: list[Contains | Path | Range] = []
    try:
        if of_type in ("date", "time"):
            made.append(_moment_range(of_type, value.split("..") if ".." in value else [value, value]))
        elif of_type == "number" and ".." in value:
            made.append(_number_range(value))
    except ValueError:
        raise ValueError(f"{named} takes {_TAKES[of_type or 'number']}") from None
    if of_type is None and (path := _path_of_range(name, value)):
        return [path]
    key = json.dumps(name)
    scalars = list(_scalars(of_type, value))
    if of_type != "list":
        made += [Contains(f"{{{key}:{scalar}}}") for scalar in scalars]
    if of_type in (None, "list"):
        made += [Contains(f"{{{key}:[{scalar}]}}") for scalar in scalars]
    if not made:
        raise ValueError(f"{named} takes {_TAKES[of_type or 'number']}")
    return made


def _path_of_range(name: str, value: str) -> Path | None:
    """Return the path of a number within a range, or of the same text; None if the value is not a range."""
    try:
        _, low, high = _number_range(value)
    except ValueError:
        return None
    bounds = [f"@ {sign} {end:f}" for sign, end in ((">=", low), ("<=", high)) if end is not None]
    text = f"@ == {json.dumps(value)}"
    # Only in strict mode does a comparison with a list not compare its items.
    return Path(f'strict $."{name}" ? (({" && ".join(bounds)}) || {text} || exists(@[*] ? ({text})))')


def _scalars(of_type: str | None, value: str) -> Iterator[str]:
    """Return the JSON values that a text may stand for.

    If the type is not known, these are all values that print as this text: 10 is a text and a number, 010 is a text.
    """
    if of_type in (None, "text", "list"):
        yield json.dumps(value)
    if of_type in (None, "list") and (_PRINTED_NUMBER.fullmatch(value) or value in _FLAGS):
        yield value
    if of_type == "number" and _NUMBER.fullmatch(value):
        yield f"{Decimal(value):f}"
    if of_type == "boolean" and value.lower() in _FLAGS:
        yield value.lower()


def _number_range(value: str) -> Range:
    """Return a range of numbers, of which one may be missing. Raises ValueError if the text is not a range."""
    first, last = map(trim, value.split(".."))
    if not (first or last) or not all(not end or _NUMBER.fullmatch(end) for end in (first, last)):
        raise ValueError(value)
    low, high = (Decimal(end) if end else None for end in (first, last))
    return Range(True, low, high)  # noqa: FBT003  # True means numbers.


def _moment_range(of_type: str, bounds: Sequence[str]) -> Range:
    """Return a range of dates or times in their printed form. Raises ValueError if the texts are not a range."""
    first, last = bounds
    if not (first.strip() or last.strip()):
        raise ValueError(bounds)
    write = (lambda moment: moment.isoformat()[:10]) if of_type == "date" else format_time
    low = write(read_moment(trim(first))[0]) if first.strip() else None
    high = write(read_moment(trim(last))[1]) if last.strip() else None
    return Range(False, low, high)  # noqa: FBT003  # False means texts.
