"""Checks that a mapping misses no change, by changing sampled rows in a scratch database.

The schema of the tables that the mapping reads is copied from the catalog, with some rows and the rows that they join,
and `migrate`'s objects are installed there. Then each change is made and rolled back again: each row of a relation that
changed has to be among the keys that the triggers queued and the rules of the mapping found. The platform's tables are
only read.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from itertools import permutations
from secrets import token_hex

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from projector.capture.fit import Fit, examine_source
from projector.capture.texts import RELATIONS, Join, Texts, bare, joined_columns
from projector.database.connect import connect
from projector.database.kinds import Kind, key_kinds, kinds
from projector.database.rows import Connection, only_row, rows, values
from projector.database.source_names import SourceTable
from projector.database.sql import query
from projector.operate.assess import find_failing, find_problems, measure, require_fit, short_transaction
from projector.operate.assess.facts import NOTE, OK, PROBLEM, WARNING, Fact
from projector.operate.assess.ids import move_ids
from projector.operate.install import install_capture
from projector.operate.rights import read_server
from projector.report.counted import counted
from projector.report.errors import ProjectorError, SourceMissingError

# The sampled rows of each table, the rows on the pages that are sampled, and the rounds that add joined rows.
_SAMPLED, _LOOKED_AT, _ROUNDS = 20, 2000, 3
# How many rows get their columns changed, among those whose deletion moves rows of the same relations.
_ROWS_OF_A_KIND = 2
_INSERT, _DELETE = "an insert", "a delete"
_NOT_MOVED = (
    "The ids stayed as they are: a rule that queues one of another table passes where both are the same."
)

_VALUES = {
    "N": "coalesce(t.{column}, 0) + 1",
    "S": "concat(t.{column}, 'x')",
    "B": "t.{column} IS NOT TRUE",
    "D": "coalesce(t.{column}, '2025-01-01') + interval '25 hours'",
    "T": "coalesce(t.{column}, '0') + interval '1 hour'",
    "E": "(enum_range(NULL::{type}))[1 + coalesce(array_position(enum_range(NULL::{type}), t.{column}), 0)"
    " % cardinality(enum_range(NULL::{type}))]",
    "uuid": "md5(coalesce(t.{column}::text, ''))::uuid",
    "json": "'{{}}'",
    "jsonb": "'{{}}'",
}
"""Another value of a column, by the category of its type, or by the type."""

_NEXT = (
    "coalesce((SELECT o.{column} FROM {relation} AS o WHERE o.{column}::text > t.{column}::text"
    " ORDER BY o.{column}::text LIMIT 1),"
    " (SELECT o.{column} FROM {relation} AS o ORDER BY o.{column}::text LIMIT 1))"
)
"""The value of another row: the next larger one of the column, or else its smallest one."""


_WHERE = re.compile(
    r"\n {11}FROM (.+?)\n {10}WHERE (.+?)(?=\n {8}UNION|\n {10}[A-Z]|\) selected\Z)", re.DOTALL
)
"""Matches FROM and WHERE of a text, as PostgreSQL prints it inside the SELECT that wraps each text."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `quoted` is as SQL writes it, `type` has no length, `category` and `base` no domain."""

    name: str
    quoted: str
    type: str
    category: str
    base: str
    is_key: bool


@dataclass(slots=True)
class CheckedTable:
    """A table that the mapping reads, with the columns that are read.

    `relation` is the table as SQL writes it, `sampled` will be the ids of some rows, and `data` these rows as COPY
    writes them.
    """

    source: SourceTable
    relation: str
    columns: list[Column]
    sampled: set[str] = field(default_factory=set)
    data: bytes = b""

    @property
    def names(self) -> str:
        """The columns, as SQL lists them."""
        return ", ".join(column.quoted for column in self.columns)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many keys a change queued, the relations whose rows changed, and those with changes that were missed."""

    queued: int
    moved: list[str]
    missed: list[str]


def check_mapping(
    conn: Connection,
    source_schemas: Sequence[str],
    mapping: Texts | None,
    embedded: Callable[[], AbstractContextManager[str]],
) -> list[Fact]:
    """Return which changes a mapping, by default the stored one, misses, and which it queues in vain.

    `embedded` starts a server for the time of a block and gives its URL; it is called if the login may not
    create a database, and raises ProjectorError if this machine cannot run one. Raises ProjectorError if the
    mapping does not fit, or if no server can hold the scratch database.
    """
    with short_transaction(conn):
        fit = examine_source(conn, source_schemas, mapping)
        # A login that only reads may run the check.
        require_fit(fact for fact in find_problems(conn, fit) if fact.area != "rights")
        require_fit(find_failing(conn, fit))
        conn.execute("SET TRANSACTION READ ONLY")
        tables = _read_tables(conn, fit)
        statements = _read_schema(conn, fit, tables)
        _sample(conn, fit, tables)
    with _scratch_database(conn, embedded) as scratch:
        is_moved = _fill(scratch, fit, tables, statements)
        trials = _Trials(scratch)
        with scratch.transaction(force_rollback=True):
            scratch.execute(query("assess", "watch_relations", rows=_watched_rows()), prepare=False)
            scratch.execute(query("assess", "compare_relations"), prepare=False)
            for table in tables:
                if table.source.queue_key:
                    trials.try_table(table)
    return [*trials.facts(), *([] if is_moved else [Fact(NOTE, "capture", _NOT_MOVED)])]


def _read_schema(conn: Connection, fit: Fit, tables: Sequence[CheckedTable]) -> list[str]:
    """Return the statements that copy these tables, and the objects that the mapping uses."""
    readings = (*fit.relations.values(), *fit.rules)
    copied = {
        "relations": [table.relation for table in tables for _ in table.columns],
        "columns": [column.name for table in tables for column in table.columns],
        "functions": [oid for reading in readings for oid in reading.functions],
        "types": [oid for reading in readings for oid in reading.types],
    }
    return values(conn, query("assess", "copy_schema"), copied)


def _read_tables(conn: Connection, fit: Fit) -> list[CheckedTable]:
    """Return the tables that the mapping reads."""
    by_name = {table.name: table for table in fit.tables}
    read: dict[str, set[str]] = {}
    for reading in (*fit.relations.values(), *fit.rules):
        for name, (_, columns) in reading.reads.items():
            read.setdefault(name, set()).update(columns)
    for rule in fit.rules:
        read.setdefault(rule.changed[0], set()).add(rule.changed[1])
    tables = []
    for name, names in read.items():
        if name not in fit.present:
            continue
        parameters = {"relation": fit.found[name].full_name, "columns": sorted(names)}
        source = by_name.get(name, SourceTable(name, fit.schemas[name]))
        columns_read = rows(conn, Column, query("assess", "describe_columns"), parameters)
        tables.append(CheckedTable(source, fit.found[name].full_name, columns_read))
    return tables


def _sample(conn: Connection, fit: Fit, tables: Sequence[CheckedTable]) -> None:
    """Read some rows of each table, and the rows of the others that they are joined with."""
    by_name = {table.source.name: table for table in tables}
    for table in tables:
        size = int(measure(conn, table.relation).rows)
        percent = min(100.0, 100.0 * _LOOKED_AT / max(size, 1))
        table.sampled.update(_row_ids(conn, table, percent, _SAMPLED))
    for name, names in _conditions(fit):
        _sample_more(conn, by_name[name], query("assess", "find_where", **names))
    joins = [*joined_columns(fit.mapping), *_joins_of_parts(fit)]
    for _ in range(_ROUNDS):
        before = {name: sorted(table.sampled) for name, table in by_name.items()}
        for aliases, condition in joins:
            if not by_name.keys() >= {*aliases.values()}:
                continue
            for (alias, name), (other_alias, other) in permutations(aliases.items()):
                relations = {"relation": by_name[name].relation, "other": by_name[other].relation}
                names = {"alias": alias, "other_alias": other_alias, "condition": condition}
                text = query("assess", "find_joined", **relations, **names)
                _sample_more(conn, by_name[other], text, {"rows": before[name]})
    for table in tables:
        names = {"relation": table.relation, "columns": table.names, "rows": _tids(table.sampled)}
        with conn.cursor() as cursor, cursor.copy(query("assess", "copy_rows", **names)) as copy:
            table.data = b"".join(copy)


def _sample_more(
    conn: Connection, table: CheckedTable, text: str, parameters: dict[str, object] | None = None
) -> None:
    """Add rows to the sample of a table. If that takes too long without an index, the sample stays random."""
    with suppress(psycopg.errors.QueryCanceled, psycopg.ProgrammingError), conn.transaction():
        table.sampled.update(values(conn, text.encode(), parameters))


def _conditions(fit: Fit) -> Iterator[tuple[str, dict[str, str]]]:
    """Return each part of a WHERE with its table, because rows that do not pass may need a rule too.

    PostgreSQL has indented and bracketed the texts.
    """
    for reading in (*fit.relations.values(), *fit.rules):
        aliases: dict[str, str] = {}
        for name in reading.reads:
            relation = fit.found[name].full_name
            for alias in re.findall(rf"{re.escape(relation)} ((?!ON\b)\w+)", reading.text):
                aliases[alias] = name
        for tables, where in _WHERE.findall(reading.text):
            for part in _parts(where):
                about = [alias for alias in aliases if re.search(rf"\b{alias}\.", bare(part))]
                if about:
                    alias, name = about[0], aliases[about[0]]
                    own = f"{fit.found[name].full_name} AS {alias}"
                    yield name, {"alias": alias, "condition": part, "tables": tables if about[1:] else own}


def _parts(where: str) -> Iterator[str]:
    """Return the conditions joined by AND, each with balanced brackets."""
    part = ""
    for piece in where.removeprefix("(").removesuffix(")").split(" AND "):
        part = f"{part} AND {piece}" if part else piece
        if part.count("(") == part.count(")"):
            yield part
            part = ""


def _joins_of_parts(fit: Fit) -> Iterator[Join]:
    """Return the joins of rows that are parts of others, such as messages, with these.

    The texts need not join them. But messages of a conversation that was not sampled would prove nothing.
    """
    for relation, kind in _watched().items():
        if _is_part(kind) and relation in fit.relations:
            part = fit.relations[relation].origins[kind.id]
            whole = fit.relations[key_kinds()[kind.key_kind].kind].origins[kind.id]
            if part is not None and whole is not None and part[0] != whole[0]:
                yield {"a": part[0], "b": whole[0]}, f'a."{part[1]}" = b."{whole[1]}"'


def _watched() -> dict[str, Kind]:
    """Return the relations from which leads are made, each with its kind."""
    return {
        name: kind for name, kind in kinds().items() if name in RELATIONS and kind.key_kind in key_kinds()
    }


def _is_part(kind: Kind) -> bool:
    """Return whether the keys of the kind are those of another relation, whose rows these rows are parts of."""
    return kind.phone is None


def _watched_rows() -> str:
    """Return the query of the rows of all these relations."""
    selects = (
        query(
            "assess",
            "rows_of_relation",
            relation=relation,
            id=RELATIONS[relation][0],
            of_id=kind.id,
            kind=kind.key_kind,
            is_message=str(kind.messages is not None).lower(),
            is_part=str(_is_part(kind)).lower(),
        )
        for relation, kind in _watched().items()
    )
    return "\nUNION ALL\n".join(selects)


@contextmanager
def _scratch_database(
    conn: Connection, embedded: Callable[[], AbstractContextManager[str]]
) -> Iterator[Connection]:
    """Create a database for the time of the block: on the server of the connection, or else on an embedded one."""
    login = read_server(conn)
    name, info = f"leads_check_{token_hex(4)}", conn.info
    with ExitStack() as stack:
        if login.can_create_databases:
            created = sql.SQL(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE {} LC_CTYPE {}"
            )
            conn.execute(created.format(sql.Identifier(name), login.collation, login.ctype))
            dropped = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            stack.callback(conn.execute, dropped)
            url = make_conninfo(info.dsn, host=info.host, port=info.port, password=info.password, dbname=name)
        else:
            try:
                url = stack.enter_context(embedded())
            except ProjectorError as error:
                raise ProjectorError(
                    f"The mapping is checked in a scratch database, which the role {login.role_name} may not create,"
                    f" and no server can be started here: {error} Have a superuser run ALTER ROLE {login.role_name}"
                    " CREATEDB; or check it on a copy: pg_dump PLATFORM_URL | psql COPY_URL, then migrate --mapping …"
                    " --check with --database-url COPY_URL and a login that may create one."
                ) from error
        scratch = stack.enter_context(connect(url, application_name="leads-projector check"))
        # Without prepared statements, because psycopg would forget them at each rollback.
        scratch.prepare_threshold = None
        yield scratch


def _fill(scratch: Connection, fit: Fit, tables: Sequence[CheckedTable], statements: Sequence[str]) -> bool:
    """Create the tables with their rows, and install there what `migrate` installs; return whether ids were moved."""
    try:
        with scratch.transaction():
            # PostgreSQL does not check what a body in a string calls, which may be created later.
            scratch.execute("SET LOCAL check_function_bodies = off")
            for statement in statements:
                scratch.execute(statement.encode(), prepare=False)
            for table in tables:
                names = {"relation": table.relation, "columns": table.names}
                load = query("assess", "load_rows", **names)
                with scratch.cursor() as cursor, cursor.copy(load) as copy:
                    copy.write(table.data)
                for column in table.source.looked_up:
                    index = sql.SQL("CREATE INDEX ON {} ({})")
                    scratch.execute(index.format(sql.SQL(table.relation), sql.Identifier(column)))
    except psycopg.Error as error:
        raise ProjectorError(
            f"The platform's tables cannot be copied into a scratch database: {error.diag.message_primary}."
        ) from error
    schemas = list(dict.fromkeys(fit.schemas[table.source.name] for table in tables))
    columns = {(table.source.name, column.name): column for table in tables for column in table.columns}
    numbers = {place for place, column in columns.items() if column.base in {"integer", "bigint"}}
    keys = {place for place, column in columns.items() if column.is_key}
    try:
        is_moved = move_ids(scratch, fit, numbers, keys)
        install_capture(scratch, schemas, fit.mapping)
    except (psycopg.ProgrammingError, SourceMissingError) as error:
        said = f"{error.diag.message_primary}." if isinstance(error, psycopg.Error) else str(error)
        raise ProjectorError(
            "The mapping fits the platform's tables, and cannot be checked. A scratch database with the tables, types"
            f" and functions that it uses refuses it: {said} Operators and aggregates of the platform's own are not"
            " copied: write into the mapping what they do."
        ) from error
    scratch.execute("ANALYZE")
    return is_moved


def _row_ids(conn: Connection, table: CheckedTable, percent: float, most: int | None = None) -> list[str]:
    """Return some rows of a table in an arbitrary order."""
    parameters = {"percent": percent, "most": most}
    return values(conn, query("assess", "sample_table", relation=table.relation), parameters)


def _other_values(table: CheckedTable, column: Column) -> Iterator[str]:
    """Return expressions that give a column another value."""
    if not column.is_key:
        yield _NEXT.format(column=column.quoted, relation=table.relation)
        yield "NULL"
    for kind in (column.category, column.base):
        if kind in _VALUES:
            yield _VALUES[kind].format(column=column.quoted, type=column.type)


def _tids(of: Iterable[str]) -> str:
    return "'{" + ",".join(f'"{row_id}"' for row_id in sorted(of)) + "}'::tid[]"


class _Trials:
    """Makes changes, and notes the changed rows and the queued keys of each."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self._missed: dict[tuple[str, str, str], dict[str, None]] = {}
        self._queued: dict[tuple[str, str], list[bool]] = {}
        self._untried: list[str] = []
        self.changes = 0
        self.rows = 0

    def facts(self) -> Iterator[Fact]:
        """Return what was found."""
        for (name, queue_key, relation), changes in self._missed.items():
            columns = [change for change in changes if change not in {_INSERT, _DELETE}]
            whole = [change for change in changes if change not in columns]
            what = " or ".join([f"a change of {', '.join(columns)}"] * bool(columns) + whole)
            yield Fact(
                PROBLEM,
                "capture",
                f"{name}: {what} moves rows of {relation} that changes.sql does not touch. It lacks a rule that gives"
                f' "{name}.{queue_key}" and {relation}, or a rule does not find them once the change is committed.',
            )
        for (name, column), moved in self._queued.items():
            if not any(moved):
                yield Fact(
                    WARNING,
                    "capture",
                    f"{name}.{column}: each change of it is queued, and none of {len(moved)} that were tried moved a"
                    " row. Leave it out of the mapping if it decides nothing.",
                )
        for name in self._untried:
            yield Fact(
                WARNING, "capture", f"{name}: the table has no rows, so that no change of it was tried."
            )
        tried = f"{counted(self.changes, 'change')} of {counted(self.rows, 'sampled row')} were tried"
        if not self._missed:
            yield Fact(OK, "capture", f"{tried}, and every row that moved was touched.")
        else:
            yield Fact(NOTE, "capture", f"{tried}.")

    def try_table(self, table: CheckedTable) -> None:
        """Try each row, each column of some and of all rows, and deleting and inserting some rows."""
        names = {"relation": table.relation, "columns": table.names}
        conn = self._conn
        all_rows = _row_ids(conn, table, 100.0)
        if not all_rows:
            self._untried.append(table.source.name)
            return
        self.rows += len(all_rows)
        of_kind: dict[tuple[str, ...], list[str]] = {}
        for row in all_rows:
            gone = query("assess", "delete_rows", rows=_tids([row]), **names)
            outcome = self._try(table, _DELETE, gone)
            if outcome is not None:
                of_kind.setdefault((*outcome.moved, *outcome.missed), []).append(row)
        chosen = [row for of in of_kind.values() for row in of[:_ROWS_OF_A_KIND]]
        changes = [(column, change) for column in table.columns for change in _other_values(table, column)]
        for column, change in changes:
            for changed in (*([row] for row in chosen), all_rows):
                self._try_column(table, column, change, _tids(changed))
        for row in chosen:
            with conn.transaction(force_rollback=True):
                conn.execute(query("assess", "take_rows", rows=_tids([row]), **names).encode(), prepare=False)
                self._try(table, _INSERT, query("assess", "insert_taken", **names))

    def _try_column(self, table: CheckedTable, column: Column, change: str, chosen: str) -> None:
        names = {"relation": table.relation, "column": column.quoted, "value": change, "rows": chosen}
        outcome = self._try(table, column.name, query("assess", "set_column", **names))
        # A primary key is always queued, whether the mapping names it or not.
        if outcome is not None and outcome.queued and not column.is_key:
            self._queued.setdefault((table.source.name, column.name), []).append(bool(outcome.moved))

    def _try(self, table: CheckedTable, change: str, text: str) -> Outcome | None:
        """Make a change and roll it back; return the relations whose rows changed, and the missed ones.

        Returns None if PostgreSQL refuses the change, as the platform's server would.
        """
        try:
            with self._conn.transaction(force_rollback=True):
                self._conn.execute(text.encode(), prepare=False)
                outcome = only_row(self._conn, Outcome, query("assess", "compare_again"))
        except (psycopg.DataError, psycopg.IntegrityError):
            return None
        self.changes += 1
        for relation in outcome.missed:
            self._missed.setdefault((table.source.name, table.source.queue_key, relation), {}).setdefault(
                change
            )
        return outcome
