"""Our objects in the database, their owners, and which of them are missing.

The owner of a schema, a table, a view or a function can make it call any code, with the rights of whoever reads it. So
`migrate` demands that all objects belong to its login, or to the role that the login runs as. A superuser has the
rights of every owner, but does not trust their functions for that.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import psycopg

from projector.database.rows import Connection, rows, value, values
from projector.database.schema import tables
from projector.database.sql import all_texts, definitions, query
from projector.report.errors import NotInstalledError, ProjectorError

SCHEMAS = ("projector", "read_model", "leads_access", "leads_sql")
"""Our schemas."""

POOLED = (
    "The projector is connected through a pooler that gives each transaction another session, such as PgBouncer with"
    " pool_mode = transaction: its locks and temporary tables would be those of somebody else. Connect it directly, or"
    " through a pool with pool_mode = session."
)

_NAME = re.compile(rf"\b(?:{'|'.join(SCHEMAS)})\.\w+")


@cache
def own_names() -> list[str]:
    """Return the qualified names of our tables, views and functions: all that the SQL of the project names."""
    return sorted({name for text in (*all_texts(), *definitions().values()) for name in _NAME.findall(text)})


@dataclass(frozen=True, slots=True)
class OwnObject:
    """One of our objects: a row of the query `find_own_objects` in sql/queries/database.sql."""

    command: str
    name: str
    owner: str
    is_owned: bool
    is_trusted: bool


def find_own_objects(
    conn: Connection, schemas: Sequence[str] = SCHEMAS, *, suspects_only: bool = False
) -> list[OwnObject]:
    """Return our objects in these schemas, and the schemas, in an order in which each can be given an owner.

    With `suspects_only`, only objects that are not trusted.
    """
    text = query("database", "find_own_objects", own=query("database", "own_objects").rstrip(";"))
    parameters = {"schemas": list(schemas), "names": own_names(), "suspects_only": suspects_only}
    return rows(conn, OwnObject, text, parameters)


def require_own(conn: Connection) -> None:
    """Raise ProjectorError if one of our objects belongs neither to the login nor to the role that it runs as."""
    _refuse(conn, [own for own in find_own_objects(conn) if not own.is_owned])


def require_trusted(conn: Connection) -> None:
    """Raise ProjectorError if reading our objects would give rights of the login to somebody who lacks them.

    A superuser only reads objects of superusers. A login with fewer rights also reads those of the role that installed
    the read model.
    """
    _refuse(conn, find_own_objects(conn, suspects_only=True))


def _refuse(conn: Connection, foreign: Sequence[OwnObject]) -> None:
    if not foreign:
        return
    role = value(conn, "SELECT quote_ident(current_user)")
    *others, last = dict.fromkeys(own.owner for own in foreign)
    owners = f"{', '.join(others)} and {last}" if others else last
    statements = "\n".join(f"ALTER {own.command} {own.name} OWNER TO {role};" for own in foreign)
    raise ProjectorError(
        f"Nothing was changed, because the read model belongs to the role {owners}, with which it was installed, and"
        f" not to {role}. Connect as that role. Or have a superuser hand it over, and run this again; but if nobody"
        " knows how it came there, have it dropped, because what its owner put into it would run with the rights of"
        f" {role}:\n{statements}"
    )


def explain_missing(conn: Connection, error: psycopg.Error) -> ProjectorError | None:
    """Return what an operator should do about an error that something does not exist; None if its message is enough.

    `migrate` only helps if one of our objects is missing. A type or an operator that does not fit stays an error of
    PostgreSQL.
    """
    reason = (error.diag.message_primary or "").rstrip(".")
    named = _NAME.search(reason.replace('"', ""))
    parameters: dict[str, list[str]] = {"names": [named[0]] if named else [], "tables": [], "columns": []}
    for table in tables().values():
        parameters["tables"] += [table.name] * len(table.columns)
        parameters["columns"] += table.columns
    missing = values(conn, query("database", "find_missing"), parameters)
    if missing:
        return NotInstalledError(
            f"The read model is not installed, or not complete: {reason}. Run `python -m projector migrate` first."
        )
    if isinstance(error, psycopg.errors.UndefinedTable) and is_pooled(conn):
        return ProjectorError(POOLED)
    return None


def is_pooled(conn: psycopg.Connection[Any]) -> bool:
    """Return whether there is a pooler, in any mode, between this connection and PostgreSQL."""
    return backend_pid(conn) != conn.info.backend_pid


def backend_pid(conn: psycopg.Connection[Any]) -> int:
    """Return the process that serves this connection now; its `info` has the one announced at connect."""
    pid: int = value(conn, "SELECT pg_catalog.pg_backend_pid()")
    return pid
