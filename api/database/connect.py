"""How a session of the API begins: the address, the settings that it has, and the role, which may only read."""

from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from api.config import Config
from api.database.errors import NOT_INSTALLED, RoleError

# A statement finds no function and no operator that somebody made in a schema of the login's own path.
SEARCH_PATH = "pg_catalog, pg_temp"

# No table is held for longer by a migrate: who waits longer waits for a command of somebody else.
LOCK_TIMEOUT_MS = 2000

CONNECT_TIMEOUT_SECONDS = 2

# The role that `migrate` creates.
INSTALLED_ROLE = "leads_api"

_HAS_CITUS = "SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL"

_IS_INSTALLED = """
SELECT FROM pg_catalog.pg_class AS c
WHERE c.relname = 'projection' AND c.relnamespace = (
    SELECT n.oid FROM pg_catalog.pg_namespace AS n WHERE n.nspname = 'read_model'
)
"""


def connect(config: Config) -> psycopg.Connection[Any]:
    """Returns a new session with the configured role, or with the login's own where none is.

    Raises OperationalError, or RoleError: see _take_role.
    """
    connection = psycopg.connect(conninfo(config), autocommit=True)
    try:
        if connection.execute(_HAS_CITUS).fetchone() == (True,):
            # Citus plans a statement for its values, to find the server of the tenant; and the policies there read the
            # tenant that a transaction sets.
            connection.execute("SET plan_cache_mode = auto")
            connection.execute("SET citus.propagate_set_commands = 'local'")
        if config.role:
            _take_role(connection, config.role)
    except BaseException:
        connection.close()
        raise
    return connection


def _take_role(connection: psycopg.Connection[Any], role: str) -> None:
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


def conninfo(config: Config) -> str:
    """Returns the configured address with the settings that every session of the API has."""
    given = conninfo_to_dict(config.database_url)
    settings = {
        "search_path": SEARCH_PATH,
        "default_transaction_read_only": "on",
        "statement_timeout": str(config.statement_timeout_ms),
        "lock_timeout": str(min(LOCK_TIMEOUT_MS, config.statement_timeout_ms)),
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "jit": "off",
        # PostgreSQL plans a statement once a connection, for tenants of every size: pages are read by an index.
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_sort": "off",
        "random_page_cost": "1.1",
        "max_parallel_workers_per_gather": "0",
    }
    # A blank stands behind a backslash there.
    options = " ".join("-c {}={}".format(name, value.replace(" ", "\\ ")) for name, value in settings.items())
    parameters: dict[str, str | int | None] = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "leads-api",
        # The API notices a server that vanished without closing its connections soon after its slowest answer.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": config.statement_timeout_ms + 2000,
        **given,
        "client_encoding": "utf8",
        "options": f"{given.get('options') or ''} {options}".strip(),
    }
    return make_conninfo("", **parameters)
