"""The attributes of leads and conversations: those that a mapping declares, and the SQL that makes them."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from psycopg import sql

from projector.capture.reading import Column, Reading
from projector.database.sql import source_columns

LEVELS = {"extractions": "lead", "contacts": "lead", "conversations": "conversation"}
"""The relations that may give attributes, in order of precedence, and the level of these attributes."""

JSON_COLUMN, DECLARED_COLUMN = "attributes", "declared_attributes"
"""Columns of these relations in sql/definition/source_rows.sql: unchecked JSON, and declared attributes."""

MOST_DECLARED = 32
"""How many columns of a relation may be attributes."""

MOST_JSON_BYTES = 65_536
"""JSON with a longer text is left out as a whole, before it is read."""

# This replaces such JSON. It has one attribute with an impossible value, which counts as left out.
_TOO_LONG = """'{"attributes": "\\uffff"}'::jsonb"""

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_RESERVED = frozenset({JSON_COLUMN, DECLARED_COLUMN, "reply_window"})
_TIMES = ("timestamp without time zone", "timestamp with time zone")
_TYPES = {
    "text": "text",
    **dict.fromkeys(("smallint", "integer", "bigint", "numeric", "real", "double precision"), "number"),
    "boolean": "boolean",
    "date": "date",
    **dict.fromkeys(_TIMES, "time"),
}
_VALUES = {
    "text": "projector.attribute_text({}::text)",
    # The number is converted through its text, because a real has no more digits than it prints.
    "number": "projector.attribute_number({}::text::numeric)",
    "boolean": "to_jsonb({}::boolean)",
    "date": "projector.attribute_date({}::date)",
    "time": "projector.attribute_time({}::timestamptz)",
}
_LIST = (
    "(SELECT jsonb_agg(e.value ORDER BY e.place) FROM (SELECT {} AS value, u.place FROM unnest({})"
    " WITH ORDINALITY AS u (item, place)) AS e WHERE e.value IS NOT NULL)"
)
_TAKEN = "a text, an enum, a number, a boolean, a date, a timestamp or an array of these"


@dataclass(slots=True)
class Attribute:
    """An attribute that a mapping declares.

    `level` is lead or conversation. `type` is text, number, boolean, date, time or list; `item` is the
    type of the items of a list. `relations` are those that give it.
    """

    name: str
    level: str
    type: str
    item: str | None
    relations: list[str] = field(default_factory=list)


def is_attribute(relation: str, column: str) -> bool:
    """Return whether a column of a relation of a mapping is an attribute with its name."""
    return relation in LEVELS and (column not in source_columns()[relation] or column == DECLARED_COLUMN)


def declared_attributes(readings: Mapping[str, Reading]) -> list[Attribute]:
    """Return the attributes that the relations of a mapping declare, in order of precedence."""
    attributes: dict[tuple[str, str], Attribute] = {}
    for relation, level in LEVELS.items():
        for column in _columns(readings.get(relation), relation):
            of_type, item = _types_of(column) or ("text", None)
            made = attributes.setdefault((level, column.name), Attribute(column.name, level, of_type, item))
            made.relations.append(relation)
    return [*attributes.values()]


def attribute_misfits(readings: Mapping[str, Reading]) -> Iterator[str]:
    """Return in words what is wrong with the attributes of a mapping."""
    first: dict[str, tuple[str, str, tuple[str, str | None]]] = {}
    for relation, level in LEVELS.items():
        columns = _columns(readings.get(relation), relation)
        if len(columns) > MOST_DECLARED:
            yield (
                f"{relation}.sql gives {len(columns)} columns as attributes, and may give {MOST_DECLARED}:"
                f" give the others as keys of one column {JSON_COLUMN} of type jsonb"
            )
        for column in columns:
            if column.name in _RESERVED:
                yield f"{relation}.sql gives {column.name}, which is the name of no attribute: choose another one"
            elif not _NAME.fullmatch(column.name):
                yield (
                    f'{relation}.sql gives "{column.name}", and the name of an attribute has lower-case letters,'
                    " digits and _, begins with a letter, and has at most 40 characters"
                )
            elif (types := _types_of(column)) is None:
                is_json = column.base in {"json", "jsonb"}
                advice = f": give it as {JSON_COLUMN}, whose keys are attributes" if is_json else ""
                yield f"{relation}.sql gives {column.name} as {column.declared}, and an attribute is {_TAKEN}{advice}"
            else:
                before = first.setdefault(column.name, (relation, level, types))
                if before[1] != level:
                    yield (
                        f"{before[0]}.sql and {relation}.sql both give {column.name}, and an attribute is one of the"
                        " lead or of the conversation: rename one of them"
                    )
                elif before[2] != types:
                    yield (
                        f"{before[0]}.sql gives {column.name} as {_said(before[2])} and {relation}.sql as"
                        f" {_said(types)}: cast one of them"
                    )


def attribute_catalog(readings: Mapping[str, Reading]) -> dict[str, Any]:
    """Return the catalog of attributes for the API: those declared, and the levels at which JSON gives others.

    The shape is {"declared": [{"name", "type", "of", "from"}], "spreads": {"lead": ["contacts"], "conversation": []}}.
    """
    spreads: dict[str, list[str]] = {level: [] for level in LEVELS.values()}
    for relation, level in LEVELS.items():
        if relation in readings and JSON_COLUMN in readings[relation].origins:
            spreads[level].append(relation)
    declared = [
        {"name": made.name, "type": made.type, "of": made.level, "from": made.relations}
        for made in sorted(declared_attributes(readings), key=lambda made: made.name)
    ]
    return {"declared": declared, "spreads": spreads}


def types_of_level(readings: Mapping[str, Reading], level: str) -> str:
    """Return the declared attributes with their types at a level, as JSON for a literal of SQL.

    An attribute that is declared at the other level is `elsewhere`: no filter would find it at this one.
    """
    types = {
        made.name: made.type if made.level == level else "elsewhere" for made in declared_attributes(readings)
    }
    return sql.Literal(json.dumps(types)).as_string(None)


def attribute_columns(reading: Reading, relation: str) -> dict[str, str]:
    """Return the expressions of the two columns of attributes, for the rows r of a relation."""
    pairs = ", ".join(f"'{column.name}', {_value(column)}" for column in _columns(reading, relation))
    made = {}
    if pairs:
        made[DECLARED_COLUMN] = f"jsonb_strip_nulls(jsonb_build_object({pairs}))"
    given = {column.name: column.base for column in reading.columns}
    if JSON_COLUMN in given:
        value = f'r."{JSON_COLUMN}"'
        text = f"{value}::text"
        read = value if given[JSON_COLUMN] == "jsonb" else f"projector.read_json({text})"
        is_too_long = f"octet_length({text}) > {MOST_JSON_BYTES}"
        made[JSON_COLUMN] = f"CASE WHEN {is_too_long} THEN {_TOO_LONG} ELSE {read} END"
    return made


@dataclass(slots=True)
class LeftOutKey:
    """A key of JSON that is not an attribute.

    `kind` is `object`, `list` for a list of anything but scalars, or `name` for a name that no attribute can have.
    `rows` is the number of rows with it, `members` are names of scalars in it, `names` all keys of these rows.
    """

    key: str
    kind: str
    rows: int
    members: list[str]
    names: list[str]

    def renamed(self, json_column: str) -> dict[str, str]:
        """Return its parts that can be attributes, by valid names, each as an expression on the column of JSON."""
        literal = sql.Literal(self.key).as_string(None)
        if self.kind == "name":
            return {_fitting(self.key): f"{json_column} -> {literal}"}
        renamed = {}
        for member in self.members:
            if self.kind == "list":
                path = sql.Literal(f"$.{json.dumps(self.key)}[*].{json.dumps(member)}").as_string(None)
                expression = f"jsonb_path_query_array({json_column}, {path})"
            else:
                expression = f"{json_column} -> {literal} -> {sql.Literal(member).as_string(None)}"
            renamed[_fitting(f"{self.key}_{member}")] = expression
        return renamed

    def is_renamed(self) -> bool:
        """Return whether the JSON also has it under valid names."""
        renamed = self.renamed("")
        return bool(renamed) and renamed.keys() <= {*self.names}


def json_with(json_column: str, keys: Sequence[LeftOutKey]) -> str:
    """Return the expression of a column of JSON with these keys under valid names; keys that it has take precedence.

    It is empty if none of the keys can be an attribute.
    """
    pairs = {name: value for key in keys for name, value in key.renamed(json_column).items()}
    built = ", ".join(f"'{name}', {value}" for name, value in pairs.items())
    return f"jsonb_build_object({built}) || {json_column} AS {JSON_COLUMN}" if pairs else ""


def _fitting(key: str) -> str:
    """Return a name that an attribute may have for a key, by its ASCII letters and digits."""
    name = re.sub(r"[^a-z0-9]+", "_", key.lower()).strip("_")
    return (name if name[:1].isalpha() else f"a_{name}")[:40]


def _columns(reading: Reading | None, relation: str) -> Sequence[Column]:
    columns = reading.columns if reading is not None else ()
    return [column for column in columns if is_attribute(relation, column.name)]


def _types_of(column: Column) -> tuple[str, str | None] | None:
    """Return the type of an attribute, and of the items of a list; None for a column that is not an attribute."""
    if column.item is not None:
        item = _TYPES.get(column.item)
        return None if item is None else ("list", item)
    of_type = "text" if column.category == "E" else _TYPES.get(column.base)
    return None if of_type is None else (of_type, None)


def _said(types: tuple[str, str | None]) -> str:
    of_type, item = types
    return f"a {of_type}" if item is None else f"a list of {item}s"


def _value(column: Column) -> str:
    of_type, item = _types_of(column) or ("text", None)
    value = f'r."{column.name}"'
    if item is not None:
        return _LIST.format(_VALUES[item].format("u.item"), value)
    return _VALUES[of_type].format(value)
