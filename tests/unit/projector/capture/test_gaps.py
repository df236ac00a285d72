"""A gap from its opening to its end. tests/exactness/ shows that nothing is missed meanwhile."""

import psycopg
from psycopg.rows import TupleRow

from projector import capture
from tests.support.running import value

Connection = psycopg.Connection[TupleRow]

DISABLE = "ALTER TABLE messages DISABLE TRIGGER leads_capture_insert"


def published(conn: Connection) -> object:
    return value(conn, "SELECT capture_gap FROM read_model.projection")


def test_no_gap_is_noted_while_capture_is_intact(conn: Connection) -> None:
    assert capture.find_gap(conn) is None
    assert capture.note_gap(conn) is None
    assert capture.open_gaps(conn) == []


def test_a_gap_is_noted_once_and_published(conn: Connection) -> None:
    conn.execute(DISABLE.encode())
    reason = capture.note_gap(conn)
    assert reason == "leads_capture_insert on messages was changed"
    assert capture.note_gap(conn) is None
    assert [gap.reason for gap in capture.open_gaps(conn)] == [reason]
    assert published(conn) == reason


def test_a_gap_is_closed_only_after_the_triggers_are_installed_again(conn: Connection) -> None:
    conn.execute(DISABLE.encode())
    capture.note_gap(conn)
    assert capture.gaps_ready_to_close(conn) == []
    capture.reinstall(conn)
    ready = capture.gaps_ready_to_close(conn)
    assert ready == [gap.gap_id for gap in capture.open_gaps(conn)]
    assert published(conn) is not None
    capture.close_gaps(conn, ready)
    assert capture.open_gaps(conn) == []
    assert published(conn) is None


def test_of_two_gaps_the_one_that_is_left_is_published(conn: Connection) -> None:
    assert capture.open_gap(conn, "the first")
    [first] = capture.open_gaps(conn)
    assert capture.open_gap(conn, "the second")
    capture.close_gaps(conn, [first.gap_id])
    assert published(conn) == "the second"
