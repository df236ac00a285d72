"""A session of its own that reads one moment of the read model piece by piece, outside of the pool."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from api.config import Config
from api.database.connect import connect
from api.database.errors import raise_for_caller
from api.database.session import BytesLoader
from api.database.statement import BoundStatement, CompiledStatement, Row, compile_statement

STATEMENT_SECONDS = 60
"""How long PostgreSQL may take to count, to sort, or to find the next lines."""

IDLE_SECONDS = 30
"""After which time of silence PostgreSQL ends the session."""

# The whole result is read, not a page of it. SET, because an operator may have revoked set_config() from everybody.
_BEGIN = """
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;
{settings}
SET LOCAL leads.user_id = {tenant};
SET LOCAL statement_timeout = {statement};
SET LOCAL idle_in_transaction_session_timeout = {idle};
SET LOCAL cursor_tuple_fraction = 1;
SET LOCAL enable_seqscan = on;
SET LOCAL enable_sort = on
"""


class Snapshot:
    """One moment of a tenant's rows: whatever is written meanwhile, its statements do not see it.

    Row security shows it the rows of that tenant alone. Raises UnavailableError where the database cannot answer.
    """

    def __init__(self, config: Config, user_id: str) -> None:
        self._ahead: list[tuple[Any, ...]] = []
        with _errors_for_caller():
            self._connection = connect(config)
            local = [one.decode() + ";" for one in self._connection.begin[1:]]
            text = sql.SQL(_BEGIN).format(
                settings=sql.SQL("".join(local)),
                tenant=sql.Literal(user_id),
                statement=sql.Literal(f"{STATEMENT_SECONDS}s"),
                idle=sql.Literal(f"{IDLE_SECONDS}s"),
            )
            self._connection.adapters.register_loader("text", BytesLoader)
            self._cursor = psycopg.RawServerCursor(self._connection, "lines")
            try:
                self._connection.execute(text)
            except BaseException:
                self.close()
                raise

    def fetch(self, bound: BoundStatement[Row]) -> Row:
        """Returns the first row of a statement."""
        statement = compile_statement(bound)
        cursor = psycopg.RawCursor(self._connection)
        with _errors_for_caller():
            row = cursor.execute(statement.text, _values(statement)).fetchone()
        if row is None:
            raise LookupError("A statement of the API has returned no row.")
        return statement.make_row(row)

    def open(self, bound: BoundStatement[Row]) -> Row | None:
        """Begin a statement whose rows `read` returns. Returns the first of them; None if there is none."""
        statement = compile_statement(bound)
        with _errors_for_caller():
            self._cursor.execute(statement.text, _values(statement))
            self._ahead = self._cursor.fetchmany(1)
        return statement.make_row(self._ahead[0]) if self._ahead else None

    def read(self, count: int) -> list[bytes]:
        """Returns the first column of the next rows, up to `count`; none at the end."""
        rows, self._ahead = self._ahead, []
        with _errors_for_caller():
            return [row[0] for row in rows or self._cursor.fetchmany(count)]

    def close(self) -> None:
        """Give the connection back to PostgreSQL, at whatever it is."""
        self._connection.close()
        # Without a connection this only notes that nobody reads from it any more.
        self._cursor.close()


def _values(statement: CompiledStatement[Any]) -> Sequence[object]:
    return [statement.values[name] for name in statement.names]


@contextmanager
def _errors_for_caller() -> Iterator[None]:
    """Raise what a failure of PostgreSQL means to a caller."""
    try:
        yield
    except psycopg.Error as error:
        raise_for_caller(error)
