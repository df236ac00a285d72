"""Opening a session of the API: its address, its settings, and its role, which may only read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import class_row

from api.config import TRANSACTION, Config
from api.database.errors import NOT_INSTALLED, SUPERUSER_PART, RoleError

# This path keeps statements from finding functions or operators in a schema of the login.
SEARCH_PATH = "pg_catalog, pg_temp"

# `migrate` locks no table for longer, so a longer wait is for a command of another user.
LOCK_TIMEOUT_MS = 2000

CONNECT_TIMEOUT_SECONDS = 2

# The role that `migrate` creates.
INSTALLED_ROLE = "leads_api"

# Whether the settings below came with the connection, since poolers drop them; whether the server has Citus; and which
# newer settings the server knows.
_LOOK = """
SELECT
    pg_catalog.current_setting('leads.pinned', true) IS NOT NULL AS is_pinned,
    pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL AS has_citus,
    pg_catalog.current_setting('transaction_timeout', true) IS NOT NULL AS has_transaction_timeout,
    pg_catalog.current_setting('restrict_nonsystem_relation_kind', true) IS NOT NULL AS restricts_kinds
"""

# Whether Citus has distributed the read model.
_IS_DISTRIBUTED = """
SELECT FROM pg_catalog.pg_dist_partition AS p
INNER JOIN pg_catalog.pg_class AS c ON c.oid = p.logicalrelid
WHERE c.relname = 'leads' AND c.relnamespace = pg_catalog.to_regnamespace('read_model')
"""

_IS_INSTALLED = """
SELECT FROM pg_catalog.pg_class AS c
WHERE c.relname = 'projection' AND c.relnamespace = pg_catalog.to_regnamespace('read_model')
"""


@dataclass(frozen=True, slots=True)
class _Server:
    """The row of _LOOK."""

    is_pinned: bool
    has_citus: bool
    has_transaction_timeout: bool
    restricts_kinds: bool


class OwnConnection(psycopg.Connection[Any]):
    """A connection with the commands that begin each transaction, which are empty if the session keeps its settings."""

    begin: Sequence[bytes] = ()


def connect(config: Config) -> OwnConnection:
    """Return a new session with the configured role. Without one, and on Citus, it keeps the role of the login.

    Citus connects to its workers with the role of the session, and leads_api cannot log in. Raises OperationalError, or
    RoleError: see _take_role.
    """
    connection = OwnConnection.connect(conninfo(config), autocommit=True)
    try:
        is_distributed = _pin(connection, config)
        if config.role and not is_distributed:
            _take_role(connection, config.role)
    except BaseException:
        connection.close()
        raise
    return connection


def _pin(connection: OwnConnection, config: Config) -> bool:
    """Set what did not come with the connection: for the session, or at the beginning of each transaction.

    Behind a pooler each transaction may get another session, whose settings other clients would inherit. The workers of
    Citus only get the settings of a transaction. Returns whether Citus has distributed the read model.
    """
    with connection.cursor(row_factory=class_row(_Server)) as cursor:
        [server] = cursor.execute(_LOOK)
    is_distributed = server.has_citus and connection.execute(_IS_DISTRIBUTED).fetchone() is not None
    further: dict[str, str] = {}
    if server.has_transaction_timeout:
        further["transaction_timeout"] = "0"
    if server.restricts_kinds:
        # The API reads views.
        further["restrict_nonsystem_relation_kind"] = ""
    if server.has_citus:
        # Citus needs the values of a statement to find the worker of the tenant, and the policies on the workers read
        # the tenant that the transaction sets.
        further |= {"plan_cache_mode": "auto", "citus.propagate_set_commands": "local"}
    if is_distributed or config.tenant_setting == TRANSACTION:
        connection.begin = [b"BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY"]
        if not server.is_pinned:
            lacking = {**settings(config), **further}
            connection.begin += [_set(connection, "SET LOCAL", *pair) for pair in lacking.items()]
            return is_distributed
    lacking = further if server.is_pinned else {**settings(config), **_OF_SESSION, **further}
    if lacking:
        connection.execute(b"; ".join(_set(connection, "SET", *pair) for pair in lacking.items()))
    return is_distributed


def _set(connection: OwnConnection, command: LiteralString, name: str, value: str) -> bytes:
    # A setting of an extension has a name of two parts, and a list of schemas has a value for each.
    values = sql.SQL(", ").join(map(sql.Literal, value.split(", ")))
    text = sql.SQL(command + " {} = {}").format(sql.Identifier(*name.split(".")), values)
    return text.as_bytes(connection)


def _take_role(connection: psycopg.Connection[Any], role: str) -> None:
    """Switch a new session to a role.

    If the settings of the connection named a missing role, the server would look unreachable.

    Raises RoleError if there is no such role, or if the login may not take it.
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
        return f"The role {role} does not exist, so the API cannot read: {SUPERUSER_PART}"
    return (
        f"The role {role}, which LEADS_API_ROLE names, does not exist: create it with"
        f" CREATE ROLE {role} IN ROLE {INSTALLED_ROLE}, or leave LEADS_API_ROLE unset"
    )


def settings(config: Config) -> dict[str, str]:
    """Return the settings on which answers depend, so that settings of the role or the database have no effect."""
    return {
        "search_path": SEARCH_PATH,
        # How long a statement may take, and may wait for a lock.
        "statement_timeout": str(config.statement_timeout_ms),
        "lock_timeout": str(min(LOCK_TIMEOUT_MS, config.statement_timeout_ms)),
        # How values are printed.
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "extra_float_digits": "1",
        # How a text with a backslash is read, and how the catalog prints a policy.
        "standard_conforming_strings": "on",
        "quote_all_identifiers": "off",
        # Which rows a statement finds: a limit makes GIN indexes leave out rows, and with row_security off a statement
        # fails instead of returning the rows of one tenant.
        "gin_fuzzy_search_limit": "0",
        "row_security": "on",
        # An error ends the statement, not the session.
        "exit_on_error": "off",
        "jit": "off",
        # PostgreSQL plans a statement once in each connection, for tenants of every size, so pages have to be read by
        # an index.
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_sort": "off",
        "random_page_cost": "1.1",
        "max_parallel_workers_per_gather": "0",
    }


_OF_SESSION = {
    # The session only reads, and each statement sees what was committed before. Standbys do not support serializable.
    "default_transaction_read_only": "on",
    "default_transaction_isolation": "read committed",
    # The session may be idle until the next request.
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "10s",
    "leads.pinned": "on",
}
"""Further settings of a session. Behind a pooler, BEGIN says the first two."""


def conninfo(config: Config) -> str:
    """Return the configured address with the settings that every session of the API has."""
    address = conninfo_to_dict(config.database_url)
    pairs = {**settings(config), **_OF_SESSION}.items()
    # A blank needs a backslash in the options.
    options = " ".join("-c {}={}".format(name, value.replace(" ", "\\ ")) for name, value in pairs)
    parameters: dict[str, str | int | None] = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "leads-api",
        # The API notices a server that vanished without closing its connections soon after its slowest answer.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": config.statement_timeout_ms + 2000,
        **address,
        "client_encoding": "utf8",
        "options": f"{address.get('options') or ''} {options}".strip(),
    }
    return make_conninfo("", **parameters)
