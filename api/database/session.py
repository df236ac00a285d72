"""A session of PostgreSQL, and the statements that are prepared in it.

It sets the tenant of a statement in the same round trip as the statement.
"""

import select
from collections.abc import Sequence
from datetime import date, datetime
from typing import cast

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader, PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import (
    ConnStatus,
    DiagnosticField,
    Escaping,
    ExecStatus,
    PipelineStatus,
    TransactionStatus,
)
from psycopg.pq.abc import PGconn, PGresult

from api.database.connect import OwnConnection
from api.database.errors import ConnectionLostError, ReplayConflictError
from api.database.statement import TENANT, CompiledStatement, Row

MAX_PREPARED_STATEMENTS = 200

TENANT_SETTING = b"leads.user_id"

_FAILED = (ExecStatus.FATAL_ERROR, ExecStatus.BAD_RESPONSE)

# serialization_failure, and deadlock_detected if replication waits for a page that the statement uses.
_OF_REPLAY = (b"40001", b"40P01")

# The session sends the types of these values; PostgreSQL derives the types of others from the statement.
_OIDS: dict[type, int] = {
    kind: psycopg.adapters.types[name].oid
    for kind, name in ((datetime, "timestamptz"), (date, "date"), (bool, "bool"))
}


class Session:
    """A connection that runs prepared statements by libpq's own call.

    A cursor of psycopg waits for its result in Python, so that a signal or another task can interrupt it. The thread of
    a request needs neither, and that wait takes longer than a look-up by key. psycopg still adapts values and rows.

    Each statement runs for the tenant among its values, if there is one: row security shows only the rows of that
    tenant. The session remembers the tenant. Behind a pooler, which gives each transaction another connection, every
    statement sets the tenant in a transaction of its own.
    """

    def __init__(self, connection: OwnConnection) -> None:
        connection.adapters.register_loader("text", BytesLoader)
        if connection.begin:
            connection.adapters.register_loader("timestamptz", MomentLoader)
        self.connection = connection
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._prepared: dict[bytes, bytes] = {}
        self._count = 0
        # The tenant that was set last; None if it is not certain.
        self._tenant: str | None = None

    def fetch(self, statement: CompiledStatement[Row]) -> Row:
        """Return the first row, its texts as UTF-8 bytes.

        The last value of a statement with a page is the list of the printed results in the later rows. Raises
        ConnectionLostError if the connection broke, ReplayConflictError if a standby cancelled the statement,
        LookupError if there is no row, and otherwise psycopg's errors.
        """
        values = [statement.values[name] for name in statement.names]
        try:
            name = self._prepared.get(statement.text) or self._prepare(statement.text, values)
            dumped = self._transformer.dump_sequence(values, [PyFormat.TEXT] * len(values))
            # A None is sent as NULL.
            result = self._run(name, cast("Sequence[Buffer]", dumped), str(statement.values.get(TENANT, "")))
        except psycopg.OperationalError as error:
            if self._pgconn.status == ConnStatus.BAD and not isinstance(error, ConnectionLostError):
                raise ConnectionLostError(str(error)) from error
            raise
        if not result.ntuples:
            raise LookupError("A statement of the API has returned no row.")
        self._transformer.set_pgresult(result)
        if statement.has_page:
            return statement.make_row([*self._transformer.load_row(0, tuple)[:-1], page_of(result)])
        return self._transformer.load_row(0, statement.make_row)

    def _run(self, name: bytes, values: Sequence[Buffer], tenant: str) -> PGresult:
        """Return the result of a prepared statement for a tenant."""
        is_told = tenant == self._tenant
        # The tenant is not certain until the statement has succeeded: an error may undo the setting.
        self._tenant = None
        if is_told:
            result = self._checked(self._pgconn.exec_prepared(name, values))
        else:
            result = self._checked(self._tell_and_run(name, values, tenant))
        self._tenant = None if self.connection.begin else tenant
        return result

    def _tell_and_run(self, name: bytes, values: Sequence[Buffer], tenant: str) -> PGresult:
        """Set the tenant, and return the result of a prepared statement, or the first error.

        If the setting is local to a transaction, the statement has a transaction of its own.
        """
        pgconn, begin = self._pgconn, self.connection.begin
        # SET, because an operator may have revoked set_config() from everybody: see docs/authentication.md.
        setting = b"%b = %b" % (TENANT_SETTING, Escaping(pgconn).escape_literal(tenant.encode()))
        before = [*begin, b"SET LOCAL " + setting] if begin else [b"SET " + setting]
        pgconn.enter_pipeline_mode()
        try:
            for command in before:
                pgconn.send_query_params(command, None)
            pgconn.send_query_prepared(name, values)
            if begin:
                pgconn.send_query_params(b"COMMIT", None)
            pgconn.pipeline_sync()
            results = _results(pgconn)
            pgconn.exit_pipeline_mode()
        finally:
            if pgconn.pipeline_status != PipelineStatus.OFF:
                # The next statement would read the results that are left.
                pgconn.finish()
        failed = next((result for result in results if result.status in _FAILED), None)
        if pgconn.transaction_status not in (TransactionStatus.IDLE, TransactionStatus.UNKNOWN):
            pgconn.exec_(b"ROLLBACK")
        return results[len(before)] if failed is None else failed

    def _prepare(self, text: bytes, values: list[object]) -> bytes:
        if len(self._prepared) >= MAX_PREPARED_STATEMENTS:
            oldest = self._prepared.pop(next(iter(self._prepared)))
            # A pooler tracks prepared statements by protocol messages, not by DEALLOCATE.
            self._checked(self._pgconn.close_prepared(oldest))
        self._count += 1
        name = b"leads_%d" % self._count
        begin = self.connection.begin
        if begin:
            # The settings decide how the statement is parsed.
            self._checked(self._pgconn.exec_(b"; ".join(begin)))
        try:
            self._checked(self._pgconn.prepare(name, text, [_OIDS.get(type(value), 0) for value in values]))
        finally:
            if begin:
                self._pgconn.exec_(b"ROLLBACK")
        self._prepared[text] = name
        return name

    def _checked(self, result: PGresult) -> PGresult:
        if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            return result
        state = result.error_field(DiagnosticField.SQLSTATE)
        # An error without SQLSTATE comes from libpq: the connection is broken. Its status is still OK if libpq failed
        # to send before it read that the server had closed the connection.
        if self._pgconn.status == ConnStatus.BAD or state is None:
            raise ConnectionLostError(result.get_error_message())
        if state in _OF_REPLAY and self._pgconn.parameter_status(b"in_hot_standby") == b"on":
            raise ReplayConflictError(result.get_error_message())
        raise error_from_result(result)


def _results(pgconn: PGconn) -> list[PGresult]:
    """Return the result of each command up to the synchronization, or up to the end of the connection."""
    results: list[PGresult] = []
    while True:
        # get_result() would block all other threads while it waits.
        while (is_unsent := bool(pgconn.flush())) or pgconn.is_busy():
            poll = select.poll()
            poll.register(pgconn.socket, select.POLLIN | select.POLLOUT if is_unsent else select.POLLIN)
            poll.poll()
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is not None and result.status == ExecStatus.PIPELINE_SYNC:
            return results
        # Each command ends with a result that is None.
        if result is not None:
            results.append(result)
        if pgconn.status == ConnStatus.BAD:
            return results


def page_of(result: PGresult, first: int = 1) -> list[bytes]:
    """Return the printed results of the rows from `first` on. A key without its row (drift) prints nothing."""
    last = result.nfields - 1
    printed = (result.get_value(row, last) for row in range(first, result.ntuples))
    return [text for text in printed if text is not None]


class MomentLoader(Loader):
    """Reads a moment in UTC and ISO, as each transaction prints it; psycopg would rely on the session's DateStyle."""

    def load(self, data: Buffer) -> datetime:
        """Return the moment."""
        return datetime.fromisoformat(bytes(data).decode())


class BytesLoader(Loader):
    """Keeps a text as the bytes that PostgreSQL sent, which the API prints unchanged."""

    def load(self, data: Buffer) -> bytes:
        """Return a copy, since the buffer is PostgreSQL's."""
        return bytes(data)
