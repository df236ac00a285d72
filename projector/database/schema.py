"""Reads schema.sql: its sections, and the tables and columns that it describes."""

import re
from dataclasses import dataclass
from functools import cache
from itertools import takewhile
from pathlib import Path
from typing import LiteralString

_PACKAGE = Path(__file__).parents[1]
_ROOT = _PACKAGE if (_PACKAGE / "schema.sql").is_file() else _PACKAGE.parent

_SECTION = re.compile(r"^-- section: (\w+)$", re.MULTILINE)
_TABLE = re.compile(r"((?:^-- .*\n)*)^CREATE TABLE IF NOT EXISTS ([\w.]+) \(\n((?:^    .*\n)*)", re.MULTILINE)
_COLUMN = re.compile(r"((?:^    -- .*\n)*)^    ([a-z_]\w*) ", re.MULTILINE)
_TYPE = re.compile(
    r"^    ([a-z_]\w*) (.+?)(?: NOT NULL| DEFAULT| GENERATED| PRIMARY KEY| CHECK| REFERENCES|,?$)",
    re.MULTILINE,
)
_KEY = re.compile(r"PRIMARY KEY \(([\w, ]+)\)")
_UNIQUE = re.compile(r"CREATE UNIQUE INDEX IF NOT EXISTS \w+ ON ([\w.]+) \(\s*([\w, \n]+?)\s*\)")


# Columns that are written with a row and are no part of what it is: no step computes or compares them.
_NOT_COMPARED = {"read_model.leads": frozenset({"version"})}


@dataclass(frozen=True, slots=True)
class Table:
    """A table of ours: its qualified name, its description, and its columns in order, each with its description.

    `key` is its primary key, else its unique index; `required` are the columns that are declared NOT NULL; `types` has
    the type of each column, with its collation.
    """

    name: str
    description: str
    columns: dict[str, str]
    key: tuple[str, ...]
    required: frozenset[str]
    types: dict[str, str]


@cache
def sections() -> dict[str, LiteralString]:
    """Return the sections of schema.sql by name, in order."""
    pieces = _SECTION.split(_text())
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@cache
def tables() -> dict[str, Table]:
    """Return the tables of the read model, the projector and the keys by their qualified names, in order."""
    text = "".join(sections()[name] for name in ("read_model", "projector", "access"))
    unique = {name: tuple(columns.replace(",", " ").split()) for name, columns in _UNIQUE.findall(text)}
    found = {}
    for comment, name, body in _TABLE.findall(text):
        key = _KEY.search(body)
        columns = {column: _joined(description) for description, column in _COLUMN.findall(body)}
        inline = re.search(r"^    (\w+) .*PRIMARY KEY", body, re.MULTILINE)
        # A partial unique index, beside a primary key, is no key of the table.
        own = (inline[1],) if inline else unique.get(name, ())
        keys = tuple(key[1].split(", ")) if key else own
        required = frozenset(re.findall(r"^    (\w+) .* NOT NULL", body, re.MULTILINE))
        types = dict(_TYPE.findall(body))
        found[name] = Table(name, _joined(comment), columns, keys, required, types)
    return found


def table_columns(name: str) -> tuple[str, ...]:
    """Return the columns of a table of the read model, or of `projector.TABLE`, in the order of schema.sql.

    Those that are no part of what a row is are left out.
    """
    table = _table(name)
    left_out = _NOT_COMPARED.get(table.name, frozenset())
    return tuple(column for column in table.columns if column not in left_out)


def typed_columns(name: str) -> tuple[str, ...]:
    """Return the columns of a table in order, each with its type, as CREATE TABLE takes them."""
    table = _table(name)
    return tuple(f"{column} {table.types[column]}" for column in table_columns(name))


def key_columns(name: str) -> tuple[str, ...]:
    """Return the columns of a table's key: its primary key, else its unique index."""
    return _table(name).key


def value_columns(name: str) -> tuple[str, ...]:
    """Return the columns that are not part of a table's key; in a table of statistics, the numbers of leads."""
    key = key_columns(name)
    return tuple(column for column in table_columns(name) if column not in key)


def lookup_columns(name: str) -> tuple[str, ...]:
    """Return the first columns of a table's key that are never null: an index finds rows by them."""
    table = _table(name)
    return tuple(takewhile(table.required.__contains__, table.key))


@cache
def source_tables() -> tuple[str, ...]:
    """Return the names of the platform's tables, in order."""
    return tuple(re.findall(r"CREATE TABLE IF NOT EXISTS (\w+)", sections()["source"]))


@cache
def source_commands() -> LiteralString:
    """Return the commands that create the platform's tables, which they name by placeholders."""
    tables = "|".join(source_tables())
    return re.sub(rf"\b(EXISTS|REFERENCES|ON) ({tables})\b", r"\1 {\2}", sections()["source"])


def comments() -> list[tuple[str, str | None, str]]:
    """Return each description: table, column (None for the table itself), text."""
    return [
        described
        for table in tables().values()
        for described in (
            (table.name, None, table.description),
            *((table.name, column, text) for column, text in table.columns.items()),
        )
    ]


def _table(name: str) -> Table:
    found = tables()
    for qualified in (name, f"read_model.{name}", f"projector.{name}"):
        if qualified in found:
            return found[qualified]
    raise LookupError(f"schema.sql has no table {name}.")


def _joined(comment: str) -> str:
    return " ".join(line.strip().removeprefix("--").strip() for line in comment.splitlines())


def _text() -> LiteralString:
    return (_ROOT / "schema.sql").read_text("utf-8")
