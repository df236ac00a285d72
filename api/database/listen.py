"""A session that is notified of the tenants that have changed."""

from collections.abc import Collection
from contextlib import ExitStack
from hashlib import sha256

from api.config import TRANSACTION, Config
from api.database.connect import OwnConnection, connect
from api.database.errors import errors_for_caller

_EVERYTHING = "*"
_NAME_LENGTH = 12

# A standby sends no notifications, and the workers of Citus finish after the commit that sends them.
_CAN_TELL = """
SELECT NOT pg_catalog.pg_is_in_recovery() AND pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NULL
"""


def name_of(user_id: str) -> str:
    """Return the name of a tenant in a notification: see sql/refresh/8_write_leads/95_tell_listeners.sql."""
    return sha256(user_id.encode()).hexdigest()[:_NAME_LENGTH]


def read_told(connection: OwnConnection) -> Collection[str] | None:
    """Return the names of the tenants that have changed; None for all. Raises UnavailableError if the session ends."""
    pgconn, names = connection.pgconn, set[str]()
    with errors_for_caller():
        pgconn.consume_input()
        while (told := pgconn.notifies()) is not None:
            names.update(told.extra.decode().split())
    return None if _EVERYTHING in names else names


def listen(config: Config) -> OwnConnection | None:
    """Return a session that listens; None if there are no notifications: behind a pooler, on a standby, on Citus.

    The caller waits until the file of the connection is readable, and then calls `read_told`.

    Raises UnavailableError if the database cannot be reached.
    """
    if config.tenant_setting == TRANSACTION:
        return None
    with errors_for_caller(), ExitStack() as stack:
        connection = stack.enter_context(connect(config))
        if connection.execute(_CAN_TELL).fetchone() == (True,):
            connection.execute("LISTEN leads")
            # Keep the connection open.
            stack.pop_all()
            return connection
    return None
