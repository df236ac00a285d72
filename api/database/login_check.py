"""Warns at the start about a login that may do more than read the rows of one tenant at a time."""

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from api.config import Config
from api.database.connect import connect

# session_user is the login, to which an injected statement could return from the role of the session.
_LOOK = """
SELECT
    session_user::text AS login,
    current_user::text AS role,
    login.rolsuper AS is_superuser,
    login.rolbypassrls AS bypasses,
    (
        SELECT min(n.nspname || '.' || c.relname)
        FROM pg_catalog.pg_class AS c
        INNER JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname IN ('read_model', 'leads_access')
            AND c.relkind IN ('r', 'p')
            AND pg_catalog.has_table_privilege(session_user, c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE')
    ) AS writable,
    (
        SELECT min(s.table_name)
        FROM read_model.row_security AS s
        WHERE NOT pg_catalog.row_security_active(s.table_id) AND s.problem IS NULL
    ) AS unfiltered,
    (SELECT min(s.table_name || ': ' || s.problem) FROM read_model.row_security AS s) AS missing,
    NOT pg_catalog.pg_has_role(current_user, 'leads_api', 'USAGE') AS is_outside
FROM pg_catalog.pg_roles AS login
WHERE login.rolname = session_user
"""


@dataclass(frozen=True, slots=True)
class _Login:
    """A row of _LOOK: the login, its rights, and the first table for each problem."""

    login: str
    role: str
    is_superuser: bool
    bypasses: bool
    writable: str | None
    unfiltered: str | None
    missing: str | None
    is_outside: bool


def look(config: Config) -> list[str]:
    """Return a sentence for each problem of the login.

    Returns an empty list if the database cannot be read: requests and `/health/ready` then say why.
    """
    try:
        with connect(config) as connection, connection.cursor(row_factory=class_row(_Login)) as cursor:
            if connection.begin:
                cursor.execute(b"; ".join(connection.begin))
            login = cursor.execute(_LOOK).fetchone()
    except psycopg.Error:
        return []
    return [] if login is None else [*_sentences(login)]


def _sentences(login: _Login) -> Iterator[str]:
    if login.missing is not None:
        yield (
            f"A table is not protected from being read for another tenant: {login.missing}."
            " Run `python -m projector migrate`"
        )
    elif login.unfiltered is not None:
        yield (
            f"Row security does not hold for the API: the role {login.role} is a superuser, has BYPASSRLS or owns"
            f" {login.unfiltered}. Leave LEADS_API_ROLE unset, or give the API a login of its own"
        )
    elif login.is_outside:
        yield (
            f"Row security does not hold for the API: the role {login.role} is not a member of leads_api."
            f" Run GRANT leads_api TO {login.role}"
        )
    if login.is_superuser:
        why = "is a superuser"
    elif login.writable is not None:
        why = f"may write {login.writable}"
    elif login.bypasses:
        why = "has BYPASSRLS"
    else:
        return
    yield (
        f"The login {login.login} of the API {why}: its role and row security are no wall against injected SQL."
        " Give the API a login of its own in LEADS_API_DATABASE_URL; docs/start.md shows how"
    )
