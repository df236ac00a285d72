"""A session that PostgreSQL tells which tenants have changed."""

from collections.abc import Collection
from contextlib import ExitStack
from hashlib import sha256

from api.config import TRANSACTION, Config
from api.database.connect import OwnConnection, connect
from api.database.errors import errors_for_caller

_EVERYTHING = "*"
_NAME_LENGTH = 12

# A standby tells nothing, and the servers of Citus finish after the commit that would tell of them.
_CAN_TELL = """
SELECT NOT pg_catalog.pg_is_in_recovery() AND pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NULL
"""


def name_of(user_id: str) -> str:
    """Return what PostgreSQL calls a tenant that has changed: see sql/refresh/8_write_leads/95_tell_listeners.sql."""
    return sha256(user_id.encode()).hexdigest()[:_NAME_LENGTH]


def read_told(connection: OwnConnection) -> Collection[str] | None:
    """Return the names of the tenants that have changed; None for all. Raises UnavailableError at its end."""
    pgconn, names = connection.pgconn, set[str]()
    with errors_for_caller():
        pgconn.consume_input()
        while (told := pgconn.notifies()) is not None:
            names.update(told.extra.decode().split())
    return None if _EVERYTHING in names else names


def listen(config: Config) -> OwnConnection | None:
    """Return a session that listens; None where PostgreSQL cannot tell: behind a pooler, on a standby, on Citus.

    Whoever has it waits until its file can be read, and then reads what was told.

    Raises UnavailableError if the database cannot be reached.
    """
    if config.tenant_setting == TRANSACTION:
        return None
    with errors_for_caller(), ExitStack() as stack:
        connection = stack.enter_context(connect(config))
        if connection.execute(_CAN_TELL).fetchone() == (True,):
            connection.execute("LISTEN leads")
            # It stays open.
            stack.pop_all()
            return connection
    return None
