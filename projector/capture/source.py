"""The platform's tables: which columns the projection reads of each, and which key a changed row queues.

The mapping says both: projector/capture/mapping.py reads it, and `migrate` notes here what it found.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import psycopg

from projector.database.ownership import explain_missing
from projector.database.rows import Connection, Row, rows
from projector.database.source_names import SourceTable, read_tables, source_names
from projector.database.sql import query
from projector.report.errors import NOT_INSTALLED, SourceMissingError


def captured_tables(conn: Connection) -> tuple[SourceTable, ...]:
    """Return those of the tables that are read that have triggers."""
    return tuple(table for table in read_tables(conn) if table.kind is not None)


def find_missing_source(conn: Connection) -> list[str]:
    """Return the source tables and columns that are read and do not exist, each in words."""
    found = find_source(conn)
    return [
        one
        for table in read_tables(conn)
        for one in describe_missing(table.name, found[table.name], table.columns)
    ]


def describe_missing(name: str, found: Row, wanted: Sequence[str]) -> list[str]:
    """Return in words what of a table is missing: these columns of it, or all of it."""
    absent = [column for column in wanted if column not in found.columns]
    if found.kind is None:
        return [f"table {name} is missing"]
    if found.kind != "table":
        return [f"table {name} (there is a {found.kind} of that name, which has no triggers)"]
    return [f"table {name} has no column {', '.join(absent)}"] if absent else []


def foreign_owner(conn: Connection) -> SourceMissingError | None:
    """Return the error that names the first captured table of an owner whose rights this login does not have."""
    source = find_source(conn)
    for table in captured_tables(conn):
        found = source[table.name]
        if found.kind is not None and not found.is_owned:
            return SourceMissingError(
                f"The triggers cannot be installed again, because the table {found.name} belongs to {found.owner} now."
                " Give it back to its old owner, or let the projector's login act for the new one: run"
                f" GRANT {found.owner} TO {conn.info.user}; The projector then goes on by itself."
            )
    return None


@contextmanager
def naming_missing_source(conn: Connection) -> Iterator[None]:
    """Raise SourceMissingError instead of PostgreSQL's error where the block fails because the source lacks a column.

    The platform may change its tables at any moment, between the check of a batch and its statements too. Where
    something of ours is missing, the error says so, too: see `explain_missing`.
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
    """Return the error that says what of the source does not fit the projection, and what to do."""
    return SourceMissingError(
        f"The platform's tables do not fit the projection: {'; '.join(problems)}. The platform is not held up, and"
        " answers stay as they are. Put back what is missing, under its old name; if the tables have moved to another"
        " schema, run migrate --source-schema NAME. The projector then installs its triggers again and rebuilds what"
        " it missed by itself."
    )


def find_source(conn: Connection, relations: Mapping[str, str] | None = None) -> dict[str, Row]:
    """Return what there is of each source table by its name, in their order; see sql/queries/operate.sql.

    `relations` are the names of the tables with their schemas; without them, of those that are read.
    """
    relations = relations or source_names(conn)
    wanted = {"tables": list(relations), "relations": list(relations.values())}
    return {found.name: found for found in rows(conn, Row, query("operate", "find_source"), wanted)}
