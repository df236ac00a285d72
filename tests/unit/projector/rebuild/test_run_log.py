"""The row of a rebuild in the run log, and what a complete build notes."""

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from projector.core.pipeline import BatchResult
from projector.database.sql import PROJECTION_VERSION
from projector.report.errors import RebuildFailedError
from projector.sweep.rebuild.run_log import add_to_run, logged_run, note_built, read_clock
from tests.support.running import value
from tests.unit.projector.rebuild.contents import Connection

RUN = "SELECT kind, outcome, tenants, leads, messages, leads_total, finished_at IS NULL, note FROM projector.runs"


def test_a_run_is_noted_while_it_runs_and_when_it_is_done(connection: Connection) -> None:
    with logged_run(connection, ["u"], 7) as run_id:
        add_to_run(connection, run_id, BatchResult(2, 30))
        add_to_run(connection, run_id, BatchResult(1, 4))
        assert connection.execute(RUN).fetchall() == [("rebuild", "running", ["u"], 3, 34, 7, True, None)]
    assert connection.execute(RUN).fetchall() == [("rebuild", "done", ["u"], 3, 34, 7, False, None)]


@pytest.mark.parametrize(
    ("statement", "raised", "outcome", "note"),
    [
        ("SELECT 1 / 0", RebuildFailedError, "failed", "DivisionByZero (SQLSTATE 22012)"),
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
    with pytest.raises(raised), logged_run(connection, None):
        connection.execute(statement.encode())
    found = connection.execute("SELECT outcome, note FROM projector.runs").fetchall()
    assert found == [(outcome, note)]


def test_an_interrupt_is_noted(connection: Connection) -> None:
    with pytest.raises(KeyboardInterrupt), logged_run(connection, None):
        raise KeyboardInterrupt
    assert value(connection, "SELECT outcome FROM projector.runs") == "interrupted"


def test_a_closed_connection_cannot_note_anything(connection: Connection) -> None:
    with pytest.raises(psycopg.OperationalError), logged_run(connection, None):
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def test_a_complete_build_begins_freshness_and_ends_the_plan(connection: Connection) -> None:
    connection.execute("INSERT INTO projector.rebuild_plan (version) VALUES ('another')")
    connection.execute("UPDATE read_model.projection SET version = 'another'")
    since = datetime(2025, 1, 1, tzinfo=UTC)
    begun = read_clock(connection)
    note_built(connection, since)
    assert connection.execute("SELECT as_of, shards FROM read_model.freshness").fetchall() == [
        (since, [since] * 4)
    ]
    assert value(connection, "SELECT count(*) FROM projector.rebuild_plan") == 0
    assert value(connection, "SELECT version FROM read_model.projection") == PROJECTION_VERSION
    built_at = value(connection, "SELECT built_at FROM read_model.projection")
    assert begun <= built_at <= read_clock(connection)
    # Freshness goes its own way from then on.
    note_built(connection, since + timedelta(days=1))
    assert value(connection, "SELECT as_of FROM read_model.freshness") == since
    assert value(connection, "SELECT built_at FROM read_model.projection") > built_at
