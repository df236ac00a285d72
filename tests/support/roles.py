"""Roles of a platform for the tests: they log in with the password x."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from projector.source import SOURCE_TABLES
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]


@contextmanager
def logins(superuser: Connection, *names: str) -> Iterator[None]:
    """Roles that may log in; they are dropped with what they own in this database, and with their rights there."""
    roles = sql.SQL(", ").join(map(sql.Identifier, names))
    for name in names:
        superuser.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD 'x'").format(sql.Identifier(name)))
    try:
        yield
    finally:
        superuser.execute("DROP SCHEMA IF EXISTS projector, read_model, leads_access, leads_sql CASCADE")
        superuser.execute(sql.SQL("REASSIGN OWNED BY {} TO CURRENT_USER").format(roles))
        superuser.execute(sql.SQL("DROP OWNED BY {}").format(roles))
        superuser.execute(sql.SQL("DROP ROLE {}").format(roles))


def give_platform(superuser: Connection, database: Database, owner: str) -> None:
    """Have the platform's tables belong to an ordinary role, which may create schemas in its database."""
    role = sql.Identifier(owner)
    superuser.execute(
        sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(database.name), role)
    )
    for table in SOURCE_TABLES:
        superuser.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(table.name), role))
