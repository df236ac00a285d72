"""Reads of the platform's tables: they are of one moment, and give way to the platform."""

import threading
from contextlib import nullcontext
from typing import Any

import psycopg
import pytest

from projector.capture.source import SOURCE_TABLES
from projector.core import snapshots
from projector.core.snapshots import read_source, snapshot, source_files
from projector.report.errors import BlockedError, GaveWayError
from tests.support.patience import PATIENCE
from tests.support.running import value, wait_until, write_source
from tests.unit.projector.recovering import Connection


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits that are short enough for a test."""
    monkeypatch.setattr(snapshots, "SOURCE_LOCK_TIMEOUT", "20ms")


def test_all_reads_of_a_snapshot_are_of_one_moment(connection: Connection, other: Connection) -> None:
    with snapshot(connection):
        assert value(connection, "SELECT count(*) FROM conversations") == 0
        write_source(other)
        assert value(connection, "SELECT count(*) FROM conversations") == 0
        assert value(connection, "SHOW lock_timeout") == snapshots.SOURCE_LOCK_TIMEOUT
    assert value(connection, "SELECT count(*) FROM conversations") == 1
    assert value(connection, "SHOW lock_timeout") == "0"
    assert value(connection, "SHOW transaction_isolation") == "read committed"


def test_the_isolation_level_comes_back_after_an_error(connection: Connection) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero), snapshot(connection):
        connection.execute("SELECT 1 / 0")
    with connection.transaction():
        assert value(connection, "SHOW transaction_isolation") == "read committed"


@pytest.mark.usefixtures("hasty")
def test_a_table_that_is_held_for_a_while_is_read_afterwards(
    connection: Connection, other: Connection
) -> None:
    attempts: list[int] = []
    read: list[int] = []

    def count() -> int:
        attempts.append(1)
        return int(value(connection, "SELECT count(*) FROM conversations"))

    with other.transaction():
        write_source(other)
        other.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
        thread = threading.Thread(target=lambda: read.append(read_source(connection, count)))
        thread.start()
        wait_until(other, "count(*) > 0 FROM pg_locks WHERE NOT granted")
        wait_until(other, "count(*) = 0 FROM pg_locks WHERE NOT granted")
    thread.join(PATIENCE)
    assert read == [1]
    assert len(attempts) > 1


@pytest.mark.usefixtures("hasty", "impatient")
def test_a_table_that_is_held_for_too_long_is_named(connection: Connection, other: Connection) -> None:
    with other.transaction():
        other.execute("LOCK TABLE conversations IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(BlockedError, match="another session holds one"):
            read_source(connection, lambda: value(connection, "SELECT count(*) FROM conversations"))


@pytest.mark.parametrize(
    ("statement", "is_another"),
    [
        ("TRUNCATE contacts", True),
        ("ALTER TABLE contacts ALTER COLUMN name TYPE text USING name || ''", True),
        ("VACUUM FULL contacts", True),
        ("UPDATE contacts SET name = 'Ann'", False),
        ("ALTER TABLE contacts ADD COLUMN more text", False),
        ("TRUNCATE read_model.leads", False),
    ],
)
def test_a_table_that_is_truncated_or_rewritten_is_in_another_file(
    connection: Connection, statement: str, *, is_another: bool
) -> None:
    before = source_files(connection)
    assert len(before) == len(SOURCE_TABLES)
    connection.execute(statement.encode())
    assert (source_files(connection) != before) is is_another


def test_an_older_snapshot_sees_that_a_table_is_in_another_file(
    connection: Connection, other: Connection
) -> None:
    before = source_files(connection)
    with snapshot(connection):
        connection.execute("SELECT 1")
        other.execute("TRUNCATE contacts")
        assert source_files(connection) != before


def test_the_partitions_of_a_table_count(connection: Connection) -> None:
    connection.execute("ALTER TABLE contacts RENAME TO plain")
    connection.execute("CREATE TABLE contacts (LIKE plain) PARTITION BY LIST (user_id)")
    connection.execute("CREATE TABLE contacts_u PARTITION OF contacts FOR VALUES IN ('u')")
    before = source_files(connection)
    connection.execute("TRUNCATE contacts_u")
    assert source_files(connection) != before


def test_the_pause_of_a_read_that_gives_way_grows_and_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []

    class Server:
        """Lets no time pass."""

        def execute(self, _: str, parameters: tuple[float]) -> None:
            pauses.append(*parameters)

    def read() -> int:
        if len(pauses) < 7:
            raise GaveWayError("This gave way.")
        return 1

    monkeypatch.setattr(snapshots, "giving_way", lambda _: nullcontext())
    conn: Any = Server()
    assert snapshots.retry_while_source_is_held(conn, read) == 1
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]
    pauses.clear()
    with pytest.raises(GaveWayError):
        snapshots.retry_while_source_is_held(conn, read, patience=0)
    assert pauses == []
