"""The texts of a mapping: which rows of the platform are conversations and so on, and what a changed row touches.

A mapping is a folder of plain SQL, such as sql/mapping/: a SELECT for each relation, rules in changes.sql, and in
optional.sql what may be missing. This module reads the texts without PostgreSQL; `reading` and `fit` use
PostgreSQL.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, reduce
from itertools import pairwise
from pathlib import Path

from projector.database.ownership import require_trusted
from projector.database.rows import Connection, value
from projector.database.schema import ROOT
from projector.database.source_names import is_noted, quoted
from projector.database.sql import query, required_columns
from projector.report.errors import ConfigurationError

DEFAULT = "default"
"""The name of the mapping of the reference tables."""
_FOLDER = ROOT / "sql" / "mapping"
RELATIONS = required_columns()
"""The relations, each with the columns that it has to have. The first one is its key."""
_REQUIRED = ("conversations", "messages", "changes")
_FILES = (*RELATIONS, "changes", "optional")
# A comment may stand in another one, four deep here.
_COMMENT = reduce(lambda inner, _: rf"/\*(?:(?!/\*|\*/).|{inner})*\*/", range(4), "(?!)")
_NOT_READ = re.compile(
    r"""(?P<kept>(?P<name>"[^"]*")|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(?<!\w)\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"""
    rf"|--[^\n]*|{_COMMENT}",
    re.DOTALL,
)
"""Matches a quoted name, a literal or a comment. Of these, only a quoted name can name a table or column."""
NAME = r'(?:"[^"]+"|\w+)'
_FROM = re.compile(
    rf"(?<!DISTINCT\s)\b(FROM|JOIN)(\s+)((?:{NAME}\.)?{NAME})(\s+AS\s+)({NAME})", re.IGNORECASE
)
_WITH = re.compile(rf"({NAME})(?:\s*\([^()]*\))?\s+AS\s+(?:(?:NOT\s+)?MATERIALIZED\s*)?\(", re.IGNORECASE)
_FROM_OR_NOT_READ = re.compile(f"{_FROM.pattern}|{_NOT_READ.pattern}", re.IGNORECASE | re.DOTALL)
_COLUMN = r'\b(\w+)\.("?\w+"?(?:\s*(?:->>?|#>>?)\s*\'[^\']*\'|::\w+)*)\)?((?:::\w+)*)'
_JOINED = re.compile(rf"{_COLUMN}\s*=\s*\(?{_COLUMN}")
_CHANGED = re.compile(r'"(?:([^".]+)\.)?([^".]+)\.([^".]+)"')
_FIXED = re.compile(
    rf"\b(\w+)\.({NAME})(?:::\w+)?\s*(?:[=<>]+|IN\s*\()\s*(?:'|-?\d|true\b|false\b)", re.IGNORECASE
)
Join = tuple[dict[str, str], str]
"""The tables of two aliases, and the condition by which they are joined."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a mapping, by the names of its files without their ending."""

    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """A digest that changes with the texts, but not with comments or white space."""
        words = {name: without_comments(text).split() for name, text in sorted(self.files.items())}
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()

    def rules(self) -> list[str]:
        """Return the statements of changes.sql."""
        text = without_comments(self.files.get("changes", ""))
        # A semicolon in a literal or in a name ends nothing.
        masked = _NOT_READ.sub(lambda match: " " * len(match[0]), text)
        ends = [-1, *(end.start() for end in re.finditer(";", masked)), len(text)]
        return [text[at + 1 : end] for at, end in pairwise(ends) if text[at + 1 : end].strip()]

    def relations(self) -> dict[str, str]:
        """Return the text of each relation that the mapping has."""
        texts = {name: without_comments(self.files[name]) for name in RELATIONS if name in self.files}
        return {name: text.rstrip().rstrip(";") for name, text in texts.items()}

    def selects(self) -> list[str]:
        """Return the texts of the relations and the rules."""
        return [*self.relations().values(), *self.rules()]

    def changed(self) -> list[tuple[str, str, str]]:
        """Return the written schema, the table and the column of the changed rows of each rule."""
        return [found for text in self.rules() for found in _CHANGED.findall(bare(text))[:1]]

    def captured(self) -> list[str]:
        """Return the tables whose changed rows are queued."""
        return [table for _, table, _ in self.changed()]

    def schemas(self) -> dict[str, set[str]]:
        """Return the schemas with which each table is written; "" if it is written without one."""
        schemas: dict[str, set[str]] = {}
        for written in (table for text in self.selects() for table, _ in _read_by(text)):
            before = re.findall(NAME, written)[:-1]
            schemas.setdefault(plain(written), set()).add(plain(before[0]) if before else "")
        for schema, table, _ in self.changed():
            schemas.setdefault(table, set()).add(schema)
        return schemas

    def left_alone(self) -> set[str]:
        """Return the tables that only tenants.sql reads. A login that does not own them reads no names."""
        others = [text for name, text in self.relations().items() if name != "tenants"]
        return {*named(self.files.get("tenants", ""))} - {table for text in others for table in named(text)}

    def alias_of(self, relation: str, table: str) -> str:
        """Return the first alias under which a relation reads a table."""
        read = aliases(self.files[relation])
        return next((alias for alias, name in read.items() if name == table), table)

    def tables(self) -> dict[str, dict[str, None]]:
        """Return the named tables, each with its named columns."""
        columns_of: dict[str, dict[str, None]] = {}
        for _, table, column in self.changed():
            columns_of.setdefault(table, {}).setdefault(column)
        for text in self.selects():
            for table, columns in named(text).items():
                columns_of.setdefault(table, {}).update(columns)
        return columns_of


def default_mapping() -> Texts:
    """Return the mapping of the reference tables."""
    return _read_folder(_FOLDER)


def read_mapping(given: str) -> Texts:
    """Return the mapping of a folder, or the default one. Raises ConfigurationError if the folder is not a mapping."""
    if given == DEFAULT:
        return default_mapping()
    folder = Path(given)
    if not folder.is_dir():
        raise ConfigurationError(
            f"There is no folder {given}: --mapping takes one with files of SQL, or {DEFAULT}."
        )
    names = sorted(path.name for path in folder.iterdir())
    files = [f"{name}.sql" for name in _FILES]
    others = [name for name in names if name not in files]
    lacking = [f"{name}.sql" for name in _REQUIRED if f"{name}.sql" not in names]
    if others or lacking:
        problem = f"holds {', '.join(others)}" if others else f"has no {', '.join(lacking)}"
        raise ConfigurationError(
            f"The folder {given} {problem}: a mapping has the files {', '.join(files)}, and at least"
            f" {', '.join(f'{name}.sql' for name in _REQUIRED)}."
        )
    return _read_folder(folder)


def stored_mapping(conn: Connection) -> Texts:
    """Return the mapping that the last `migrate` has stored, or the default one.

    Raises ProjectorError if somebody else could have stored it, because its texts run with the rights of the login.
    """
    if is_noted(conn):
        require_trusted(conn)
        noted = value(conn, query("database", "read_setting"), {"name": "mapping"})
        stored: dict[str, str] = json.loads(noted or "{}")
        if stored:
            return Texts(stored)
    return default_mapping()


def note_mapping(conn: Connection, mapping: Texts) -> None:
    """Store a mapping, unless it is the default one, which comes with the program."""
    files = {} if mapping.digest == default_mapping().digest else mapping.files
    conn.execute(query("database", "note_setting"), {"name": "mapping", "value": json.dumps(dict(files))})


def _read_folder(folder: Path) -> Texts:
    try:
        return Texts({file.stem: file.read_text("utf-8") for file in sorted(folder.glob("*.sql"))})
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"The folder {folder} cannot be read as SQL in UTF-8: {error}.") from error


# Cached, because a migration needs them for the same few texts again and again.
@lru_cache(maxsize=256)
def bare(text: str) -> str:
    """Return SQL without comments, and with an empty literal in place of each one."""
    return _NOT_READ.sub(lambda match: match["name"] or ("''" if match["kept"] else " "), text)


@lru_cache(maxsize=256)
def without_comments(text: str) -> str:
    """Return SQL without its comments."""
    return _NOT_READ.sub(lambda match: match["kept"] or " ", text)


def _read_by(text: str) -> list[tuple[str, str]]:
    """Return the tables after FROM and JOIN in their written form, each with its alias, without queries of WITH."""
    text = bare(text)
    own = _queries_of_with(text)
    found = [match.groups()[2:5:2] for match in _FROM_OR_NOT_READ.finditer(text) if match[1]]
    return [(table, alias) for table, alias in found if _is_table(table, own)]


def _is_table(written: str, own: Collection[str]) -> bool:
    return "." in written or plain(written) not in own


def _queries_of_with(text: str) -> set[str]:
    return {plain(name) for name in _WITH.findall(bare(text))}


def named(text: str) -> dict[str, dict[str, None]]:
    """Return the tables after FROM and JOIN, each with the columns that are named by its alias."""
    text = bare(text)
    columns_of: dict[str, dict[str, None]] = {}
    for table, alias in _read_by(text):
        columns = re.findall(rf'(?<!["\w.]){re.escape(alias)}\.({NAME})', text, re.IGNORECASE)
        columns_of.setdefault(plain(table), {}).update(dict.fromkeys(map(plain, columns)))
    return columns_of


def plain(name: str) -> str:
    """Return a name in the form of the catalog, without its schema."""
    name = re.findall(NAME, name)[-1]
    return name.strip('"') if name.startswith('"') else name.lower()


@dataclass(frozen=True, slots=True)
class Side:
    """A side of an equation: a column of the table of an alias, perhaps with a path into its JSON, and with a cast."""

    alias: str
    table: str
    column: str
    cast: str

    def __str__(self) -> str:
        """Return the side as SQL."""
        return f"({self.alias}.{self.column}){self.cast}"

    @property
    def place(self) -> tuple[str, str]:
        """The table and the column."""
        return self.table, plain(re.split(r"::|\s*[-#]>", self.column)[0])


def aliases(text: str) -> dict[str, str]:
    """Return the table of each alias of a text."""
    return {alias: plain(table) for table, alias in _read_by(text)}


def equal_sides(text: str) -> Iterator[tuple[Side, Side]]:
    """Return the two sides of each equation in a text by which it joins tables."""
    tables = aliases(text)
    # A literal may be a path into JSON.
    for alias, column, cast, other, other_column, other_cast in _JOINED.findall(without_comments(text)):
        if alias != other and {alias, other} <= tables.keys():
            yield (
                Side(alias, tables[alias], column, cast),
                Side(other, tables[other], other_column, other_cast),
            )


def joined_columns(mapping: Texts) -> Iterator[Join]:
    """Return which tables the texts join."""
    for text in mapping.selects():
        joins: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for sides in equal_sides(text):
            ends = sorted(sides, key=lambda side: side.alias)
            joins.setdefault(tuple((end.alias, end.table) for end in ends), []).append(
                f"{sides[0]} = {sides[1]}"
            )
        for aliases, equals in joins.items():
            yield dict(aliases), " AND ".join(equals)


def fixed_columns(mapping: Texts, table: str) -> set[str]:
    """Return the columns of a table that the texts compare with a constant."""
    return {
        plain(column)
        for text in mapping.selects()
        for alias, column in _FIXED.findall(bare(text))
        if aliases(text).get(alias) == table
    }


def locate(text: str, schemas: Mapping[str, str], absent: Mapping[str, Mapping[str, str | None]]) -> str:
    """Return the text with the schema of each table after FROM and JOIN, and with nulls for absent columns.

    PostgreSQL replaces a sub-select without a condition by its table.
    """
    relations = quoted(schemas)
    own = _queries_of_with(text)

    def located(match: re.Match[str]) -> str:
        word, space, written, middle, alias = match.groups()[:5]
        if word is None or not _is_table(written, own):
            return match[0]
        table = plain(written)
        relation = relations.get(table, written)
        if table in absent:
            # Named one by one, because the platform may add an absent column at any moment.
            present = [column for column in named(text)[table] if column not in absent[table]]
            nulls = [f"NULL::{kind} AS {column}" for column, kind in absent[table].items()]
            relation = f"(SELECT {', '.join([*present, *nulls])} FROM {relation})"  # noqa: S608  # Names of tables.
        return f"{word}{space}{relation}{middle}{alias}"

    return _FROM_OR_NOT_READ.sub(located, text)
