"""A pool of read-only sessions."""

from copy import copy
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any, cast

import psycopg
from sqlalchemy import create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool
from sqlalchemy.util.queue import Empty

from api.config import TRANSACTION, Config
from api.database.connect import connect
from api.database.errors import PASSING_ERRORS, ConnectionLostError, RoleError, caller_error
from api.database.session import Session
from api.database.statement import BoundStatement, CompiledStatement, Row, compile_statement
from api.observe.meters import CONNECTIONS_IN_USE, CONNECTIONS_WAITING

if TYPE_CHECKING:
    from sqlalchemy.pool.base import _ConnectionRecord

POOL_TIMEOUT_SECONDS = 2
# After a failed attempt to connect, requests fail at once for this long instead of queueing up.
RECONNECT_PAUSE_SECONDS = 0.25
# Before a statement is asked once more.
PASSING_PAUSE_SECONDS = 0.1

# The key under which the pool keeps the session of a connection.
SESSION = "leads_session"


class SessionPool(QueuePool):
    """A pool whose connections are lent by the entry that it keeps of each.

    SQLAlchemy makes an object for each loan, and has it watched by the garbage collector, so that what a caller forgets
    comes back. `Database` forgets none, and the object costs more than the rest of the loan.
    """

    def lend_idle(self) -> ConnectionPoolEntry | None:
        """Returns the entry of a connection that is open and idle, as `lend` does; None if there is none."""
        try:
            entry = self._pool.get(block=False)
        except Empty:
            return None
        if entry.dbapi_connection is None:
            self._do_return_conn(entry)
            return None
        return self._opened(entry)

    def lend(self) -> ConnectionPoolEntry:
        """Returns the entry of a connection that is open, as far as the pool knows; `give_back` has to follow.

        Raises TimeoutError if all are lent, and whatever opening a connection raises.
        """
        return self._opened(self._do_get())

    def _opened(self, entry: ConnectionPoolEntry) -> ConnectionPoolEntry:
        try:
            cast("_ConnectionRecord", entry).get_connection()
        except BaseException:
            self._do_return_conn(entry)
            raise
        return entry

    def give_back(self, entry: ConnectionPoolEntry) -> None:
        """End a loan."""
        self._do_return_conn(entry)


class Database:
    """The read model, under a role that can only read it. The first statement of a process connects."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._tenant_per_transaction = config.tenant_setting == TRANSACTION
        self._pause_ends = 0.0
        self._failure: psycopg.Error | None = None
        # Opens no connection before the first statement, so that workers may be forked.
        self.engine = create_engine(
            "postgresql+psycopg://",
            creator=self._connect,
            poolclass=SessionPool,
            pool_size=config.threads,
            # API keys are looked up before a request has its turn, also while those that run wait for a lock.
            max_overflow=1,
            pool_timeout=POOL_TIMEOUT_SECONDS,
            # A statement changes nothing of its session but the tenant, which the session remembers.
            pool_reset_on_return=None,
        )
        # Runs after SQLAlchemy's own queries on a new connection, which expect texts as psycopg loads them.
        event.listen(self.engine, "connect", self._begin_session)

    def fetch(self, bound: BoundStatement[Row]) -> Row:
        """Returns the first row of a statement: see Session.fetch.

        Raises UnavailableError if the database cannot answer now.
        """
        statement = compile_statement(bound)
        try:
            try:
                return self._fetch(statement)
            except ConnectionLostError:
                # The server closed this connection while it was idle (a restart, a failover). That says nothing about
                # the server now, and the other idle connections are closed too.
                self.engine.dispose()
                return self._fetch(statement)
            except PASSING_ERRORS:
                # A VACUUM replays as many records, and the next one would cancel it as well.
                sleep(PASSING_PAUSE_SECONDS)
                return self._fetch(statement)
        except (psycopg.Error, PoolTimeoutError) as error:
            meant = caller_error(error)
            if meant is error:
                raise
            raise meant from error

    def _fetch(self, statement: CompiledStatement[Row]) -> Row:
        # Another thread may put another pool in its place.
        pool = cast("SessionPool", self.engine.pool)
        lent = self._lend(pool)
        try:
            session: Session = lent.info[SESSION]
            return session.fetch(statement)
        except ConnectionLostError as error:
            lent.invalidate(error)
            raise
        finally:
            if pool is not self.engine.pool:
                # The pool was closed meanwhile, and does not close what comes back later.
                lent.invalidate()
            pool.give_back(lent)
            CONNECTIONS_IN_USE.dec()

    def _lend(self, pool: SessionPool) -> ConnectionPoolEntry:
        lent = pool.lend_idle() or self._wait_for(pool)
        CONNECTIONS_IN_USE.inc()
        return lent

    @staticmethod
    def _wait_for(pool: SessionPool) -> ConnectionPoolEntry:
        """Returns a connection that was given back meanwhile, or a new one."""
        CONNECTIONS_WAITING.inc()
        try:
            return pool.lend()
        except DBAPIError as error:
            # SQLAlchemy's own queries on its first connection wrap what psycopg raises.
            if error.orig is None:
                raise
            raise error.orig from None
        finally:
            CONNECTIONS_WAITING.dec()

    def _connect(self) -> psycopg.Connection[Any]:
        if self._failure is not None and monotonic() < self._pause_ends:
            raise copy(self._failure)
        try:
            return connect(self._config)
        except (psycopg.OperationalError, RoleError) as error:
            self._failure = error
            self._pause_ends = monotonic() + RECONNECT_PAUSE_SECONDS
            raise

    def _begin_session(self, connection: psycopg.Connection[Any], record: ConnectionPoolEntry) -> None:
        record.info[SESSION] = Session(connection, tenant_per_transaction=self._tenant_per_transaction)
