"""Capture switched off and on by an operator, and triggers installed again."""

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector import capture
from projector.database import locks
from projector.report.errors import BlockedError
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]


def test_while_it_is_off_nothing_is_installed(conn: Connection) -> None:
    capture.switch_off(conn, "a bulk import")
    assert (capture.switched_off(conn) or "").endswith("a bulk import")
    capture.reinstall(conn)
    assert capture.find_gap(conn) == "all capture triggers are missing"
    assert capture.gaps_ready_to_close(conn) == []
    capture.switch_on(conn)
    assert capture.switched_off(conn) is None
    assert capture.find_gap(conn) is None
    assert len(capture.gaps_ready_to_close(conn)) == 1


def test_only_one_session_installs_triggers(conn: Connection, database: Database) -> None:
    with database.connect() as other, locks.try_session_lock(other, locks.MIGRATION) as taken:
        assert taken
        with pytest.raises(BlockedError, match="Another session is changing the triggers"):
            capture.reinstall(conn, patience=0)
