"""The mapping: which rows of the platform are conversations, messages and so on, and what a changed row touches.

A mapping is a folder of plain SQL, such as sql/mapping/: a SELECT for each relation, rules in changes.sql, and in
optional.sql what may be missing. PostgreSQL itself says what a text reads: of each a view is made, and rolled back.
"""

import hashlib
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

from projector.capture.attributes import attribute_columns, attribute_misfits, is_attribute
from projector.capture.source import SourceRelation, describe_missing, find_source
from projector.database.kinds import key_kinds, kinds
from projector.database.ownership import require_trusted
from projector.database.rows import Connection, only_row, value
from projector.database.schema import ROOT
from projector.database.source_names import SourceTable, find_schemas, is_noted, known_columns, quoted
from projector.database.sql import query, required_columns, source_columns
from projector.report.errors import ConfigurationError

DEFAULT = "default"
"""The name of the mapping of the reference tables."""

_FOLDER = ROOT / "sql" / "mapping"

RELATIONS = required_columns()
"""The relations, each with the columns that it has to have. The first one is its key."""

_REQUIRED = ("conversations", "messages", "changes")
_FILES = (*RELATIONS, "changes", "optional")

_WANTED = {
    "text": "text, varchar or an enum",
    "timestamptz": "timestamp or timestamptz",
    "boolean": "boolean",
    "integer": "integer, smallint or bigint",
    "jsonb": "json or jsonb",
    "interval": "interval",
}
_WANTED_ID = "text, varchar, uuid, bigint or integer"
_NUMBERS = {"integer", "smallint", "bigint"}
_PHONES = {"customer_phone", "phone"}

_CASTS = {
    "text": "of_key",
    "uuid": "CASE WHEN of_key ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN of_key::uuid END",
    "bigint": "CASE WHEN of_key !~ '^(0|-?[1-9][0-9]{0,18})$' THEN NULL"
    " WHEN of_key::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN of_key::bigint END",
}
"""How a text becomes an id of a type: null where no id is written so, since such a key is none of the platform's."""

# A comment may stand in another one, four deep here.
_COMMENT = reduce(lambda inner, _: rf"/\*(?:(?!/\*|\*/).|{inner})*\*/", range(4), "(?!)")
_NOT_READ = re.compile(
    r"""(?P<kept>(?P<name>"[^"]*")|\b[eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|(?<!\w)\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"""
    rf"|--[^\n]*|{_COMMENT}",
    re.DOTALL,
)
"""A name in quotes, a literal or a comment: of these, only a name names anything."""

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
_UNFOUND = re.compile(r'^(?:type "(\w+)"|function (\w+)\()')
_UNNAMED = (
    ": write FROM table AS alias, with JOIN and no comma, and give no query of WITH the name of a table"
)
_WHOLE_ROW = re.compile(r"\b\w+\.\*")


Join = tuple[dict[str, str], str]
"""The tables of two aliases, and the condition by which they are joined."""


@dataclass(frozen=True, slots=True)
class Texts:
    """The texts of a mapping, by the names of its files without their ending."""

    files: Mapping[str, str]

    @property
    def digest(self) -> str:
        """What changes with the texts; comments and white space do not count."""
        words = {name: _without_comments(text).split() for name, text in sorted(self.files.items())}
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()

    def rules(self) -> list[str]:
        """Return the statements of changes.sql."""
        text = _without_comments(self.files.get("changes", ""))
        # A semicolon in a literal or in a name ends nothing.
        masked = _NOT_READ.sub(lambda match: " " * len(match[0]), text)
        ends = [-1, *(end.start() for end in re.finditer(";", masked)), len(text)]
        return [text[at + 1 : end] for at, end in pairwise(ends) if text[at + 1 : end].strip()]

    def relations(self) -> dict[str, str]:
        """Return the text of each relation that the mapping has."""
        texts = {name: _without_comments(self.files[name]) for name in RELATIONS if name in self.files}
        return {name: text.rstrip().rstrip(";") for name, text in texts.items()}

    def captured(self) -> list[str]:
        """Return the tables of which changed rows are queued."""
        return [table for text in self.rules() for _, table, _ in _CHANGED.findall(bare(text))[:1]]

    def schemas(self) -> dict[str, set[str]]:
        """Return the schemas with which each table is written; an empty text where it is written without one."""
        schemas: dict[str, set[str]] = {}
        for text in (*self.relations().values(), *self.rules()):
            for written, _ in _read_by(text):
                schema = re.findall(NAME, written)[:-1]
                schemas.setdefault(plain(written), set()).add(plain(schema[0]) if schema else "")
            for schema, table, _ in _CHANGED.findall(bare(text))[:1]:
                schemas.setdefault(table, set()).add(schema)
        return schemas

    def left_alone(self) -> set[str]:
        """Return the tables that only the names of tenants come from: a login that owns none has no names."""
        others = [text for name, text in self.relations().items() if name != "tenants"]
        return {*_named(self.files.get("tenants", ""))} - {table for text in others for table in _named(text)}

    def alias_of(self, relation: str, table: str) -> str:
        """Return the alias under which a relation reads a table; the first one where there are several."""
        read = _read_by(self.files[relation])
        return next((alias for name, alias in read if plain(name) == table), table)

    def tables(self) -> dict[str, dict[str, None]]:
        """Return the tables that are named, each with the columns that are named of it."""
        columns_of: dict[str, dict[str, None]] = {}
        for text in self.rules():
            for _, table, column in _CHANGED.findall(bare(text))[:1]:
                columns_of.setdefault(table, {}).setdefault(column)
        for text in (*self.relations().values(), *self.rules()):
            for table, columns in _named(text).items():
                columns_of[table] = columns_of.get(table, {}) | columns
        return columns_of


def default_mapping() -> Texts:
    """Return the mapping of the reference tables."""
    return _read_folder(_FOLDER)


def read_mapping(given: str) -> Texts:
    """Return the mapping of a folder, or the default one; raises ConfigurationError where it is none."""
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

    Raises ProjectorError where somebody else could have stored it: its texts run with the rights of the login.
    """
    if is_noted(conn):
        require_trusted(conn)
        noted = value(conn, query("database", "read_setting"), {"name": "mapping"})
        stored: dict[str, str] = json.loads(noted or "{}")
        if stored:
            return Texts(stored)
    return default_mapping()


def note_mapping(conn: Connection, mapping: Texts) -> None:
    """Store a mapping; nothing of the default one, which comes with the program."""
    files = {} if mapping.digest == default_mapping().digest else mapping.files
    conn.execute(query("database", "note_setting"), {"name": "mapping", "value": json.dumps(dict(files))})


def _read_folder(folder: Path) -> Texts:
    try:
        return Texts({file.stem: file.read_text("utf-8") for file in sorted(folder.glob("*.sql"))})
    except (OSError, UnicodeError) as error:
        raise ConfigurationError(f"The folder {folder} cannot be read as SQL in UTF-8: {error}.") from error


@dataclass(slots=True)
class Fit:
    """How the platform's tables fit a mapping.

    `schemas` has the schema of each table that is named, or where it would be, `searched` those that were looked into,
    and `found` what there is. `is_known`: the last `migrate` read the same.

    `missing` and `misfits` keep it from being installed, each in words; `absent` has what may be missing and is: the
    columns of each table with their types, and all of one that is missing with none. `unknown` says what is not known
    without a table, if it is not read, since it or what it belongs to is not there. `types` has the type of each kind
    of id, `relations` what PostgreSQL makes of each relation, and `rules` of each rule. `unreadable` says why it makes
    nothing of them.
    """

    mapping: Texts
    schemas: Mapping[str, str]
    searched: Sequence[str]
    found: dict[str, SourceRelation]
    is_known: bool
    missing: list[str] = field(default_factory=list)
    misfits: list[str] = field(default_factory=list)
    absent: dict[str, Mapping[str, str | None]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    relations: dict[str, "Reading"] = field(default_factory=dict)
    rules: list["Reading"] = field(default_factory=list)
    tables: list[SourceTable] = field(default_factory=list)
    unreadable: str = ""

    @property
    def present(self) -> dict[str, SourceRelation]:
        """What there is of each table, but for those without which something is not known."""
        return {name: table_ for name, table_ in self.found.items() if name not in self.unknown}

    def notices(self) -> list[str]:
        """Return a line for each table of which something is not known."""
        return [
            f"The platform has no table {table}: {self.unknown[table]}."
            if table in self.unknown
            else f"The platform's table {table} has no column {', '.join(columns)}: nothing is known of that."
            for table, columns in self.absent.items()
        ]

    def casts(self) -> dict[str, tuple[str, str]]:
        """Return for each kind of id the type that a queued key is given, and the expression that does."""
        return {kind: _cast(of) for kind, of in self.types.items()}

    def rules_of(self, table: str) -> list["Reading"]:
        """Return the rules about changed rows of a table."""
        return [rule for rule in self.rules if rule.changed[0] == table]

    def queued_kind(self, table: str) -> str:
        """Return the kind of change as which a row of a table with rules is queued.

        That of a relation whose keys are queued, or else the name of the table: its keys are expanded. The ids of
        messages are queued where they are a column of the row, as the relation gives it; else the whole conversation is
        read.
        """
        first, *others = self.rules_of(table)
        if others or not first.is_direct:
            return f"rows of {table}" if table in kinds() else table
        touched = kinds()[first.touched]
        if touched.messages is None:
            return touched.kind
        queued, own = (reading.origins.get("message_id") for reading in (first, self.relations["messages"]))
        is_named = queued is not None and queued == own and queued[0] == table
        return touched.kind if is_named else touched.queued_kind


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a text: its type as declared; its category, base and item, as the query `read_view` has them."""

    name: str
    declared: str
    category: str
    base: str
    item: str | None


@dataclass(frozen=True, slots=True)
class View:
    """What the query `read_view` of sql/queries/capture.sql returns."""

    text: str
    columns: list[dict[str, str]]
    reads: list[dict[str, Any]]
    others: list[str]
    functions: list[int]
    types: list[int]
    unsteady: list[str]


@dataclass(frozen=True, slots=True)
class Reading:
    """A text of the mapping as PostgreSQL reads it.

    `text` names each table with its schema. `origins` has for each column the table and the column that it shows as it
    is, and `reads` the tables that are read, each with its schema and columns. `functions` and `types` are the ids of
    those that it uses.
    """

    text: str
    columns: list[Column]
    origins: dict[str, tuple[str, str] | None]
    reads: dict[str, tuple[str, list[str]]]
    functions: list[int]
    types: list[int]

    @property
    def changed(self) -> tuple[str, str]:
        """Of a rule, the table whose changed rows it is about, and the column that is queued."""
        table, _, column = self.columns[0].name.rpartition(".")
        return table.rpartition(".")[2], column

    @property
    def touched(self) -> str:
        """Of a rule, the relation that it touches."""
        return self.columns[1].name if self.columns[1:] else ""

    @property
    def is_direct(self) -> bool:
        """Of a rule, whether the queued column is the key that it touches, so that nothing has to be read."""
        return self.changed == self.origins[self.columns[0].name] == self.origins[self.touched]


def examine_source(conn: Connection, searched: Sequence[str] = (), mapping: Texts | None = None) -> Fit:
    """Look for the platform's tables among these schemas, or where the last migrate found them.

    Without either, where the login looks. Without a mapping, it is the one that is stored. What was read before may not
    be missing: it was renamed or dropped by mistake, as far as anybody can tell.
    """
    stored = stored_mapping(conn)
    mapping = mapping or stored
    known = {} if searched or mapping.digest != stored.digest else known_columns(conn)
    schemas = find_schemas(conn, searched, [*mapping.tables()])
    schemas |= {table: schema for table, written in mapping.schemas().items() for schema in written if schema}
    searched = list(searched or dict.fromkeys(schemas.values()))
    fit = Fit(mapping, schemas, searched, find_source(conn, quoted(schemas)), bool(known))
    _find_missing(conn, fit, known)
    several = [table for table, written in mapping.schemas().items() if len(written) > 1]
    fit.misfits += [
        f"the table {table} is not written with one schema everywhere, and of a name one table is read"
        for table in several
    ]
    if fit.missing or several:
        return fit
    try:
        _read_all(conn, fit)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction) as error:
        fit.unreadable = str(error.diag.message_primary)
        return fit
    fit.misfits += [problem for name in fit.relations for problem in _misfits(name, fit)]
    fit.misfits += attribute_misfits(fit.relations)
    if not fit.misfits:
        fit.misfits += dict.fromkeys(problem for rule in fit.rules for problem in _wrong_rule(rule, fit))
    for kind in {kind for columns in source_columns().values() for kind in columns.values()}:
        if kind.endswith("_id"):
            fit.types.setdefault(kind, "text")
    if not fit.misfits:
        fit.tables = list(_tables(fit))
        fit.misfits += _unseen(fit)
    return fit


def _unseen(fit: Fit) -> Iterator[str]:
    """Return in words which tables a relation reads whose changes touch no row of it."""
    touched = {(rule.changed[0], rule.touched) for rule in fit.rules}
    # With messages or extractions their conversation is read again.
    own = {kind.key_kind: kind.kind for kind in key_kinds().values()}
    touched |= {(table, own.get(kinds()[name].key_kind, name)) for table, name in touched if name in kinds()}
    # A login that may not capture their table has no names.
    touched |= {(table, "tenants") for table in fit.mapping.captured()}
    for name, reading in fit.relations.items():
        for table, (schema, _) in reading.reads.items():
            is_seen = (table, name) in touched and fit.schemas[table] == schema
            if not is_seen and (name != "tenants" or "name" in reading.origins):
                yield (
                    f"{name}.sql reads the table {table}, of which changes.sql has no rule that touches {name}:"
                    " its changes would not be seen"
                )


def _read_all(conn: Connection, fit: Fit) -> None:
    """Read the relations and the rules, but for those of tables that are not there."""
    texts = [(name, f"{name}.sql", text) for name, text in fit.mapping.relations().items()]
    texts += [("", f"rule {at} of changes.sql", text) for at, text in enumerate(fit.mapping.rules(), 1)]
    for name, place, text in texts:
        if fit.unknown.keys() & _named(text).keys():
            continue
        reading = _read(conn, _locate(text, fit), place, fit.misfits)
        if reading is not None and name:
            fit.relations[name] = reading
        elif reading is not None and not (reading.touched == "tenants" and reading.changed[0] in fit.absent):
            fit.rules.append(reading)


def _find_missing(conn: Connection, fit: Fit, known: Mapping[str, Sequence[str]]) -> None:
    """Note what is missing, and what may be and is."""
    mapping = fit.mapping
    text = _without_comments(mapping.files.get("optional", "")).strip().rstrip(";")
    optional: list[tuple[str, str, str | None]] = []
    try:
        with conn.transaction():
            select_ = query("capture", "select_text", text=text)
            optional = conn.execute(select_.encode(), prepare=False).fetchall() if text else []
    except psycopg.errors.ProgrammingError as error:
        fit.misfits.append(f"optional.sql: {error.diag.message_primary}")
    types = {
        (table, column): kind
        for table, columns, _ in optional
        for column, kind in re.findall(r"(\w+) (\w+(?:\[\])?)", columns)
    }
    unknown = {table: said for table, _, said in optional if said and table not in known}
    for table, columns in mapping.tables().items():
        source = fit.found[table]
        if source.kind is None and table in unknown:
            fit.absent[table], fit.unknown[table] = columns, unknown[table]
            continue
        new = [column for column in columns if column not in known.get(table, ())]
        may_lack = [column for of, column in types if of == table and column in new]
        # Only an owner may capture a table: where the login is none, names of tenants are left alone.
        is_left = table in mapping.left_alone() and not source.is_owned
        absent = [column for column in may_lack if is_left or column not in source.columns]
        if absent and source.kind == "table":
            fit.absent[table] = {column: types[table, column] for column in absent}
        fit.missing += describe_missing(
            table, source, [column for column in columns if column not in may_lack]
        )
    # A table that is read only together with one that is missing says nothing.
    read = [{*_named(text)} for text in mapping.relations().values()]
    for table in {*mapping.tables()} & unknown.keys() - fit.unknown.keys():
        if all(tables & fit.unknown.keys() for tables in read if table in tables):
            fit.absent[table], fit.unknown[table] = mapping.tables()[table], unknown[table]


# A migration asks for these of the same few texts again and again.
@lru_cache(maxsize=256)
def bare(text: str) -> str:
    """Return SQL without comments, and with an empty literal in place of each one."""
    return _NOT_READ.sub(lambda match: match["name"] or ("''" if match["kept"] else " "), text)


@lru_cache(maxsize=256)
def _without_comments(text: str) -> str:
    return _NOT_READ.sub(lambda match: match["kept"] or " ", text)


def _read_by(text: str) -> list[tuple[str, str]]:
    """Return the tables after FROM and JOIN as they are written, each with its alias; a query of WITH is no table."""
    text = bare(text)
    own = {plain(name) for name in _WITH.findall(text)}
    found = [match.groups()[2:5:2] for match in _FROM_OR_NOT_READ.finditer(text) if match[1]]
    return [(table, alias) for table, alias in found if _is_table(table, own)]


def _is_table(written: str, own: Collection[str]) -> bool:
    return "." in written or plain(written) not in own


def _named(text: str) -> dict[str, dict[str, None]]:
    """Return the tables after FROM and JOIN, each with the columns that are named by its alias."""
    text = bare(text)
    columns_of: dict[str, dict[str, None]] = {}
    for table, alias in _read_by(text):
        columns = re.findall(rf'(?<!["\w.]){re.escape(alias)}\.({NAME})', text, re.IGNORECASE)
        name = plain(table)
        columns_of[name] = columns_of.get(name, {}) | dict.fromkeys(map(plain, columns))
    return columns_of


def plain(name: str) -> str:
    """Return a name as the catalog has it, without its schema."""
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
    for alias, column, cast, other, other_column, other_cast in _JOINED.findall(_without_comments(text)):
        if alias != other and {alias, other} <= tables.keys():
            yield (
                Side(alias, tables[alias], column, cast),
                Side(other, tables[other], other_column, other_cast),
            )


def joined_columns(mapping: Texts) -> Iterator[Join]:
    """Return which tables the texts join."""
    for text in (*mapping.relations().values(), *mapping.rules()):
        joins: dict[tuple[tuple[str, str], ...], list[str]] = {}
        for sides in equal_sides(text):
            ends = sorted(sides, key=lambda side: side.alias)
            joins.setdefault(tuple((end.alias, end.table) for end in ends), []).append(
                f"{sides[0]} = {sides[1]}"
            )
        for aliases, equals in joins.items():
            yield dict(aliases), " AND ".join(equals)


def _locate(text: str, fit: Fit) -> str:
    """Return the text with the schema of each table after FROM and JOIN, and with nulls for absent columns.

    PostgreSQL reads a sub-select without a condition as if the table stood there.
    """
    relations = quoted(fit.schemas)
    own = {plain(name) for name in _WITH.findall(bare(text))}

    def located(match: re.Match[str]) -> str:
        word, space, written, middle, alias = match.groups()[:5]
        if word is None or not _is_table(written, own):
            return match[0]
        table = plain(written)
        relation = relations.get(table, written)
        if table in fit.absent:
            absent = fit.absent[table]
            # By their names: the platform may add one of the others at any moment.
            present = [column for column in _named(text)[table] if column not in absent]
            nulls = [f"NULL::{kind} AS {column}" for column, kind in absent.items()]
            relation = f"(SELECT {', '.join([*present, *nulls])} FROM {relation})"  # noqa: S608  # Names of tables.
        return f"{word}{space}{relation}{middle}{alias}"

    return _FROM_OR_NOT_READ.sub(located, text)


def _read(conn: Connection, text: str, place: str, misfits: list[str]) -> Reading | None:
    """Return what PostgreSQL makes of a text; where it makes nothing of it, add to the misfits why.

    No function or operator is looked for in a schema of the platform: it would run with the rights of the projector.
    """
    whole = query("capture", "select_text", text=text).removesuffix(";")
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(query("capture", "prepare_to_read"))
            described = _describe(conn, whole)
            conn.execute(f"CREATE TEMPORARY VIEW leads_reading AS {whole}".encode(), prepare=False)
            view = only_row(conn, View, query("capture", "read_view"))
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction):
        raise
    except psycopg.errors.ProgrammingError as error:
        at = max(int(error.diag.statement_position or 1) - whole.index(text) - 1, 0)
        line = text[text.rfind("\n", 0, at) + 1 :].partition("\n")[0].strip()
        # What has an alias was looked for before.
        is_unnamed = isinstance(error, psycopg.errors.UndefinedTable)
        advice = _UNNAMED if is_unnamed else _where_it_is(conn, error)
        misfits.append(f"{place}: {error.diag.message_primary} (in {line}){advice}")
        return None
    if _WHOLE_ROW.search(bare(view.text)) or view.others:
        what = f"uses {', '.join(view.others)}" if view.others else "names a whole row"
        misfits.append(f"{place} {what}, so that nobody can tell which columns of which tables it reads")
        return None
    if view.unsteady:
        used = ", ".join(view.unsteady)
        misfits.append(
            f"{place} uses {used}, whose value changes without a change of a row: nothing would tell"
        )
        return None
    columns = {
        (column["table_id"], column["number"]): (column["table"], column["column"]) for column in view.reads
    }
    reads: dict[str, tuple[str, list[str]]] = {}
    for column in view.reads:
        reads.setdefault(column["table"], (column["schema"], []))[1].append(column["column"])
    columns_given = [Column(**column) for column in view.columns]
    origins = {column.name: columns.get(described[at]) for at, column in enumerate(columns_given)}
    return Reading(view.text, columns_given, origins, reads, view.functions, view.types)


def _where_it_is(conn: Connection, error: psycopg.Error) -> str:
    """Return the advice to write the schema of a type or a function, where one has it."""
    unfound = _UNFOUND.match(error.diag.message_primary or "")
    name = unfound and (unfound[1] or unfound[2])
    schema = value(conn, query("capture", "find_schema_of"), {"name": name})
    return "" if schema is None else f": a mapping writes its schema, {schema}.{name}"


def _describe(conn: Connection, text: str) -> list[tuple[int, int]]:
    """Return the table and the number of the column that each column shows, zeros for none. It asks for no right."""
    for result in (conn.pgconn.prepare(b"", text.encode()), conn.pgconn.describe_prepared(b"")):
        if result.status != ExecStatus.COMMAND_OK:
            raise error_from_result(result)
    return [(result.ftable(at), result.ftablecol(at)) for at in range(result.nfields)]


def _misfits(name: str, fit: Fit) -> Iterator[str]:
    """Return in words what of a relation is not as it has to be; note the types of ids in `fit`.

    The first relation that has a kind of ids says its type: those that refer to it have the same.
    """
    types, reading = source_columns()[name], fit.relations[name]
    lacking = [column for column in RELATIONS[name] if column not in reading.origins]
    surplus = [column for column in reading.origins if column not in types and not is_attribute(name, column)]
    if lacking:
        yield f"{name}.sql gives no column {', '.join(lacking)}"
    if surplus:
        yield f"{name}.sql gives {', '.join(surplus)}, and may only give {', '.join(types)}"
    for column in reading.columns:
        kind = types.get(column.name)
        origin = reading.origins[column.name] or (name, column.name)
        shown = "" if origin == (name, column.name) else f", the {column.name} of {name}.sql,"
        said = f"{'.'.join(origin)}{shown} is {column.declared}"
        if kind is None or is_attribute(name, column.name):
            continue
        if not kind.endswith("_id"):
            if not _is_readable(kind, column):
                yield f"{said}, and has to be {_WANTED[kind]}"
        elif column.base not in {"text", "uuid", "bigint", "integer"}:
            yield f"{said}, and has to be {_WANTED_ID}"
        elif fit.types.setdefault(kind, column.base) != column.base:
            yield f"{said}, and has to be {fit.types[kind]} as the column that it refers to"


def _is_readable(kind: str, column: Column) -> bool:
    if kind == "text":
        is_id = column.name.endswith("_id") and column.base in {*_NUMBERS, "uuid"}
        is_phone = column.name in _PHONES and column.base in _NUMBERS
        return column.base == "text" or column.category == "E" or is_id or is_phone
    if kind == "jsonb":
        return column.base in {"json", "jsonb"}
    if kind == "timestamptz":
        return column.base in {"timestamp without time zone", "timestamp with time zone", "date"}
    return column.base in (_NUMBERS if kind == "integer" else {kind})


def _wrong_rule(rule: Reading, fit: Fit) -> Iterator[str]:
    names = [column.name for column in rule.columns]
    if rule.touched not in RELATIONS or rule.changed[0] not in fit.found or {*names[2:]} - {"message_id"}:
        yield (
            f'a rule of changes.sql gives {", ".join(names)}, and has to give a column such as "table.column", one of'
            f" {', '.join(RELATIONS)}, and message_id if it knows the message"
        )
    elif rule.changed[1] not in fit.found[rule.changed[0]].columns:
        yield f"table {rule.changed[0]} has no column {rule.changed[1]}, which a rule of changes.sql names"
    elif rule.changed != fit.rules_of(rule.changed[0])[0].changed:
        yield f"rules of changes.sql name several columns of {rule.changed[0]}, and have to name one"
    elif rule.touched == "tenants" and not rule.is_direct:
        yield "a rule of changes.sql finds tenants by another column than their own, which nothing reads"
    elif rule.origins[rule.columns[0].name] == rule.changed and not rule.is_direct:
        yield (
            f"a rule of changes.sql finds {rule.touched} in the changed row of {rule.changed[0]} by"
            f" {'.'.join(rule.changed)}, and the row may be gone by then: queue the column that has their keys, or read"
            f" the table that refers to {rule.changed[0]}"
        )
    elif rule.touched not in fit.relations:
        yield f"a rule of changes.sql touches {rule.touched}, and there is no {rule.touched}.sql"
    elif rule.columns[0].base not in {"text", *_NUMBERS, "uuid"}:
        yield f"{'.'.join(rule.changed)} is {rule.columns[0].declared}, and has to be {_WANTED_ID}"


def _tables(fit: Fit) -> Iterator[SourceTable]:
    """Return the tables that are read, each with what is queued of a changed row."""
    keys: list[tuple[str, tuple[str, str] | None]] = []
    looked_up = {rule.origins[rule.columns[0].name] for rule in fit.rules}
    for name, reading in fit.relations.items():
        keys.append((name, reading.origins[RELATIONS[name][0]]))
        ids = [column for column, kind in source_columns()[name].items() if kind.endswith("_id")]
        looked_up |= {reading.origins.get(column) for column in ids if column != "extraction_id"}
    for table, source in fit.found.items():
        rules = fit.rules_of(table)
        readings = [reading.reads[table] for reading in fit.relations.values() if table in reading.reads]
        if table in fit.unknown or not (readings or rules):
            continue
        own = {name: origin[1] for name, origin in keys if origin is not None and origin[0] == table}
        queued = fit.queued_kind(table) if rules else None
        first = own.get("messages" if queued == "messages" else next(iter(own), ""))
        queue_key = rules[0].changed[1] if rules else ""
        key = first or source.primary_key or queue_key
        read = {column for _, columns in readings for column in columns}
        read.update([queue_key, key] if rules else [])
        found_by = {origin[1] for origin in looked_up if origin is not None and origin[0] == table}
        yield SourceTable(
            name=table,
            schema=fit.schemas[table],
            primary_key=key,
            columns=[column for column in source.columns if column in read],
            kind=queued,
            queue_key=queue_key,
            has_ids=queued == "messages",
            looked_up=sorted(found_by | {queue_key} - {""}),
            fixed_columns=sorted(fixed_columns(fit.mapping, table)),
            absent_columns=[*fit.absent.get(table, ())],
            relations=[*own],
        )


def fixed_columns(mapping: Texts, table: str) -> set[str]:
    """Return the columns of a table that the texts compare with a constant."""
    texts = (*mapping.relations().values(), *mapping.rules())
    return {
        plain(column)
        for text in texts
        for alias, column in _FIXED.findall(bare(text))
        if aliases(text).get(alias) == table
    }


def expansions(fit: Fit) -> tuple[str, str]:
    """Return the SELECT of the keys that changes touch beside rows of their own, and that of the kinds of them."""
    selects, values = [], []
    for rule in fit.rules:
        kind = fit.queued_kind(rule.changed[0])
        written = sql.Literal(kind).as_string(None)
        if kind in kinds():
            continue
        touched = kinds()[rule.touched]
        key = "of_key" if rule.is_direct else f'r."{rule.touched}"::text'
        rows = "" if rule.is_direct else f" FROM ({rule.text}) AS r"
        value = _cast(rule.columns[0].base)[1].replace("of_key", 'of_key COLLATE "default"')
        same = "" if rule.is_direct else f' AND r."{rule.columns[0].name}" = {value}'
        what = f"'{touched.key_kind}', {key}, '{touched.queued_kind}'"
        selects.append(f"SELECT {what}{rows} WHERE of_kind = {written}{same}")
        values.append(f"({written}, '{touched.key_kind}', '{touched.queued_kind}')")
    nothing = "SELECT NULL::text, NULL::text, NULL::text LIMIT 0"
    return "\nUNION ALL\n".join(selects) or nothing, f"VALUES {', '.join(values)}" if values else nothing


def relation_rows(fit: Fit, name: str, *, is_installed: bool = True) -> str:
    """Return the rows of a relation with nulls for the columns that it lacks; none where it is missing.

    They lack attributes too where the functions that make these are not installed.
    """
    reading = fit.relations.get(name)
    origins = reading.origins if reading is not None else {}
    made = attribute_columns(reading, name) if reading is not None and is_installed else {}
    columns = [
        f'{made[column]} AS "{column}"'
        if column in made
        else f'r."{column}"'
        if column in origins
        else f'NULL AS "{column}"'
        for column in source_columns()[name]
    ]
    rows = f" FROM ({reading.text}) AS r" if reading is not None else " LIMIT 0"
    return f"(SELECT {', '.join(columns)}{rows})"


def _cast(of: str) -> tuple[str, str]:
    type_ = "bigint" if of in _NUMBERS else of
    return type_, _CASTS[type_]
