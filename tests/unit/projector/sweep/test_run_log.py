"""The row of a rebuild in the run log, and what a complete build notes."""

import psycopg
import pytest

from projector.core.pipeline import BatchResult
from projector.sweep.run_log import logged_run
from tests.unit.projector.sweep.contents import Connection

RUN = "SELECT kind, outcome, tenants, leads, messages, leads_total, finished_at IS NULL, note FROM projector.runs"


def test_a_run_is_noted_while_it_runs_and_when_it_is_done(connection: Connection) -> None:
    with logged_run(connection, "rebuild", ["u"], 7) as run:
        run.add(BatchResult(2, 30))
        run.add(BatchResult(1, 4))
        assert connection.execute(RUN).fetchall() == [("rebuild", "running", ["u"], 3, 34, 7, True, None)]
    assert connection.execute(RUN).fetchall() == [("rebuild", "done", ["u"], 3, 34, 7, False, None)]


@pytest.mark.parametrize(
    ("statement", "raised", "outcome", "note"),
    [
        ("SELECT 1 / 0", psycopg.errors.DivisionByZero, "failed", "DivisionByZero (SQLSTATE 22012)"),
        ("SELECT nothing", psycopg.errors.UndefinedColumn, "failed", 'column "nothing" does not exist'),
        (
            "SET LOCAL statement_timeout = '1ms'; SELECT pg_sleep(9)",
            psycopg.errors.QueryCanceled,
            "interrupted",
            "canceling statement due to statement timeout",
        ),
    ],
)
def test_an_error_is_noted(
    connection: Connection, statement: str, raised: type[Exception], outcome: str, note: str
) -> None:
    with pytest.raises(raised), logged_run(connection, "rebuild", None):
        connection.execute(statement.encode())
    found = connection.execute("SELECT outcome, note FROM projector.runs").fetchall()
    assert found == [(outcome, note)]
