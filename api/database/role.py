"""The role that each session of the API takes, which may only read."""

from typing import Any

import psycopg
from psycopg import sql

from api.database.errors import NOT_INSTALLED, RoleError

# The role that `migrate` creates.
INSTALLED_ROLE = "leads_api"

_HAS_CITUS = "SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL"

_IS_INSTALLED = """
SELECT FROM pg_catalog.pg_class AS c
WHERE c.relname = 'projection' AND c.relnamespace = (
    SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'read_model'
)
"""


def connect_as(conninfo: str, role: str) -> psycopg.Connection[Any]:
    """Returns a new session that has taken a role; an empty one keeps the login's own.

    Raises OperationalError, or RoleError: see take_role.
    """
    connection = psycopg.connect(conninfo, autocommit=True)
    try:
        if connection.execute(_HAS_CITUS).fetchone() == (True,):
            # Citus plans a statement for its values, to find the server of the tenant; and the policies there read the
            # tenant that a transaction sets.
            connection.execute("SET plan_cache_mode = auto")
            connection.execute("SET citus.propagate_set_commands = 'local'")
        if role:
            take_role(connection, role)
    except BaseException:
        connection.close()
        raise
    return connection


def take_role(connection: psycopg.Connection[Any], role: str) -> None:
    """Have a new session take a role.

    As a setting of the connection, a role that is missing would look like a server that is away.

    Raises RoleError where there is no such role, or where the login may not take it.
    """
    name = sql.Identifier(role)
    try:
        connection.execute(sql.SQL("SET ROLE {}").format(name))
    except (psycopg.errors.InvalidParameterValue, psycopg.errors.UndefinedObject) as error:
        raise RoleError(str(error), _why_there_is_no_role(connection, role)) from error
    except psycopg.errors.InsufficientPrivilege as error:
        grant = sql.SQL("GRANT {} TO {}").format(name, sql.Identifier(connection.info.user))
        raise RoleError(
            f"{error}: run {grant.as_string(connection)};",
            f"The login of the API may not take the role {role}: have an administrator run GRANT {role} TO that login",
        ) from error


def _why_there_is_no_role(connection: psycopg.Connection[Any], role: str) -> str:
    if connection.execute(_IS_INSTALLED).fetchone() is None:
        return NOT_INSTALLED
    if role == INSTALLED_ROLE:
        return f"The role {role} does not exist: run `python -m projector migrate`, which creates it or prints how"
    return (
        f"The role {role}, which LEADS_API_ROLE names, does not exist: create it with"
        f" CREATE ROLE {role} IN ROLE {INSTALLED_ROLE}, or leave LEADS_API_ROLE unset"
    )
