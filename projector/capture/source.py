"""The platform's tables: which columns the projection reads of each, and which key a changed row queues.

The mapping says both: projector/capture/fit.py reads it, and `migrate` notes here what it found.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg

from projector.database.ownership import explain_missing
from projector.database.rows import Connection, rows
from projector.database.source_names import SourceTable, read_tables, source_names
from projector.database.sql import query
from projector.report.errors import NOT_INSTALLED, SourceMissingError


@dataclass(frozen=True, slots=True)
class SourceRelation:
    """The state of a source table: a row of `find_source` in sql/queries/operate.sql."""

    name: str
    kind: str | None
    full_name: str
    owner: str | None
    is_owned: bool
    is_readable: bool
    is_hidden: bool
    is_subscribed: bool
    columns: list[str]
    indexes: list[list[str | None]]
    unique_keys: list[list[str | None]]
    primary_key: str | None


def captured_tables(conn: Connection) -> tuple[SourceTable, ...]:
    """Return the tables that get triggers."""
    return tuple(table for table in read_tables(conn) if table.kind is not None)


def find_missing_source(conn: Connection) -> list[str]:
    """Return the source tables and columns that are read and do not exist, each in words."""
    return find_missing(read_tables(conn), find_source(conn))


def find_missing(tables: Iterable[SourceTable], source: Mapping[str, SourceRelation]) -> list[str]:
    """Return the missing tables and columns among these, in words. `source` is the state of the tables."""
    return [
        problem
        for table in tables
        for problem in describe_missing(table.name, source[table.name], table.columns)
    ]


def find_unindexed(
    tables: Iterable[SourceTable], source: Mapping[str, SourceRelation]
) -> list[tuple[SourceRelation, str]]:
    """Return each existing table with a column by which a refresh looks up rows, but which no index serves.

    Columns before it in an index are allowed if the texts compare them with a fixed value.
    """
    return [
        (source[table.name], column)
        for table in tables
        for column in (table.looked_up if source[table.name].kind is not None else ())
        if not any(
            {*index[: index.index(column)]} <= {*table.fixed_columns}
            for index in source[table.name].indexes
            if column in index
        )
    ]


def describe_missing(name: str, source: SourceRelation, columns: Sequence[str]) -> list[str]:
    """Return in words what is missing: these columns of a table, or the whole table."""
    absent = [column for column in columns if column not in source.columns]
    if source.kind is None:
        return [f"table {name} is missing"]
    if source.kind == "parent":
        problem = "has children that inherit from it, and its triggers do not see their rows: make them partitions, or"
        return [f"table {name} {problem} run ALTER TABLE child NO INHERIT parent;"]
    if source.kind != "table":
        return [f"table {name} (there is a {source.kind} of that name, which has no triggers)"]
    return [f"table {name} has no column {', '.join(absent)}"] if absent else []


def foreign_owner(conn: Connection) -> SourceMissingError | None:
    """Return the error that names the first captured table of an owner whose rights this login does not have."""
    source = find_source(conn)
    for table in captured_tables(conn):
        relation = source[table.name]
        owner = relation.owner
        if relation.kind is not None and not relation.is_owned:
            return SourceMissingError(
                f"The triggers cannot be installed again, because the table {relation.name} belongs to {owner} now."
                " Give it back to its old owner, or let the projector's login act for the new one: run"
                f" GRANT {owner} TO {conn.info.user}; The projector then goes on by itself."
            )
    return None


@contextmanager
def naming_missing_source(conn: Connection) -> Iterator[None]:
    """Raise SourceMissingError instead of PostgreSQL's error if the block fails because the source lacks a column.

    The platform may change its tables at any moment, also between the check of a batch and its statements. If one of
    our objects is missing, the error says so: see `explain_missing`.
    """
    try:
        yield
    except NOT_INSTALLED as error:
        if conn.broken or conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raise
        missing = find_missing_source(conn)
        if missing:
            raise misfit(missing) from error
        explained = explain_missing(conn, error)
        if explained is None:
            raise
        raise explained from error
    except psycopg.errors.CannotCoerce as error:
        raise SourceMissingError(
            f"A column of the platform has another type than migrate found: {error.diag.message_primary}. Run migrate,"
            " which takes that up. The projector then rebuilds what it missed by itself."
        ) from error


def misfit(problems: Sequence[str]) -> SourceMissingError:
    """Return the error that says what in the source does not fit the projection, and what to do."""
    return SourceMissingError(
        f"The platform's tables do not fit the projection: {'; '.join(problems)}. The platform is not held up, and"
        " answers stay as they are. Put back what is missing, under its old name; if the tables have moved to another"
        " schema, run migrate --source-schema NAME. The projector then installs its triggers again and rebuilds what"
        " it missed by itself."
    )


def find_source(conn: Connection, relations: Mapping[str, str] | None = None) -> dict[str, SourceRelation]:
    """Return the state of each source table by its name, in order; see sql/queries/operate.sql.

    `relations` are the quoted names of the tables with their schemas; by default those of the tables that are read.
    """
    relations = relations or source_names(conn)
    parameters = {"tables": list(relations), "relations": list(relations.values())}
    found = rows(conn, SourceRelation, query("operate", "find_source"), parameters)
    return {relation.name: relation for relation in found}
