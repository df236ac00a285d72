"""A session outside the pool that reads the rows of one statement piece by piece."""

import psycopg
from psycopg import sql
from psycopg.errors import error_from_result
from psycopg.pq import ExecStatus

from api.config import Config
from api.database.connect import connect
from api.database.errors import errors_for_caller
from api.database.session import BytesLoader, page_of
from api.database.statement import BoundStatement, Row, compile_statement

STATEMENT_SECONDS = 60
"""How long PostgreSQL may take to count, to sort, or to find the next lines."""

IDLE_SECONDS = 30
"""PostgreSQL ends the session after this long without a command."""

# The settings suit a whole result, not a page. SET, because an operator may have revoked set_config().
_BEGIN = """
BEGIN ISOLATION LEVEL READ COMMITTED, READ ONLY;
{settings}
SET LOCAL leads.user_id = {tenant};
SET LOCAL statement_timeout = {statement};
SET LOCAL idle_in_transaction_session_timeout = {idle};
SET LOCAL cursor_tuple_fraction = 1;
SET LOCAL enable_seqscan = on;
SET LOCAL enable_sort = on
"""


class Snapshot:
    """An open statement whose rows are of one moment: it does not see what is written meanwhile.

    Row security shows only the rows of one tenant. Raises UnavailableError if the database cannot answer.
    """

    def __init__(self, config: Config, user_id: str) -> None:
        self._ahead: list[bytes] = []
        with errors_for_caller():
            self._connection = connect(config)
            local = [command.decode() + ";" for command in self._connection.begin[1:]]
            text = sql.SQL(_BEGIN).format(
                settings=sql.SQL("".join(local)),
                tenant=sql.Literal(user_id),
                statement=sql.Literal(f"{STATEMENT_SECONDS}s"),
                idle=sql.Literal(f"{IDLE_SECONDS}s"),
            )
            self._connection.adapters.register_loader("text", BytesLoader)
            try:
                self._connection.execute(text)
            except BaseException:
                self.close()
                raise

    def open(self, bound: BoundStatement[Row]) -> Row:
        """Begin a statement with a page. Returns its first row; `read` returns the printed results of the others."""
        statement = compile_statement(bound)
        values = [statement.values[name] for name in statement.names]
        cursor = psycopg.RawCursor(self._connection)
        with errors_for_caller():
            cursor.execute(b"DECLARE lines CURSOR FOR " + statement.text, values)
            # The second row shows, before the answer begins, that PostgreSQL could sort the rows.
            first, *ahead = cursor.execute(b"FETCH 2 FROM lines").fetchall()
        self._ahead = [row[-1] for row in ahead]
        return statement.make_row(first)

    def read(self, count: int) -> list[bytes]:
        """Return the printed results of up to `count` further rows; none at the end."""
        ahead, self._ahead = self._ahead, []
        if ahead:
            return ahead
        with errors_for_caller():
            # The cursor would load each column of each row.
            result = self._connection.pgconn.exec_(b"FETCH %d FROM lines" % count)
            if result.status != ExecStatus.TUPLES_OK:
                raise error_from_result(result)
        return page_of(result, first=0)

    def close(self) -> None:
        """Close the connection, whatever it is doing."""
        self._connection.close()
