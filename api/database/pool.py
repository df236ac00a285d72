"""The sessions that the requests of a process share."""

from collections import deque
from contextlib import suppress
from copy import copy
from threading import Semaphore
from time import monotonic, sleep

import psycopg

from api.config import Config
from api.database.connect import OwnConnection, connect
from api.database.errors import (
    PASSING_ERRORS,
    ConnectionLostError,
    RoleError,
    UnavailableError,
    raise_for_caller,
)
from api.database.session import Session
from api.database.statement import BoundStatement, CompiledStatement, Row, compile_statement
from api.observe.meters import CONNECTIONS_IN_USE, CONNECTIONS_WAITING

POOL_TIMEOUT_SECONDS = 2
# After a failed attempt to connect, requests fail at once for this long instead of queueing up.
RECONNECT_PAUSE_SECONDS = 0.25
# The pause before a statement is run once more.
PASSING_PAUSE_SECONDS = 0.1
# API keys are looked up before a request runs, even while the running requests wait for a lock: one key that was
# accepted before, and one new key, at the same time.
KEY_SESSIONS = 2


class Database:
    """The read model, under a role that can only read it. A statement opens a session if none is idle."""

    def __init__(self, config: Config) -> None:
        self._config = config
        # One place for each lent session.
        self._places = Semaphore(config.threads + KEY_SESSIONS)
        # The most recently used session is taken first.
        self._idle: deque[Session] = deque()
        self._pause_ends = 0.0
        self._failure: psycopg.Error | None = None

    def fetch(self, bound: BoundStatement[Row]) -> Row:
        """Return the first row of a statement: see Session.fetch.

        Raises UnavailableError if the database cannot answer now.
        """
        statement = compile_statement(bound)
        try:
            try:
                return self._fetch(statement)
            except ConnectionLostError:
                # The server closed this connection while it was idle, as at a restart or a failover. It may run again,
                # but the other idle connections are closed too.
                self.close()
                return self._fetch(statement)
            except PASSING_ERRORS:
                # Replication may replay another record of the same VACUUM, which would cancel the statement again.
                sleep(PASSING_PAUSE_SECONDS)
                return self._fetch(statement)
        except psycopg.Error as error:
            raise_for_caller(error)

    def _fetch(self, statement: CompiledStatement[Row]) -> Row:
        session = self.lend()
        try:
            return session.fetch(statement)
        except ConnectionLostError:
            # libpq may not have noticed the loss yet.
            session.connection.close()
            raise
        finally:
            self.give_back(session)

    def lend(self) -> Session:
        """Return an idle session, or a new one. The caller returns it by `give_back`.

        Raises UnavailableError if all sessions are lent, and the errors of `connect`.
        """
        if not self._places.acquire(blocking=False):
            with CONNECTIONS_WAITING.track_inprogress():
                if not self._places.acquire(timeout=POOL_TIMEOUT_SECONDS):
                    raise UnavailableError("All connections to the database are busy")
        try:
            session = self._idle.pop()
        except IndexError:
            session = self._open()
        CONNECTIONS_IN_USE.inc()
        return session

    def give_back(self, session: Session) -> None:
        """Give a session back. It is dropped if its connection is closed."""
        if not session.connection.closed:
            self._idle.append(session)
        self._places.release()
        CONNECTIONS_IN_USE.dec()

    def close(self) -> None:
        """Close the idle sessions."""
        with suppress(IndexError):
            while True:
                self._idle.pop().connection.close()

    def _open(self) -> Session:
        """Return a new session. If that fails, its place is free again."""
        try:
            with CONNECTIONS_WAITING.track_inprogress():
                connection = self._connect()
        except BaseException:
            self._places.release()
            raise
        return Session(connection)

    def _connect(self) -> OwnConnection:
        if self._failure is not None and monotonic() < self._pause_ends:
            raise copy(self._failure)
        try:
            return connect(self._config)
        except (psycopg.OperationalError, RoleError) as error:
            self._failure = error
            self._pause_ends = monotonic() + RECONNECT_PAUSE_SECONDS
            raise
