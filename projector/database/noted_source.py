"""Has a connection name the platform's tables where `migrate` found them."""

from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow, class_row

from projector.database.source_names import locate_source, own_connection, read_noted_source
from projector.database.sql import query
from projector.report.errors import SourceMissingError


@dataclass(frozen=True, slots=True)
class _ClosedSchema:
    """A schema that the login may not use, and the login's role; both quoted for SQL."""

    schema_name: str
    role_name: str


def follow_source(conn: psycopg.Connection[TupleRow]) -> None:
    """Have a connection name the platform's tables where `migrate` found them.

    Before the first `migrate`, and for a login that may not read our state, these are the tables on the search_path of
    the login.

    Raises SourceMissingError where the login may not use one of the schemas.
    """
    own = own_connection(conn)
    noted = read_noted_source(conn)
    own.source = locate_source(conn, own.login_schemas) if noted is None else noted
    if noted is None:
        return
    with conn.cursor(row_factory=class_row(_ClosedSchema)) as found:
        closed = found.execute(
            query("db", "find_closed_schema"),
            {"schemas": list(noted.schemas.values()), "tables": list(noted.schemas)},
        ).fetchone()
    if closed is not None:
        raise SourceMissingError(
            f"The role {closed.role_name} may not look into the schema {closed.schema_name}, where the platform's"
            f" tables are: run GRANT USAGE ON SCHEMA {closed.schema_name} TO {closed.role_name};"
        )
