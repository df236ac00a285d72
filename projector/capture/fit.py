"""Finds out whether the platform's tables fit a mapping, and how PostgreSQL reads its texts."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from projector.capture.attributes import attribute_columns, attribute_misfits, is_attribute
from projector.capture.reading import Column, Reading, read_text
from projector.capture.source import SourceRelation, describe_missing, find_source
from projector.capture.texts import (
    RELATIONS,
    Texts,
    fixed_columns,
    locate,
    named,
    stored_mapping,
    without_comments,
)
from projector.database.kinds import key_kinds, kinds
from projector.database.rows import Connection
from projector.database.source_names import SourceTable, find_schemas, known_columns, quoted
from projector.database.sql import query, source_columns

_NUMBERS = {"integer", "smallint", "bigint"}
_READABLE = {
    "text": ("text, varchar or an enum", {"text"}),
    "timestamptz": (
        "timestamp or timestamptz",
        {"timestamp without time zone", "timestamp with time zone", "date"},
    ),
    "boolean": ("boolean", {"boolean"}),
    "integer": ("integer, smallint or bigint", _NUMBERS),
    "jsonb": ("json or jsonb", {"json", "jsonb"}),
    "interval": ("interval", {"interval"}),
}
"""For each type of the projection: what a column has to be, in words, and its possible base types."""

_WANTED_ID = "text, varchar, uuid, bigint or integer"
_PHONES = {"customer_phone", "phone"}

_CASTS = {
    "text": "of_key",
    "uuid": "CASE WHEN of_key ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN of_key::uuid END",
    "bigint": "CASE WHEN of_key !~ '^(0|-?[1-9][0-9]{0,18})$' THEN NULL"
    " WHEN of_key::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 THEN of_key::bigint END",
}
"""The conversion of a text to an id of each type: null if the text cannot be such an id."""


@dataclass(slots=True)
class Fit:
    """How the platform's tables fit a mapping.

    `schemas` has the present or expected schema of each named table, `searched` the schemas that were searched, and
    `found` what exists. `is_known`: the last `migrate` read the same.

    `missing` and `misfits` say in words what keeps the mapping from being installed. `absent` has the optional parts
    that are missing: columns by table with their types, and an empty entry for a missing table. `unknown` says what is
    not known because a table is not read. `types` has the type of each kind of id. `relations` and `rules` have the
    texts as PostgreSQL reads them, and `unreadable` says why it cannot read one.
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
    relations: dict[str, Reading] = field(default_factory=dict)
    rules: list[Reading] = field(default_factory=list)
    tables: list[SourceTable] = field(default_factory=list)
    unreadable: str = ""

    @property
    def present(self) -> dict[str, SourceRelation]:
        """The found tables, without those that are not read."""
        return {name: table_ for name, table_ in self.found.items() if name not in self.unknown}

    def notices(self) -> list[str]:
        """Return a line for each table without which something is not known."""
        return [
            f"The platform has no table {table}: {self.unknown[table]}."
            if table in self.unknown
            else f"The platform's table {table} has no column {', '.join(columns)}: nothing is known of that."
            for table, columns in self.absent.items()
        ]

    def casts(self) -> dict[str, tuple[str, str]]:
        """Return for each kind of id the type of a queued key, and the expression that converts it."""
        return {kind: _cast(of) for kind, of in self.types.items()}

    def rules_of(self, table: str) -> list[Reading]:
        """Return the rules about changed rows of a table."""
        return [rule for rule in self.rules if rule.changed[0] == table]

    def queued_kind(self, table: str) -> str:
        """Return the kind of change under which rows of a table with rules are queued.

        It is that of a relation whose keys are queued, or else the name of the table, whose keys are then expanded. Ids
        of messages are queued if the relation takes them from a column of the row; else the whole conversation is read.
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


def examine_source(conn: Connection, searched: Sequence[str] = (), mapping: Texts | None = None) -> Fit:
    """Look for the platform's tables in these schemas, else where the last migrate found them.

    Without either, it uses the search_path of the login. Without a mapping, it uses the stored one. Tables that were
    read before may not be missing: they were probably renamed or dropped by mistake.
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
    """Return in words the tables that a relation reads although their changes touch none of its rows."""
    touched = {(rule.changed[0], rule.touched) for rule in fit.rules}
    # A change of messages or extractions also reads their conversation again.
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
    """Read the relations and the rules, except those of missing tables."""
    texts = [(name, f"{name}.sql", text) for name, text in fit.mapping.relations().items()]
    texts += [("", f"rule {at} of changes.sql", text) for at, text in enumerate(fit.mapping.rules(), 1)]
    for name, place, text in texts:
        if fit.unknown.keys() & named(text).keys():
            continue
        reading = read_text(conn, locate(text, fit.schemas, fit.absent), place)
        if isinstance(reading, str):
            fit.misfits.append(reading)
        elif name:
            fit.relations[name] = reading
        elif reading.touched != "tenants" or reading.changed[0] not in fit.absent:
            fit.rules.append(reading)


def _find_missing(conn: Connection, fit: Fit, known: Mapping[str, Sequence[str]]) -> None:
    """Note what is missing, and which of it is optional."""
    mapping = fit.mapping
    text = without_comments(mapping.files.get("optional", "")).strip().rstrip(";")
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
        # Only an owner may capture a table: for another login, names of tenants are not read.
        is_left = table in mapping.left_alone() and not source.is_owned
        absent = [column for column in may_lack if is_left or column not in source.columns]
        if absent and source.kind == "table":
            fit.absent[table] = {column: types[table, column] for column in absent}
        fit.missing += describe_missing(
            table, source, [column for column in columns if column not in may_lack]
        )
    # A table that is only read together with a missing one counts as missing.
    read = [{*named(text)} for text in mapping.relations().values()]
    for table in {*mapping.tables()} & unknown.keys() - fit.unknown.keys():
        if all(tables & fit.unknown.keys() for tables in read if table in tables):
            fit.absent[table], fit.unknown[table] = mapping.tables()[table], unknown[table]


def _misfits(name: str, fit: Fit) -> Iterator[str]:
    """Return in words what is wrong with a relation; note the types of ids in `fit`.

    The first relation with a kind of id decides its type: relations that refer to it have to have the same.
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
                yield f"{said}, and has to be {_READABLE[kind][0]}"
        elif column.base not in {"text", "uuid", "bigint", "integer"}:
            yield f"{said}, and has to be {_WANTED_ID}"
        elif fit.types.setdefault(kind, column.base) != column.base:
            yield f"{said}, and has to be {fit.types[kind]} as the column that it refers to"


def _is_readable(kind: str, column: Column) -> bool:
    if column.base in _READABLE[kind][1]:
        return True
    is_id = column.name.endswith("_id") and column.base in {*_NUMBERS, "uuid"}
    is_phone = column.name in _PHONES and column.base in _NUMBERS
    return kind == "text" and (column.category == "E" or is_id or is_phone)


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
    """Return the tables that are read, each with what a changed row queues."""
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


def expansions(fit: Fit) -> tuple[str, str]:
    """Return the SELECT of the keys that changes touch by rules, and the SELECT of their kinds."""
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
    """Return the SELECT of a relation with nulls for the columns that it lacks; without rows if it is missing.

    Attributes are null too if the functions that make them are not installed.
    """
    reading = fit.relations.get(name)
    origins = reading.origins if reading is not None else {}
    made = attribute_columns(reading, name) if reading is not None and is_installed else {}
    shown = {column: f'r."{column}"' for column in origins} | made
    columns = [f'{shown.get(column, "NULL")} AS "{column}"' for column in source_columns()[name]]
    rows = f" FROM ({reading.text}) AS r" if reading is not None else " LIMIT 0"
    return f"(SELECT {', '.join(columns)}{rows})"


def _cast(of: str) -> tuple[str, str]:
    type_ = "bigint" if of in _NUMBERS else of
    return type_, _CASTS[type_]
