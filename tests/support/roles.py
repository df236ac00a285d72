"""Roles of a platform for the tests: they log in with the password x."""

from collections.abc import Iterator
from contextlib import contextmanager

from psycopg import sql

from projector.database.rows import Connection
from tests.support.server import Database
from tests.support.source import SOURCE_TABLES


@contextmanager
def logins(superuser: Connection, *names: str) -> Iterator[None]:
    """Create roles that may log in; they are dropped with what they own here, and with their rights here."""
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


@contextmanager
def without_role(superuser: Connection, name: str) -> Iterator[None]:
    """Hide a role of the server from a test, and drop what the test installs for it in this database.

    Other databases of the server may use the role, so it is renamed meanwhile.
    """
    role, elsewhere = sql.Identifier(name), sql.Identifier(f"{name}_elsewhere")

    def is_there() -> bool:
        return superuser.execute("SELECT FROM pg_roles WHERE rolname = %s", (name,)).fetchone() is not None

    was_there = is_there()
    if was_there:
        superuser.execute(sql.SQL("ALTER ROLE {} RENAME TO {}").format(role, elsewhere))
    try:
        yield
    finally:
        superuser.execute("DROP SCHEMA IF EXISTS leads_sql, projector, read_model CASCADE")
        if is_there():
            superuser.execute(sql.SQL("DROP OWNED BY {}").format(role))
            superuser.execute(sql.SQL("DROP ROLE {}").format(role))
        if was_there:
            superuser.execute(sql.SQL("ALTER ROLE {} RENAME TO {}").format(elsewhere, role))


def give_platform(superuser: Connection, database: Database, owner: str) -> None:
    """Make an ordinary role, which may create schemas in its database, the owner of the platform's tables."""
    role = sql.Identifier(owner)
    superuser.execute(
        sql.SQL("GRANT CREATE ON DATABASE {} TO {}").format(sql.Identifier(database.name), role)
    )
    for table in SOURCE_TABLES:
        superuser.execute(sql.SQL("ALTER TABLE {} OWNER TO {}").format(sql.Identifier(table.name), role))
