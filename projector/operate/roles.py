"""The roles: `leads_api` reads the read model, `leads_reader` the views of `leads_sql`, and neither anything else."""

from typing import LiteralString

import psycopg

from projector.database.rows import Connection
from projector.database.schema import sections
from projector.operate.rights import read_server

NO_API = "The API cannot read yet"


def set_up_api_role(conn: Connection) -> list[str]:
    """Create the role, and let it read the read model; let the login that migrates take it.

    So one login serves both programs on a small installation. Returns, for what the login may not do, the statements
    that a superuser has to run.
    """
    text = sections()["roles"]
    login = read_server(conn).role_name
    membership = f"GRANT leads_api TO {login};"
    if not is_allowed(conn, text):
        # Default privileges are those of the role that migrates.
        statements = text.strip().replace(
            "ALTER DEFAULT PRIVILEGES IN SCHEMA", f"ALTER DEFAULT PRIVILEGES FOR ROLE {login} IN SCHEMA"
        )
        said = "because this login may not create its role leads_api. Have a superuser run"
        return [f"{NO_API}, {said}:\n{statements}\n{membership}"]
    is_member = conn.execute("SELECT pg_has_role('leads_api', 'MEMBER')").fetchone() == (True,)
    if is_member or is_allowed(conn, "GRANT leads_api TO CURRENT_USER"):
        return []
    said = "This login may not give itself the role leads_api. Where the API has the same login, have a superuser run"
    return [f"{said}:\n{membership}"]


def run_section(conn: Connection, name: str, otherwise: str, *others: type[psycopg.Error]) -> list[str]:
    """Run a section of schema.sql; return a notice with its statements where they did not run, see `is_allowed`."""
    text = sections()[name]
    return [] if is_allowed(conn, text, *others) else [f"{otherwise}:\n{text.strip()}"]


def is_allowed(conn: Connection, text: LiteralString, *others: type[psycopg.Error]) -> bool:
    """Run the statements; return whether they ran: not where a right is missing, or one of the other errors came."""
    refused: tuple[type[psycopg.Error], ...] = (psycopg.errors.InsufficientPrivilege, *others)
    try:
        with conn.transaction():
            conn.execute(text.encode(), prepare=False)
    except refused:
        return False
    return True
