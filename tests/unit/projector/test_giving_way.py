"""Whoever waits for a table of the platform that a long read holds gets it soon, and the read begins again."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import structlog
from psycopg.rows import TupleRow

from projector.core import giving_way
from projector.core.snapshots import read_source
from projector.database import connect as db
from projector.report.errors import GaveWayError
from tests.exactness.interleaving import wait_for, waits_for_lock
from tests.support.running import value
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

ALTER = "ALTER TABLE messages ADD COLUMN further integer"
LONG_READ = "SELECT count(*), pg_sleep(60) FROM messages"


@pytest.fixture
def platform(database: Database) -> Iterator[Connection]:
    with database.connect(application_name="a migration") as conn:
        yield conn


def sessions_of_watchers(conn: Connection) -> int:
    return int(
        value(
            conn,
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND datname = current_database()",
            giving_way.WATCHER_NAME,
        )
    )


def test_a_read_that_a_session_waits_for_is_cancelled_and_says_for_whom(
    connection: Connection, platform: Connection
) -> None:
    def read() -> None:
        with giving_way.giving_way(connection), connection.transaction():
            connection.execute(LONG_READ)

    failed: list[GaveWayError] = []

    def reading() -> None:
        try:
            read()
        except GaveWayError as error:
            failed.append(error)

    thread = threading.Thread(target=reading)
    with structlog.testing.capture_logs() as said:
        thread.start()
        wait_for(lambda: holds(platform, connection.info.backend_pid))
        platform.execute(ALTER)
        thread.join()
    [error] = failed
    assert str(error) == (
        f"This gave way to process {platform.info.backend_pid} (a migration, role {platform.info.user}), which waits"
        " for public.messages: try again when it has ended."
    )
    [line] = [line for line in said if line["event"] == "gave way to a session that waits"]
    assert (line["table"], line["log_level"]) == ("public.messages", "warning")
    assert str(platform.info.backend_pid) in line["session"]
    # What comes after it is not cancelled, and the thread of the connection has nothing to look for.
    connection.execute("SELECT pg_sleep(0.01)")
    wait_for(lambda: sessions_of_watchers(connection) == 0)


def holds(conn: Connection, pid: int) -> bool:
    return bool(
        value(
            conn,
            "SELECT count(*) FROM pg_locks WHERE pid = %s AND granted AND relation = 'messages'::regclass",
            pid,
        )
    )


def test_a_read_that_gave_way_begins_again(
    connection: Connection, platform: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("projector.core.snapshots.FIRST_PAUSE_SECONDS", 0.01)
    texts = [LONG_READ]

    def read() -> int:
        statement = texts.pop() if texts else "SELECT count(further) FROM messages"
        return int(value(connection, statement))

    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(read_source(connection, read)))
    thread.start()
    wait_for(lambda: holds(platform, connection.info.backend_pid))
    platform.execute(ALTER)
    thread.join()
    assert found == [0]


def test_somebody_who_waits_for_another_session_ends_no_read(
    database: Database, connection: Connection, platform: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader of our own tables does not either: it is no statement of the platform."""
    looks: list[int] = []
    real = giving_way._Watcher._look  # noqa: SLF001

    def look(watcher: Any, looking: Connection, pid: int, began_at: float) -> None:  # noqa: ANN401
        real(watcher, looking, pid, began_at)
        looks.append(pid)

    monkeypatch.setattr(giving_way._Watcher, "_look", look)  # noqa: SLF001
    monkeypatch.setattr(giving_way, "LOOK_AFTER_SECONDS", 0.0)
    monkeypatch.setattr(giving_way, "LOOK_EVERY_SECONDS", 0.01)
    with (
        database.connect() as holder,
        database.connect() as reader,
        giving_way.giving_way(connection),
        connection.transaction(),
    ):
        connection.execute("SELECT FROM contacts")
        connection.execute("LOCK TABLE read_model.leads")
        holder.execute("BEGIN; LOCK TABLE messages")
        threads = [
            threading.Thread(target=waiter.execute, args=(statement,))
            for waiter, statement in ((platform, ALTER), (reader, "SELECT FROM read_model.leads"))
        ]
        for thread in threads:
            thread.start()
        wait_for(lambda: waits_for_lock(holder, platform.info.backend_pid))
        wait_for(lambda: waits_for_lock(holder, reader.info.backend_pid))
        seen = len(looks)
        wait_for(lambda: len(looks) > seen + 3)
        assert value(connection, "SELECT count(pg_sleep(0.02)) FROM generate_series(1, 3)") == 3
        holder.execute("COMMIT")
    for thread in threads:
        thread.join()


def test_a_statement_that_somebody_else_cancels_did_not_give_way(connection: Connection) -> None:
    connection.execute("SET statement_timeout = '10ms'")
    with pytest.raises(psycopg.errors.QueryCanceled), giving_way.giving_way(connection):
        connection.execute("SELECT pg_sleep(60)")


def test_a_block_within_another_is_a_part_of_it(
    connection: Connection, platform: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving_way, "LOOK_AFTER_SECONDS", 0.0)
    thread = threading.Thread(target=platform.execute, args=(ALTER,))

    def read() -> None:
        with giving_way.giving_way(connection), connection.transaction():
            with giving_way.giving_way(connection):
                connection.execute("SELECT FROM messages")
            thread.start()
            connection.execute("SELECT pg_sleep(60)")

    with pytest.raises(GaveWayError):
        read()
    thread.join()


def test_a_short_read_needs_no_second_connection(
    connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(giving_way, "LOOK_EVERY_SECONDS", 0.001)
    monkeypatch.setattr(giving_way, "LOOK_AFTER_SECONDS", 3600.0)
    with giving_way.giving_way(connection):
        connection.execute("SELECT pg_sleep(0.05)")
        assert sessions_of_watchers(connection) == 0


def test_the_second_connection_is_by_the_same_login_to_the_same_server(database: Database) -> None:
    with db.connect(database.url, application_name="read") as conn:
        beside = db.connect_beside(conn, giving_way.WATCHER_NAME)
        where = "SELECT current_user::text || inet_server_port()::text || current_database()"
        assert value(beside, where) == value(conn, where)
        assert value(beside, "SELECT current_setting('application_name')") == giving_way.WATCHER_NAME
        beside.close()
