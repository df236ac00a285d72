"""Assesses whether the projector fits a database, and what it would cost there, without changing anything.

`migrate` refuses a database if one of these facts is a problem, and like `status` it prints the warnings.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import psycopg

from projector.capture.attributes import JSON_COLUMN, LEVELS, LeftOutKey, json_with
from projector.capture.fit import Fit, examine_source, relation_rows
from projector.capture.source import SourceRelation, find_unindexed
from projector.capture.texts import RELATIONS, Texts, default_mapping
from projector.database.connect import transaction_with_lock_timeout
from projector.database.ownership import is_pooled
from projector.database.rows import Connection, only_row, rows, value, values
from projector.database.source_names import SourceTable
from projector.database.sql import query
from projector.operate.assess.facts import NOTE, OK, PROBLEM, WARNING, Fact
from projector.operate.assess.figures import ask, count_relations, failing_columns
from projector.operate.assess.joins import loose_joins
from projector.operate.rights import find_missing_rights, read_server
from projector.operate.roles import read_access
from projector.report.counted import bytes_in_words, counted, repeated_rows
from projector.report.errors import ProjectorError, SourceMissingError, condition

_UNCHANGED = "Nothing was changed, because "

_STATEMENT_TIMEOUT = "12s"
_LOCK_TIMEOUT = "1s"

_LEFT_OUT = {"object": "an object", "list": "a list of anything but scalars", "name": "not written as a name"}

# The measurements of docs/internals/performance.md.
_BYTES = {"conversations": 3500, "messages": 900, "contacts": 150, "template_sends": 150}
_ROWS_A_SECOND = {"conversations": 20_000, "messages": 60_000}


@dataclass(frozen=True, slots=True)
class Size:
    """The approximate number of rows of a table with its partitions, and its bytes with indexes and TOAST."""

    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A key that a relation has several times, and how many times; None and 0 if there is none."""

    key: str | None
    rows: int


_note, _warning = partial(Fact, NOTE), partial(Fact, WARNING)


def find_problems(conn: Connection, fit: Fit) -> Iterator[Fact]:
    """Return the problems that would make `migrate` or the first build fail, each with its error."""
    server = read_server(conn)
    if server.is_standby:
        yield _problem("server", "The server is a standby, which takes no writes. Connect to its primary.")
    if server.encoding != "UTF8":
        yield _problem("server", f"The encoding of the database is {server.encoding}, and has to be UTF8.")
    yield from _find_misfits(conn, fit)
    captured = {*fit.mapping.captured()} - fit.mapping.left_alone()
    lacking = [_problem("rights", said) for said in find_missing_rights(conn, fit.present.values(), captured)]
    yield from lacking
    if fit.unreadable and not lacking and not server.is_standby:
        yield _problem("tables", f"{_UNCHANGED}the platform's tables cannot be looked at: {fit.unreadable}.")
    for table in fit.present.values():
        if table.is_hidden:
            yield _problem(
                "hidden",
                f"{_UNCHANGED}row security of {table.full_name} would keep rows from the role {server.role_name}. Have"
                f" a superuser run: ALTER ROLE {server.role_name} BYPASSRLS;",
            )


def _find_misfits(conn: Connection, fit: Fit) -> Iterator[Fact]:
    """Return what is missing in the platform's tables, and what does not fit the mapping."""
    is_default = fit.mapping.digest == default_mapping().digest
    if fit.missing:
        advice = "; tables of your own need --mapping, as docs/your-database.md says"
        if fit.is_known:
            advice = "; if something is gone for good, run the same with the schema that the others are in"
        elif not is_default:
            advice = "; if it has another name, correct the mapping"
        elif not any(table.kind is not None for table in fit.found.values()):
            advice += "; to create empty source tables for a trial, run migrate --create-source"
        yield _problem(
            "tables",
            f"The platform's tables are not all there: {'; '.join(fit.missing)}. Looked into:"
            f" {', '.join(fit.searched)}. Check that the database URL names the platform's database; if they are in"
            f" another schema, run migrate --source-schema NAME{advice}.",
            SourceMissingError,
        )
    if fit.misfits:
        listed = "; ".join(fit.misfits)
        said = (
            f"the projection cannot read columns of the platform's tables: {listed}. Give them one of these types, or"
            " write such rows to tables that have them."
            if is_default
            else f"the mapping does not fit the platform's tables: {listed}."
        )
        yield _problem("tables", _UNCHANGED + said, SourceMissingError)
    # A table with row security is refused, because no query may read it.
    elif not fit.missing and not is_default and not any(table.is_hidden for table in fit.present.values()):
        yield from _find_repeated(conn, fit)


def _find_repeated(conn: Connection, fit: Fit) -> Iterator[Fact]:
    """Return each relation that has, or may have, several rows of one key."""
    for relation, required in RELATIONS.items():
        if relation not in fit.relations:
            continue
        names = {"relation": relation_rows(fit, relation, is_installed=False), "key": required[0]}
        plan = conn.execute(query("assess", "explain_relation", **names).encode()).fetchall()
        if "ProjectSet" in str(plan):
            yield _problem(
                "tables",
                f"{_UNCHANGED}a function in the SELECT list of {relation}.sql returns several rows for one. Call it"
                " after FROM, or not at all.",
            )
            continue
        with conn.transaction(force_rollback=True):
            _limit_statements(conn)
            repeated = ask(conn, only_row, _Repeated, query("assess", "find_repeated", **names))
        if repeated is None:
            yield _note(
                "tables",
                f"Whether each key of {relation} is there once was not looked at: it took too long, or failed.",
            )
        elif repeated.key is not None:
            yield _problem(
                "rows",
                f"{_UNCHANGED}{repeated_rows(relation, repeated.rows, names['key'], repeated.key)}.",
            )


def find_failing(conn: Connection, fit: Fit) -> Iterator[Fact]:
    """Return the columns of a fitting mapping that PostgreSQL cannot compute for some row of the platform."""
    with conn.transaction(force_rollback=True):
        _limit_statements(conn)
        failing = [*failing_columns(conn, fit, _count_rows(_measure_all(conn, fit)))]
    for column, error in failing:
        said = f"{_UNCHANGED}{column} cannot be computed for each row: "
        advice = ". Guard a cast by CASE, as in CASE WHEN value ~ '^[0-9]{1,9}$' THEN value::integer END."
        kind = partial(ProjectorError, without_values=f"{said}{condition(error)}{advice}")
        yield _problem("rows", f"{said}{error.diag.message_primary}{advice}", kind)


def find_warnings(
    conn: Connection, tables: Sequence[SourceTable], source: Mapping[str, SourceRelation]
) -> Iterator[Fact]:
    """Return warnings about these tables. `source` is the state of the tables."""
    server = read_server(conn)
    if read_access(conn).may_write_keys:
        yield _warning(
            "rights",
            f"The role {server.role_name} may take a role that writes API keys, and so may what the owner of the"
            " platform's tables has run in its sessions. Where that owner is not to make keys, give"
            " `python -m api keys` a login of its own, as docs/authentication.md says.",
        )
    if not server.vacuums:
        yield _warning(
            "server", "autovacuum or track_counts is off: the queue and the read model would bloat."
        )
    if server.collation in {"C", "POSIX"} and value(conn, "SELECT pg_catalog.lower('Ä') <> 'ä'"):
        yield _warning(
            "server",
            f"The database {server.database_name} has the collation {server.collation}, in which only ASCII letters"
            " have a lower case: searches and sorting by name tell Ä from ä. A database with a UTF-8 collation does"
            " not.",
        )
    for table, column in find_unindexed(tables, source):
        written = value(conn, "SELECT pg_catalog.quote_ident(%(column)s)", {"column": column})
        yield _warning(
            "indexes",
            f"The platform's table {table.name} has no index on {column}: a refresh reads all of it each time."
            f" Create one: CREATE INDEX CONCURRENTLY ON {table.full_name} ({written});",
        )


@contextmanager
def short_transaction(conn: Connection) -> Iterator[None]:
    """Run the block in a transaction that waits for no lock and runs no statement for long."""
    with transaction_with_lock_timeout(conn, _LOCK_TIMEOUT):
        _limit_statements(conn)
        yield


def _limit_statements(conn: Connection) -> None:
    conn.execute("SELECT set_config('statement_timeout', %s, true)", (_STATEMENT_TIMEOUT,))


def require_fit(facts: Iterator[Fact]) -> None:
    """Raise the error of the first problem."""
    for fact in facts:
        if fact.error is not None:
            raise fact.error


def assess(conn: Connection, source_schemas: Sequence[str] = (), mapping: Texts | None = None) -> list[Fact]:
    """Return all facts, in the order for a reader. Nothing that was created to find them remains."""
    with short_transaction(conn):
        fit = examine_source(conn, source_schemas, mapping)
        with conn.transaction(force_rollback=True):
            conn.execute("SET TRANSACTION READ ONLY")
            facts = [
                *_describe_server(conn),
                *find_problems(conn, fit),
                *(_note("tables", text) for text in fit.notices() if not fit.missing),
                *find_warnings(conn, fit.tables, fit.found),
                *_describe_feeds(conn, fit),
                *_find_loose_joins(fit),
            ]
            if not any(fact.state == PROBLEM for fact in facts):
                facts += find_failing(conn, fit)
            fits = not any(fact.state == PROBLEM for fact in facts)
            left_out = [*_find_left_out(conn, fit)] if fits else []
        sizes = _measure_all(conn, fit)
        if not fit.missing and not fit.misfits:
            facts.append(Fact(OK, "tables", f"The platform's tables fit: {', '.join(sizes)}."))
        if fits:
            facts += [*count_relations(conn, fit, _count_rows(sizes)), *left_out, *_estimate(fit, sizes)]
        return facts


def find_stored_figures(conn: Connection) -> list[Fact]:
    """Return the figures of the mapping that `migrate` has stored. They do not make `migrate` refuse."""
    with short_transaction(conn):
        fit = examine_source(conn)
        return [*count_relations(conn, fit, _count_rows(_measure_all(conn, fit)))]


def render(facts: Sequence[Fact], mapping: str | None = None) -> str:
    """Return the facts as text, a line each, and whether the projector fits with the mapping of a folder."""
    problems = sum(fact.state == PROBLEM for fact in facts)
    said = (
        f"It does not fit: {counted(problems, 'problem')}."
        if problems
        else "It fits: run migrate, then rebuild."
        if mapping is None
        else f"It fits: run migrate --mapping {mapping}, with --check first, then rebuild."
    )
    return f"{in_lines(facts)}\n\n{said}"


def in_lines(facts: Sequence[Fact]) -> str:
    """Return the facts as text, a line each."""
    return "\n".join(f"{fact.state:<8} {fact.area:<8} {fact.text}" for fact in facts)


def as_dict(facts: Sequence[Fact]) -> dict[str, object]:
    """Return the facts as an object for JSON."""
    return {
        "fits": not any(fact.state == PROBLEM for fact in facts),
        "facts": [
            {"area": fact.area, "state": fact.state, "text": fact.text, "sql": fact.statements, **fact.data}
            for fact in facts
        ],
    }


def _problem(area: str, message: str, kind: Callable[[str], ProjectorError] = ProjectorError) -> Fact:
    text = message.removeprefix(_UNCHANGED)
    return Fact(PROBLEM, area, text[:1].upper() + text[1:], kind(message))


def _describe_server(conn: Connection) -> Iterator[Fact]:
    server = read_server(conn)
    yield Fact(OK, "server", f"PostgreSQL {server.version}, encoding {server.encoding}.")
    if is_pooled(conn):
        yield _note("server", "A pooler stands in between: for the projector it needs pool_mode = session.")
    if not server.has_extensions:
        yield _warning(
            "server",
            "The server lacks pg_trgm or btree_gin: a search will read all leads of a tenant.",
        )
    if not server.can_create_roles:
        yield _warning(
            "rights",
            f"The role {server.role_name} may not create the roles of readers; `migrate --sql` prints the rest. Have a"
            " superuser run: CREATE ROLE leads_api NOLOGIN; CREATE ROLE leads_reader NOLOGIN;"
            f" GRANT leads_api TO {server.role_name};",
        )


def _describe_feeds(conn: Connection, fit: Fit) -> Iterator[Fact]:
    for name in values(conn, query("assess", "find_publications")):
        yield _note(
            "hidden",
            f"The publication {name} is of all tables, so it would publish the read model and the queue, too.",
        )
    brought = [table.full_name for table in fit.present.values() if table.is_subscribed]
    if brought:
        yield _note(
            "hidden",
            f"A subscription brings the rows of {', '.join(brought)}: set LEADS_ORIGIN_DATABASE_URL, and see that the"
            " publication leaves out no row and no column that is read. docs/scaling.md has the rest.",
        )


def measure(conn: Connection, relation: str) -> Size:
    """Return the size of a table."""
    return only_row(conn, Size, query("assess", "measure_table"), {"relation": relation})


def _measure_all(conn: Connection, fit: Fit) -> dict[str, Size]:
    """Return the size of each existing table."""
    return {name: measure(conn, table.full_name) for name, table in fit.present.items() if table.kind}


def _count_rows(sizes: Mapping[str, Size]) -> dict[str, int]:
    return {name: size.rows for name, size in sizes.items()}


def _find_left_out(conn: Connection, fit: Fit) -> Iterator[Fact]:
    """Return the keys in the JSON of attributes that are no attributes, and expressions to make them some."""
    for relation in LEVELS:
        reading = fit.relations.get(relation)
        if reading is None or JSON_COLUMN not in reading.origins:
            continue
        names = {"relation": relation_rows(fit, relation, is_installed=False)}
        try:
            with conn.transaction():
                keys = rows(conn, LeftOutKey, query("assess", "find_left_out", **names))
        except (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable, psycopg.DataError):
            unread = "it took too long, or jsonb cannot hold some of them"
            yield _note(
                "values", f"The keys of {JSON_COLUMN} in {relation}.sql were not looked at: {unread}."
            )
            continue
        keys = [key for key in keys if not key.is_renamed()]
        if not keys:
            continue
        listed = ", ".join(f"{key.key!r} ({_LEFT_OUT[key.kind]}, {counted(key.rows, 'row')})" for key in keys)
        origin = reading.origins[JSON_COLUMN]
        is_json = any(column.name == JSON_COLUMN and column.base == "json" for column in reading.columns)
        written = "…" if origin is None else f"{fit.mapping.alias_of(relation, origin[0])}.{origin[1]}"
        expression = json_with(f"{written}::jsonb" if is_json else written, keys)
        advice = f". To have them, write {expression}" if expression else ""
        if expression and origin is None:
            advice += f", where … is what is {JSON_COLUMN} now"
        yield _note("values", f"Keys of {JSON_COLUMN} in {relation}.sql are no attributes: {listed}{advice}.")


def _find_loose_joins(fit: Fit) -> Iterator[Fact]:
    """Return the joins that may give two rows for one."""
    for relation, table, columns in loose_joins(fit):
        by = f" by {', '.join(columns)}" if columns else ""
        yield _warning(
            "mapping",
            f"{relation}.sql joins {table}{by}, which no unique key covers: the join may give two rows for one, and"
            " their lead is set aside then. Take one row by LATERAL with LIMIT 1, or add a unique key.",
        )


def _estimate(fit: Fit, sizes: Mapping[str, Size]) -> Iterator[Fact]:
    """Return the estimated time of the first build, and the cost of capture for writers, by measurements elsewhere."""
    read = ", ".join(f"{size.rows:,} in {name}" for name, size in sizes.items())
    yield _note("size", f"About so many rows: {read}.")
    rows_of = {name: sizes[table.name].rows for table in fit.tables for name in table.relations}
    size = sum(rows_of.get(name, 0) * per_row for name, per_row in _BYTES.items())
    seconds = sum(rows_of.get(name, 0) / a_second for name, a_second in _ROWS_A_SECOND.items())
    theirs = sum(size.bytes for size in sizes.values())
    yield _note(
        "size",
        f"The read model takes some {bytes_in_words(size)}, beside {bytes_in_words(theirs)} of the platform's tables,"
        f" and its first build some {max(seconds / 60, 0.1):.1f} minutes on a machine like that of"
        " docs/internals/performance.md.",
    )
    yield _note(
        "writers",
        "The triggers cost a statement of the platform some 0.1 ms of a core, and one of many rows some 0.02 ms a row."
        " They wait for nobody; to install them, migrate waits for each table for 200 ms at a time.",
    )
