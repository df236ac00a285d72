"""Reads schema.sql: its sections, and the tables and columns that it describes."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import LiteralString

_PACKAGE = Path(__file__).parents[1]
ROOT = _PACKAGE if (_PACKAGE / "schema.sql").is_file() else _PACKAGE.parent
"""The folder that holds `sql/` and `schema.sql`."""

_SECTION = re.compile(r"^-- section: (\w+)$", re.MULTILINE)
_TABLE = re.compile(r"((?:^-- .*\n)*)^CREATE TABLE IF NOT EXISTS ([\w.]+) \(\n((?:^    .*\n)*)", re.MULTILINE)
_COLUMN = re.compile(r"((?:^    -- .*\n)*)^    ([a-z_]\w*) (.+?)(?=,?$)", re.MULTILINE)
# A partial unique index besides a primary key is not the key of its table.
_KEY = re.compile(r"PRIMARY KEY \(([\w, ]+)\)|^    ([a-z_]\w*) .*PRIMARY KEY", re.MULTILINE)
_UNIQUE = r"CREATE UNIQUE INDEX IF NOT EXISTS \w+ ON {table} \(\s*([\w, \n]+?)\s*\) NULLS"
_CONSTRAINT = re.compile(r" (?:NOT NULL|DEFAULT|GENERATED|PRIMARY KEY|CHECK)\b.*")

# Columns that are written with a row, but that no step computes or compares.
_NOT_COMPARED = {"read_model.leads": {"version"}, "read_model.lead_status_changes": {"version"}}


@dataclass(frozen=True, slots=True)
class Table:
    """One of our tables: its qualified name, its description, and its columns in order, each with its description.

    `compared` are the columns that steps compute and compare; `types` has the type of each, with its collation. `key`
    is the primary key, or else the unique index; `lookup` are the columns of the key that are never null, by which an
    index finds rows; `values` are the compared columns outside of the key: in a table of statistics, the numbers of
    leads.
    """

    name: str
    description: str
    columns: dict[str, str]
    compared: tuple[str, ...]
    types: tuple[str, ...]
    key: tuple[str, ...]
    lookup: tuple[str, ...]
    values: tuple[str, ...]


@cache
def sections() -> dict[str, LiteralString]:
    """Return the sections of schema.sql by name, in order."""
    text: LiteralString = (ROOT / "schema.sql").read_text("utf-8")
    pieces = _SECTION.split(text)
    return dict(zip(pieces[1::2], pieces[2::2], strict=True))


@cache
def tables() -> dict[str, Table]:
    """Return the tables of the read model, the projector and the keys by their qualified names, in order."""
    text = "".join(sections()[name] for name in ("read_model", "projector", "access"))
    found = (_read_table(text, *pieces) for pieces in _TABLE.findall(text))
    return {table_.name: table_ for table_ in found}


def table(name: str) -> Table:
    """Return a table of the read model, or of `projector.TABLE`."""
    for qualified in (name, f"read_model.{name}", f"projector.{name}"):
        if qualified in tables():
            return tables()[qualified]
    raise LookupError(f"schema.sql has no table {name}.")


@cache
def source_tables() -> dict[str, tuple[str, ...]]:
    """Return the platform's tables by name, in order, each with its columns."""
    created = _TABLE.findall(sections()["source"])
    return {name: tuple(column for _, column, _ in _COLUMN.findall(body)) for _, name, body in created}


@cache
def source_commands() -> LiteralString:
    """Return the commands that create the platform's tables, with placeholders for their names."""
    tables = "|".join(source_tables())
    return re.sub(rf"\b(EXISTS|REFERENCES|ON) ({tables})\b", r"\1 {\2}", sections()["source"])


def comments(*, of_access: bool) -> LiteralString:
    """Return the commands that store the descriptions of tables and columns, of `leads_access` or of the others.

    A column without a description gets that of the first column with its name.
    """
    commands: list[LiteralString] = []
    first: dict[str, LiteralString] = {}
    for table_ in tables().values():
        is_wanted = table_.name.startswith("leads_access.") == of_access
        commands += [f"COMMENT ON TABLE {table_.name} IS '{table_.description}';"] * is_wanted
        for name, text in table_.columns.items():
            first.setdefault(name, text)
            commands += [f"COMMENT ON COLUMN {table_.name}.{name} IS '{text or first[name]}';"] * is_wanted
    return "\n".join(commands)


def _read_table(text: str, comment: str, name: str, body: str) -> Table:
    columns = {column: (_joined(said), declared) for said, column, declared in _COLUMN.findall(body)}
    primary, unique = _KEY.search(body), re.search(_UNIQUE.format(table=name), text)
    columns_of_key = next(filter(None, primary.groups())) if primary else unique[1] if unique else ""
    key = tuple(columns_of_key.replace(",", " ").split())
    compared = tuple(column for column in columns if column not in _NOT_COMPARED.get(name, ()))
    return Table(
        name,
        _joined(comment),
        {column: said for column, (said, _) in columns.items()},
        compared,
        tuple(f"{column} {_CONSTRAINT.sub('', columns[column][1])}" for column in compared),
        key,
        tuple(column for column in key if "NOT NULL" in columns[column][1]),
        tuple(column for column in compared if column not in key),
    )


def _joined(comment: str) -> str:
    """Return the text of these lines of a comment, escaped for a literal of SQL."""
    lines = (line.strip().removeprefix("--").strip() for line in comment.splitlines())
    return " ".join(lines).replace("'", "''")
