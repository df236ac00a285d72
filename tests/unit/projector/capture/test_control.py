"""Capture switched off and on by an operator, and triggers installed again."""

from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector import capture
from projector.core.refresh import refresh
from projector.database import locks
from projector.report.errors import BlockedError, SourceMissingError
from projector.report.progress import QUIET
from tests.support.commands import projector
from tests.support.running import running_scheduler, value, wait_until, write_message
from tests.support.server import Database
from tests.unit.projector.recovering import as_of, healed, messages, open_reasons, ready

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


def test_it_stays_off_while_a_table_is_missing(conn: Connection) -> None:
    capture.switch_off(conn, "a move")
    conn.execute("ALTER TABLE agents SET SCHEMA projector")
    with pytest.raises(SourceMissingError, match="not all there: table agents"):
        capture.switch_on(conn)
    assert capture.switched_off(conn) is not None


def test_only_one_session_installs_triggers(conn: Connection, database: Database) -> None:
    with database.connect() as other, locks.try_session_lock(other, locks.MIGRATION) as taken:
        assert taken
        with pytest.raises(BlockedError, match="Another session is changing the triggers"):
            capture.reinstall(conn, patience=0)


def test_capture_that_is_switched_off_is_said_and_not_mended(
    database: Database, built: Connection, other: Connection, tmp_path: Path
) -> None:
    off = projector(tmp_path, "--database-url", database.url, "capture", "off", "--reason", "bulk import")
    assert off.returncode == 0, off.stderr
    write_message(other, "missed")
    assert not ready(built)
    done = projector(tmp_path, "--database-url", database.url, "refresh")
    assert done.returncode == 1
    assert "bulk import" in done.stderr
    assert "capture on" in done.stderr
    status = projector(tmp_path, "--database-url", database.url, "status")
    assert status.returncode == 1
    assert "bulk import" in status.stdout
    with running_scheduler(database.url, tmp_path) as scheduler:
        scheduler.wait_for_event("cannot go on for now")
        assert value(other, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads_capture%'") == 0
        on = projector(tmp_path, "--database-url", database.url, "capture", "on")
        assert on.returncode == 0, on.stderr
        wait_until(other, "count(*) = 1 FROM read_model.lead_messages")
        wait_until(other, "capture_gap IS NULL FROM read_model.projection")
        assert scheduler.terminate() == 0
    assert projector(tmp_path, "--database-url", database.url, "status").returncode == 0


def test_capture_on_leaves_the_gap_to_a_rebuild(built: Connection, other: Connection) -> None:
    capture.switch_off(built, "emergency")
    write_message(other, "missed")
    capture.switch_on(built)
    assert (capture.find_gap(built), ready(built)) == (None, False)
    before = as_of(built)
    refresh(built, retry_failed=False, progress=QUIET)
    assert (messages(built), as_of(built)) == (0, before)
    healed(built)
    assert (messages(built), ready(built), open_reasons(built)) == (1, True, [])
