"""The roles: `leads_api` reads the read model, `leads_reader` the views of `leads_sql`, and neither anything else."""

import psycopg
from psycopg import sql as composing

from projector.core.pipeline import Connection
from projector.database.schema import sections
from projector.database.sql import query


def set_up_api_role(conn: Connection) -> list[str]:
    """Create the role, and let it read the read model; let the login that migrates take it.

    So one login serves both programs on a small installation. Returns, for what the login may not do, the statements
    that a superuser has to run.
    """
    text = sections()["roles"]
    try:
        with conn.transaction():
            conn.execute(text.encode(), prepare=False)
    except psycopg.errors.InsufficientPrivilege:
        return [
            (
                "The API cannot read yet, because this login may not create its role leads_api. Have a superuser run:\n"
                f"{_for_another(conn, text)}"
            )
        ]
    row = conn.execute(query("operate", "read_role")).fetchone()
    if row is None or row[1]:
        return []
    try:
        with conn.transaction():
            conn.execute(composing.SQL("GRANT leads_api TO {}").format(composing.Identifier(row[0])))
    except psycopg.errors.InsufficientPrivilege:
        return [
            (
                "This login may not give itself the role leads_api. Where the API has the same login, have a superuser"
                f" run:\n{_membership(conn)}"
            )
        ]
    return []


def set_up_reader_role(conn: Connection) -> list[str]:
    """Create the role, and let it read the views.

    Returns, where the login may not create it, the statements that a superuser has to run.
    """
    text = sections()["readers"]
    try:
        with conn.transaction():
            conn.execute(text.encode(), prepare=False)
    except psycopg.errors.InsufficientPrivilege:
        return [
            (
                "Nobody can be given the views in leads_sql yet, because this login may not create their role"
                f" leads_reader. If you want it, have a superuser run:\n{text.strip()}"
            )
        ]
    return []


def _for_another(conn: Connection, text: str) -> str:
    """Return the statements as another role has to run them: default privileges are those of the role that migrates."""
    owner = composing.Identifier(_login(conn)).as_string(conn)
    statements = text.strip().replace(
        "ALTER DEFAULT PRIVILEGES IN SCHEMA", f"ALTER DEFAULT PRIVILEGES FOR ROLE {owner} IN SCHEMA"
    )
    return f"{statements}\n{_membership(conn)}"


def _membership(conn: Connection) -> str:
    return composing.SQL("GRANT leads_api TO {};").format(composing.Identifier(_login(conn))).as_string(conn)


def _login(conn: Connection) -> str:
    row = conn.execute(query("operate", "read_user")).fetchone()
    return "" if row is None else str(row[0])
