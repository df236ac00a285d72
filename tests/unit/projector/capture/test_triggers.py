"""The triggers as `migrate` installs them. tests/exactness/ shows what they capture."""

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector import capture
from projector.capture.functions import captured_tables
from projector.report.errors import BlockedError
from tests.support.running import value
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

COUNT = "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads\\_capture\\_%'"


def test_every_captured_table_has_five_triggers(conn: Connection) -> None:
    assert value(conn, COUNT) == 5 * len(captured_tables())
    capture.uninstall(conn)
    assert value(conn, COUNT) == 0
    capture.install(conn)
    assert value(conn, COUNT) == 5 * len(captured_tables())
    assert capture.find_gap(conn) is None


def test_intact_triggers_are_left_as_they_are(conn: Connection) -> None:
    oids = "SELECT array_agg(oid ORDER BY oid) FROM pg_trigger WHERE tgname LIKE 'leads\\_capture\\_%'"
    before = value(conn, oids)
    capture.install(conn)
    assert value(conn, oids) == before


def test_functions_that_are_created_again_are_no_gap(conn: Connection) -> None:
    with conn.transaction():
        capture.create_functions(conn)
    assert capture.find_gap(conn) is None


def test_a_function_of_others_stays_a_gap_when_ours_are_created_again(conn: Connection) -> None:
    conn.execute(
        "CREATE OR REPLACE FUNCTION projector.capture_agents() RETURNS trigger LANGUAGE plpgsql"
        " AS 'BEGIN RETURN NULL; END'"
    )
    with conn.transaction():
        capture.create_functions(conn)
    assert "agents" in (capture.find_gap(conn) or "")


def test_the_session_that_holds_a_table_is_named(conn: Connection, database: Database) -> None:
    with database.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE agents IN ROW EXCLUSIVE MODE")
        with pytest.raises(BlockedError, match=f"process {holder.info.backend_pid} .* has held it for 00:00"):
            capture.uninstall(conn, patience=0)
