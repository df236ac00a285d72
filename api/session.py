"""One session of the database, and the statements that it has prepared."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast

import psycopg
from psycopg.abc import Buffer
from psycopg.adapt import Loader, PyFormat, Transformer
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from api.expressions import Question

KEPT_STATEMENTS = 200

# Of these the server is told the type; that of any other value shows in the statement.
_OIDS: dict[type, int] = {
    kind: psycopg.adapters.types[name].oid
    for kind, name in ((datetime, "timestamptz"), (date, "date"), (bool, "bool"))
}


class ConnectionLostError(psycopg.OperationalError):
    """The connection broke; the server may be there."""


class Session:
    """A connection that asks prepared statements by libpq's own call.

    A cursor of psycopg waits in Python for its answer, so that a signal or another task can step in. The thread of a
    request has no use for that, and it takes longer than a look-up by a key. Values and rows are adapted by psycopg
    all the same.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        connection.adapters.register_loader("text", _PrintedText)
        self._pgconn = connection.pgconn
        self._transformer = Transformer(connection)
        self._prepared: dict[bytes, bytes] = {}
        self._count = 0

    def fetch(self, question: Question) -> Any:  # noqa: ANN401  # Its columns are the statement's.
        """The first row, its texts as UTF-8; None of no rows. Raises what psycopg raises, or ConnectionLostError.

        What the rows after it print is its last value, a comma between them.
        """
        result = self._ask(question)
        if not result.ntuples:
            return None
        self._transformer.set_pgresult(result)
        if question.has_page:
            return question.row([*self._transformer.load_row(0, tuple)[:-1], _page(result)])
        return self._transformer.load_row(0, question.row)

    def _ask(self, question: Question) -> PGresult:
        values = [question.values[name] for name in question.names]
        try:
            name = self._prepared.get(question.text) or self._prepare(question.text, values)
            dumped = self._transformer.dump_sequence(values, [PyFormat.TEXT] * len(values))
            # None is not among the values, so neither is it among these.
            return self._checked(self._pgconn.exec_prepared(name, cast("Sequence[Buffer]", dumped)))
        except psycopg.OperationalError as error:
            if self._pgconn.status == ConnStatus.BAD:
                raise ConnectionLostError(str(error)) from error
            raise

    def _prepare(self, text: bytes, values: list[object]) -> bytes:
        if len(self._prepared) >= KEPT_STATEMENTS:
            oldest = next(iter(self._prepared))
            self._checked(self._pgconn.exec_(b"DEALLOCATE " + self._prepared.pop(oldest)))
        self._count += 1
        name = b"leads_%d" % self._count
        self._checked(self._pgconn.prepare(name, text, [_OIDS.get(type(value), 0) for value in values]))
        self._prepared[text] = name
        return name

    def _checked(self, result: PGresult) -> PGresult:
        if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            return result
        if self._pgconn.status == ConnStatus.BAD:
            raise psycopg.OperationalError(result.get_error_message())
        raise error_from_result(result)


def _page(result: PGresult) -> bytes:
    """What the rows after the first print. A key without its row, which is drift, prints nothing."""
    last = result.nfields - 1
    printed = (result.get_value(row, last) for row in range(1, result.ntuples))
    return b",".join([text for text in printed if text is not None])


class _PrintedText(Loader):
    """A text as the bytes that it came in: it is printed as it is, and a page of them is large."""

    def load(self, data: Buffer) -> bytes:
        return bytes(data)
