"""Where the platform's tables are: a connection puts the schema of each into the statements that name it.

A statement in sql/ names a source table as `{source.messages}`. The loader leaves that as it is, since only the
connection knows the schema. No statement finds a table, a type, an operator or a function through the search_path: a
role that may create in the platform's schema could put its own in their place, and it would run with our rights.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.abc import Params, Query
from psycopg.rows import Row, TupleRow, scalar_row

from projector.database.schema import source_tables
from projector.database.sql import query

_MARK = b"{source."
_PLACEHOLDER = re.compile(rb"\{source\.(\w+)\}")

_DEFAULT_SCHEMA = "public"


class SourceNames:
    """The schema of each source table, and the statements with these schemas in them.

    `schemas` maps the name of each table that was found to its schema, and `searched` are the schemas that were
    searched, in order: a table that is in none of them counts as missing in the first.
    """

    def __init__(self, schemas: dict[str, str], searched: Sequence[str]) -> None:
        self.searched = list(searched)
        home = self.searched[0] if self.searched else _DEFAULT_SCHEMA
        self.schemas = {table: schemas.get(table, home) for table in source_tables()}
        self._names = {
            name: sql.Identifier(schema, name).as_string(None) for name, schema in self.schemas.items()
        }
        self._filled: dict[bytes, bytes] = {}

    def __getitem__(self, table: str) -> str:
        """Return the name of a source table as SQL writes it, with its schema."""
        return self._names[table]

    def of(self, tables: Iterable[str]) -> list[str]:
        """Return the names of these source tables as SQL writes them, with their schemas."""
        return [self._names[table] for table in tables]

    def fill(self, text: bytes) -> bytes:
        """Return a statement with the names of the tables that its placeholders mean."""
        if _MARK not in text:
            return text
        filled = self._filled.get(text)
        if filled is None:
            filled = self._filled[text] = _PLACEHOLDER.sub(
                lambda match: self._names[match[1].decode()].encode(), text
            )
        return filled


class SourceCursor(psycopg.Cursor[Row]):
    """A cursor that names the source tables with their schemas."""

    def execute(
        self,
        query: Query,
        params: Params | None = None,
        *,
        prepare: bool | None = None,
        binary: bool | None = None,
    ) -> Self:
        """Execute a statement, which may have placeholders of source tables: see psycopg.Cursor.execute."""
        if isinstance(query, str):
            query = query.encode()
        if isinstance(query, bytes):
            query = source_names(self.connection).fill(query)
        # mypy gives up on the many forms of a statement.
        return super().execute(query, params, prepare=prepare, binary=binary)  # type: ignore[misc,arg-type]


class SourceConnection(psycopg.Connection[TupleRow]):
    """A connection that knows where the platform's tables are.

    `login_schemas` are the schemas of the search_path that the login would have. `has_citus` says whether the database
    has Citus, and `on_citus` whether the read model is distributed: see projector/database/citus.py.
    """

    login_schemas: Sequence[str] = ()
    has_citus = False
    on_citus = False
    source = SourceNames({}, ())


def own_connection(conn: psycopg.Connection[Any]) -> SourceConnection:
    """Return the connection; raises TypeError for one that projector.db.connect() has not made."""
    if not isinstance(conn, SourceConnection):
        raise TypeError(
            "This connection does not know where the platform's tables are: use projector.db.connect()."
        )
    return conn


def source_names(conn: psycopg.Connection[Any]) -> SourceNames:
    """Return the names of the source tables for a connection of ours."""
    return own_connection(conn).source


def locate_source(conn: psycopg.Connection[TupleRow], schemas: Sequence[str]) -> SourceNames:
    """Return the names of the source tables, each in the first of these schemas that has one of its name."""
    wanted = {"tables": list(source_tables()), "schemas": list(schemas)}
    found = conn.execute(query("db", "locate_source"), wanted)
    return SourceNames(dict(found.fetchall()), schemas)


def read_noted_source(conn: psycopg.Connection[TupleRow]) -> SourceNames | None:
    """Return the names of the source tables as `migrate` has noted them; None for a login that may not read our state.

    None too where nothing is noted.
    """
    with conn.cursor(row_factory=scalar_row) as cursor:
        if not cursor.execute(query("db", "can_read_settings")).fetchone():
            return None
        schemas = cursor.execute(query("db", "find_source_schemas")).fetchone()
    found = conn.execute(query("db", "read_source_tables")).fetchall()
    return SourceNames(dict(found), schemas or ()) if found else None
