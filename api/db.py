"""The way to the database: a pool of read-only sessions."""

from time import monotonic
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from sqlalchemy import create_engine, event
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from api.config import Config
from api.expressions import Question, Read, compiled
from api.session import ConnectionLostError, Session

CONNECT_TIMEOUT_SECONDS = 2
POOL_TIMEOUT_SECONDS = 2
# For so long after a failed connect nobody tries again, so that requests fail at once instead of queueing up.
PAUSE_SECONDS = 0.25

# Where a pooled connection keeps its session.
SESSION = "leads_session"
_NOT_INSTALLED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InsufficientPrivilege,
)


class UnavailableError(Exception):
    """The database cannot answer now; the message is fit for a caller."""


class Database:
    """The read model, under a role that can do nothing but read it. The first read of a process connects."""

    def __init__(self, config: Config) -> None:
        self._conninfo = _conninfo(config)
        self._pause_ends = 0.0
        # Opens no connection before the first read, so that workers may be forked.
        self.engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            pool_size=config.threads,
            max_overflow=0,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            # Nothing that a session keeps could differ from one request to the next.
            pool_reset_on_return=None,
        )
        # Comes after what SQLAlchemy itself asks a new connection, whose answers it wants as psycopg gives them.
        event.listen(self.engine, "connect", _begin_session)

    def fetch(self, read: Read) -> Any:  # noqa: ANN401  # Its columns are the statement's.
        """The row that answers, with the page that follows it, its texts as UTF-8; None of no rows."""
        question = compiled(read)
        try:
            try:
                return self._fetch(question)
            except ConnectionLostError:
                # One that was closed while it lay in the pool (a restart, a failover) says nothing of the database
                # as it is now, and the others there are no better.
                self.engine.dispose()
                return self._fetch(question)
        except (psycopg.Error, PoolTimeoutError) as error:
            raise _meaning(error) from error

    def _fetch(self, question: Question) -> Any:  # noqa: ANN401
        pooled = self.engine.raw_connection()
        try:
            session: Session = pooled.info[SESSION]
            return session.fetch(question)
        except ConnectionLostError as error:
            pooled.invalidate(error)
            raise
        finally:
            pooled.close()

    def _connect(self) -> psycopg.Connection[Any]:
        if monotonic() < self._pause_ends:
            raise psycopg.OperationalError("the last attempt to connect failed a moment ago")
        try:
            return psycopg.connect(self._conninfo, autocommit=True)
        except psycopg.OperationalError:
            self._pause_ends = monotonic() + PAUSE_SECONDS
            raise


def _begin_session(connection: psycopg.Connection[Any], record: ConnectionPoolEntry) -> None:
    record.info[SESSION] = Session(connection)


def _meaning(error: psycopg.Error | PoolTimeoutError) -> Exception:
    """What an error of the database means to a caller; one of our own making stays what it is."""
    if isinstance(error, PoolTimeoutError):
        return UnavailableError("All connections to the database are busy")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return UnavailableError("The database took too long to answer")
    if isinstance(error, _NOT_INSTALLED):
        return UnavailableError("The read model is not installed")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return UnavailableError("The database cannot be reached")
    return error


def _conninfo(config: Config) -> str:
    """The address, with all that makes a session ours."""
    given = conninfo_to_dict(config.database_url)
    settings = {
        "default_transaction_read_only": "on",
        "statement_timeout": str(config.statement_timeout_ms),
        "TimeZone": "UTC",
        "DateStyle": "ISO",
        "jit": "off",
        # One plan for tenants of every size, made once a connection: pages are read in the order of an index.
        "plan_cache_mode": "force_generic_plan",
        "enable_seqscan": "off",
        "enable_sort": "off",
        "random_page_cost": "1.1",
        "max_parallel_workers_per_gather": "0",
    }
    if config.role:
        settings["role"] = config.role
    options = " ".join(f"-c {name}={_escaped(value)}" for name, value in settings.items())
    chosen: dict[str, str | int | None] = {
        "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        "application_name": "leads-api",
        # A server that vanished without a word is noticed not much later than its slowest answer.
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "tcp_user_timeout": config.statement_timeout_ms + 2000,
        **given,
        "client_encoding": "utf8",
        "options": f"{given.get('options') or ''} {options}".strip(),
    }
    return make_conninfo("", **chosen)


def _escaped(value: str) -> str:
    """A value as libpq takes it in its options."""
    return value.replace("\\", "\\\\").replace(" ", "\\ ")
