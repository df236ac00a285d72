"""The projector's connections to PostgreSQL."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar
from urllib.parse import unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from projector.errors import (
    BlockedError,
    DatabaseUnreachableError,
    SourceMissingError,
    UnsupportedServerError,
)
from projector.source import SOURCE_TABLES

_Result = TypeVar("_Result")

OLDEST_SERVER = 150000
# The first version that has this setting.
_TRANSACTION_TIMEOUT = 170000

SCHEDULER_NAME = "leads-projector run"
"""How the sessions of a scheduler begin to be named in pg_stat_activity; the job follows."""

# What a connection has unless its URL says otherwise: a database that is cut off is noticed in half a minute.
_PARAMETERS = {
    "connect_timeout": "10",
    "keepalives_idle": "15",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "client_encoding": "utf8",
}
# What the projector counts on, whatever is set for the role, for the database or in PGOPTIONS.
_SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "IntervalStyle": "postgres",
    "jit": "off",
    "lock_timeout": "0",
    "statement_timeout": "0",
    "default_transaction_isolation": "read committed",
    "default_transaction_read_only": "off",
    "idle_session_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    # Commands that a catalog function writes are read, and aimed at the tables beside.
    "quote_all_identifiers": "off",
    # A policy that hides rows from the projector is an error then, not rows that are gone.
    "row_security": "off",
    # The stage of a chunk of leads, with what was deleted of it, stays in memory. It is allocated as it is used.
    "temp_buffers": "32MB",
}


def connect(url: str, *, application_name: str, **parameters: Any) -> psycopg.Connection[TupleRow]:  # noqa: ANN401  # Whatever psycopg takes.
    """Open a connection in autocommit mode to a server that can hold the read model."""
    try:
        given = conninfo_to_dict(normalize(url))
    except psycopg.ProgrammingError:
        # What libpq says about it can contain the password.
        raise DatabaseUnreachableError(
            "The database URL cannot be read: write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE, "
            "with special characters in the password percent-encoded."
        ) from None
    # An environment variable such as PGAPPNAME does not count: an operator looks for our name.
    conninfo = make_conninfo("", **{**_PARAMETERS, **given, "application_name": application_name})
    try:
        conn = psycopg.connect(conninfo, autocommit=True, **parameters)
    except psycopg.OperationalError as error:
        reason = redact(_first_line(str(error)), url)
        raise DatabaseUnreachableError(
            f"The database cannot be reached: {reason}. Check the database URL, and that the server runs."
        ) from None
    try:
        _check(conn)
        settings = dict(_SETTINGS)
        if conn.info.server_version >= _TRANSACTION_TIMEOUT:
            settings["transaction_timeout"] = "0"
        values = ", ".join(["set_config(%s, %s, false)"] * len(settings))
        pairs = [text for pair in settings.items() for text in pair]
        conn.execute(f"SELECT {values}".encode(), pairs)
        follow_source(conn)
    except BaseException:
        conn.close()
        raise
    return conn


def follow_source(conn: psycopg.Connection[TupleRow]) -> None:
    """Look for the platform's tables where `migrate` has found them, whatever search_path the login has.

    A login that does not see them would find every trigger missing; one that sees others of their names, in a schema
    before theirs, would take those for the platform's. Raises SourceMissingError where it may not look there; a login
    that may not read our state either is left as it is.
    """
    row = conn.execute(
        "SELECT CASE WHEN has_schema_privilege(to_regnamespace('projector'), 'USAGE')"
        " THEN has_table_privilege(to_regclass('projector.settings'), 'SELECT') END"
    ).fetchone()
    if row != (True,):
        return
    noted = conn.execute(
        "SELECT value::text[] FROM projector.settings WHERE name = 'source_schemas'"
    ).fetchone()
    if noted is None:
        return
    look_into(conn, noted[0])
    closed = conn.execute(
        "SELECT quote_ident(n.nspname), quote_ident(current_user) FROM pg_namespace AS n WHERE n.nspname = ANY(%s)"
        " AND NOT has_schema_privilege(n.oid, 'USAGE')"
        " AND EXISTS (SELECT FROM pg_class AS c WHERE c.relnamespace = n.oid AND c.relname = ANY(%s)) LIMIT 1",
        (noted[0], [table.name for table in SOURCE_TABLES]),
    ).fetchone()
    if closed is not None:
        schema, role = closed
        raise SourceMissingError(
            f"The role {role} may not look into the schema {schema}, where the platform's tables are:"
            f" run GRANT USAGE ON SCHEMA {schema} TO {role};"
        )


def look_into(conn: psycopg.Connection[TupleRow], schemas: Sequence[str]) -> None:
    """Have names mean what they mean in these schemas, the first first, for the session."""
    conn.execute(
        "SELECT set_config('search_path', string_agg(quote_ident(s), ', ' ORDER BY place), false)"
        " FROM unnest(%s::text[]) WITH ORDINALITY AS wanted (s, place)",
        (list(schemas),),
    )


@contextmanager
def transaction_with_lock_timeout(conn: psycopg.Connection[TupleRow], timeout: str) -> Iterator[None]:
    """Run the block in a transaction in which no statement waits longer than `timeout` for a lock.

    `timeout` is written as PostgreSQL writes it, such as `200ms`. Raises LockNotAvailable when a wait exceeds it.
    """
    with conn.transaction():
        conn.execute("SELECT set_config('lock_timeout', %s, true)", (timeout,))
        yield


def retry_on_lock_timeout(  # noqa: PLR0913  # Every caller waits for another thing, for another time.
    work: Callable[[], _Result],
    *,
    patience: float,
    pause: float,
    message: str | Callable[[], str],
    longest_pause: float | None = None,
    retried: tuple[type[psycopg.Error], ...] = (psycopg.errors.LockNotAvailable,),
) -> _Result:
    """Call `work` again until it succeeds, as long as a lock timeout is what makes it fail.

    `work` opens its own transaction and limits its own lock waits, so that other sessions do not queue behind it for
    long. Between two attempts this function sleeps `pause` seconds, or, where `longest_pause` is given, twice as long
    after each attempt, up to that. `retried` names the errors that are retried; add DeadlockDetected where `work` locks
    several tables.

    Returns what `work` returns. Raises BlockedError with `message` when an attempt fails more than `patience` seconds
    after the first one began; a callable `message` is called then, to look up what holds the lock.
    """
    deadline = time.monotonic() + patience
    while True:
        try:
            return work()
        except retried as error:
            if time.monotonic() > deadline:
                raise BlockedError(message if isinstance(message, str) else message()) from error
        time.sleep(pause)
        pause = pause if longest_pause is None else min(pause * 2, longest_pause)


def normalize(url: str) -> str:
    """The URL as libpq wants it, also where it is written for SQLAlchemy."""
    return re.sub(r"^\s*postgres(?:ql)?(?:\+\w+)?://", "postgresql://", url).strip()


def redact(text: str, url: str) -> str:
    """The text without any part of the password that is in the URL."""
    pieces: set[str] = set()
    for pattern in (r"//[^:/@]*:(.*)@", r"password\s*=\s*('[^']*'|[^\s&]+)"):
        for password in re.findall(pattern, url):
            # A password that is not percent-encoded is cut at these characters, and its pieces show up as
            # the host or the port.
            pieces |= {password.strip("'"), unquote(password), *re.split(r"[@/:?#]", password)}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) > 2:  # noqa: PLR2004  # A shorter one is part of ordinary words.
            text = text.replace(piece, "***")
    return text


def _check(conn: psycopg.Connection[Any]) -> None:
    """Refuse a server on which the projector cannot work."""
    version = conn.info.server_version
    if version < OLDEST_SERVER:
        raise UnsupportedServerError(
            f"The server is PostgreSQL {version // 10000}: {OLDEST_SERVER // 10000} or newer is needed."
        )
    encoding = conn.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise UnsupportedServerError(
            f"The database {conn.info.dbname} has the encoding {encoding}: "
            "UTF8 is needed, so that every name can be stored."
        )
    if conn.info.parameter_status("in_hot_standby") == "on":
        raise UnsupportedServerError(
            "The server is a standby, which cannot be written to: connect the projector to its primary."
        )


def _first_line(text: str) -> str:
    """The first line of libpq's message, without what psycopg and libpq put around it."""
    line = text.strip().splitlines()[0] if text.strip() else "no reason given"
    return re.sub(r"^(connection failed|connection is bad): ", "", line).rstrip(". ")
