"""The projector's connections to PostgreSQL, and transactions that do not wait long for a lock."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from projector.database.distribution import recognize
from projector.database.ownership import POOLED, backend_pid
from projector.database.rows import Connection
from projector.database.source_names import require_open_schemas
from projector.database.sql import query
from projector.report.errors import (
    DatabaseUnreachableError,
    ProjectorError,
)

OLDEST_SERVER = 150000
"""The version number of the oldest PostgreSQL that can hold the read model, as libpq counts: 15."""

IDLE_IN_TRANSACTION_TIMEOUT = "10s"
"""How long a session of the projector may do nothing in a transaction before PostgreSQL ends it."""

SEARCH_PATH = "pg_catalog, pg_temp"
"""The schemas for names without a schema: those of PostgreSQL, and of the session's temporary tables."""

SCHEDULER_NAME = "leads-projector run"
"""The beginning of the application names of a scheduler's sessions; the name of the job follows."""

# Messages of a server without free connections: for anybody, for this login, for this role, or for this database.
_NO_CONNECTION_LEFT = ("too many clients", "remaining connection slots", "too many connections for")

# In the message of libpq if it finds a standby instead of a primary.
_IS_STANDBY = "hot standby mode"
# In the message of a server that cannot begin a session because its disk is full.
_NO_SPACE = "No space left on device"
_STANDBY = (
    "The server is a standby, which cannot be written to: connect the projector to its primary. A URL may list"
    " several servers, of which the projector takes the primary: postgresql://USER:PASSWORD@HOST1,HOST2/DATABASE"
)

PARAMETERS = {
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "client_encoding": "utf8",
}
"""The connection parameters unless the URL sets them: a lost network connection is noticed within half a minute."""

SETTINGS = {
    # How values are printed and read: they are compared, and written into documents.
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    # How a text with a backslash is read, and the word NULL in an array.
    "standard_conforming_strings": "on",
    "array_nulls": "on",
    # The projector reads commands that catalog functions write.
    "quote_all_identifiers": "off",
    # Which rows it finds. A limit makes GIN indexes silently leave out rows. With row_security off, a policy that hides
    # rows from the projector is an error; with on, the rows would be missing.
    "gin_fuzzy_search_limit": "0",
    "row_security": "off",
    # A batch is READ COMMITTED, and writes.
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    # Our views can be read, and an error ends the statement, not the session.
    "restrict_nonsystem_relation_kind": "",
    "exit_on_error": "off",
    "jit": "off",
    # Statements that may not wait for long set their own limits.
    "lock_timeout": "0",
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_session_timeout": "0",
    # A process that hangs in a transaction, such as a stopped one, keeps its snapshot and its locks on the platform's
    # tables. PostgreSQL then ends its session, and rolls the transaction back. Between two statements the projector
    # itself needs milliseconds.
    "idle_in_transaction_session_timeout": IDLE_IN_TRANSACTION_TIMEOUT,
    # The staging tables of a chunk of leads stay in memory. PostgreSQL allocates this as it is used.
    "temp_buffers": "32MB",
}
"""The settings that the projector relies on, instead of those of the role, the database or PGOPTIONS.

Settings that an older server does not have are left out.
"""


def connect(
    url: str,
    *,
    application_name: str,
    **parameters: Any,  # noqa: ANN401  # Whatever psycopg takes.
) -> Connection:
    """Return a new connection, in autocommit mode.

    `application_name` is what pg_stat_activity shows; `parameters` are further ones of psycopg.connect().

    Raises DatabaseUnreachableError if the server does not answer or refuses the login, ProjectorError if it cannot hold
    the read model, and SourceMissingError as `require_open_schemas` does.
    """
    try:
        parts = conninfo_to_dict(normalize(url))
    except psycopg.ProgrammingError:
        # The message of libpq can contain the password.
        raise DatabaseUnreachableError(
            "The database URL cannot be read: write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "with special characters in the password percent-encoded."
        ) from None
    # The name overrides PGAPPNAME, because operators look for ours. Of several hosts or addresses, psycopg skips
    # standbys.
    fixed = {"application_name": application_name, "target_session_attrs": "primary"}
    conninfo = make_conninfo("", **{**PARAMETERS, **parts, **fixed})
    try:
        conn = Connection.connect(conninfo, autocommit=True, **parameters)
    except psycopg.OperationalError as error:
        reason = redact(_first_line(str(error)), url)
        if any(words in reason for words in _NO_CONNECTION_LEFT):
            raise DatabaseUnreachableError(
                f"The server takes no further connection: {reason}. See pg_stat_activity for sessions that nobody"
                " needs, or raise max_connections."
            ) from None
        if _NO_SPACE in reason:
            raise DatabaseUnreachableError(
                f"The server has no space left on its disk: {reason}. Free or add disk space: no change is lost."
            ) from None
        if _IS_STANDBY in reason:
            raise ProjectorError(_STANDBY) from None
        raise DatabaseUnreachableError(
            f"The database cannot be reached: {reason}. Check the database URL, and that the server runs."
        ) from None
    try:
        # From here on, a session only finds objects of PostgreSQL itself and its own temporary ones. Before, no
        # statement may call a function by its bare name or use an operator, because PostgreSQL would look for them in
        # the schemas of the login's search_path.
        conn.execute(f"SET search_path = {SEARCH_PATH}".encode())
        _check(conn)
        _require_session(conn, conninfo)
        parameters = {"names": list(SETTINGS), "settings": list(SETTINGS.values())}
        conn.execute(query("database", "pin_settings"), parameters)
        recognize(conn)
        require_open_schemas(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def connect_beside(conn: Connection, application_name: str) -> Connection:
    """Return another connection to the same database, by the same login."""
    info = conn.info
    conninfo = make_conninfo(info.dsn, host=info.host, port=info.port, password=info.password)
    return connect(conninfo, application_name=application_name)


@contextmanager
def transaction_with_lock_timeout(conn: Connection, timeout: str) -> Iterator[None]:
    """Run the block in a transaction in which no statement waits longer than `timeout` for a lock.

    `timeout` is written as PostgreSQL writes it, such as `200ms`. Raises LockNotAvailable when a wait exceeds it.
    """
    with conn.transaction():
        conn.execute("SELECT set_config('lock_timeout', %s, true)", (timeout,))
        yield


def normalize(url: str) -> str:
    """Return a URL in the form that libpq takes, also if it is written for SQLAlchemy."""
    return re.sub(r"^\s*postgres(?:ql)?(?:\+\w+)?://", "postgresql://", url).strip()


def redact(text: str, url: str) -> str:
    """Return the text with `***` in place of the password of the URL, and of each part of it."""
    pieces: set[str] = set()
    for pattern in (r"//[^:/@]*:(.*)@", r"password\s*=\s*('[^']*'|[^\s&]+)"):
        for password in re.findall(pattern, url):
            # libpq cuts a password that is not percent-encoded at these characters, and prints a piece of it as the
            # host or the port.
            pieces |= {password.strip("'"), unquote(password), *re.split(r"[@/:?#]", password)}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) > 2:  # noqa: PLR2004  # A shorter one is part of ordinary words.
            text = text.replace(piece, "***")
    return text


def _first_line(text: str) -> str:
    """Return the first line of libpq's message, without the prefixes of psycopg and libpq."""
    line = text.strip().splitlines()[0] if text.strip() else "no reason given"
    return re.sub(r"^(connection failed|connection is bad): ", "", line).rstrip(". ")


def _require_session(conn: psycopg.Connection[Any], conninfo: str) -> None:
    """Raise ProjectorError behind a pooler that gives each transaction another session.

    Behind any pooler the backend process differs from the one that was announced to the connection. A pooler of
    sessions gives a second connection another process than the first, which is still connected.
    """
    pid = backend_pid(conn)
    if pid != conn.info.backend_pid:
        with psycopg.connect(conninfo) as beside:
            if backend_pid(beside) == pid:
                raise ProjectorError(POOLED)


def _check(conn: psycopg.Connection[Any]) -> None:
    """Raise ProjectorError for a server on which the projector cannot work."""
    version = conn.info.server_version
    if version < OLDEST_SERVER:
        raise ProjectorError(
            f"The server is PostgreSQL {version // 10000}: {OLDEST_SERVER // 10000} or newer is needed."
        )
    encoding = conn.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise ProjectorError(
            f"The database {conn.info.dbname} has the encoding {encoding}: "
            "UTF8 is needed, so that every name can be stored."
        )
