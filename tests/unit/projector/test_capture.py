"""Capture: what an operator switches, who may install triggers, and what is noted of the source.

tests/exactness/ shows what the triggers capture, and which changes of the source are a gap.
"""

from collections.abc import Iterator

import pytest

from projector.capture import control, gaps
from projector.database import locks
from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.report.errors import BlockedError
from tests.conftest import MakeDatabase
from tests.support.running import value
from tests.support.server import Database

CHANGED = "SELECT string_agg(reason, ', ' ORDER BY place, reason) FROM projector.changed_source"


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    """A connection to a database whose triggers are intact."""
    with database.connect() as made:
        yield made


def test_while_it_is_off_nothing_is_installed(conn: Connection) -> None:
    control.switch_off(conn, "a bulk import")
    assert (gaps.switched_off(conn) or "").endswith("a bulk import")
    control.reinstall(conn)
    assert gaps.find_gap(conn) == "all capture triggers are missing"
    assert gaps.gaps_ready_to_close(conn) == []
    control.switch_on(conn)
    assert gaps.switched_off(conn) is None
    assert gaps.find_gap(conn) is None
    assert len(gaps.gaps_ready_to_close(conn)) == 1


def test_only_one_session_installs_triggers(conn: Connection, database: Database) -> None:
    with database.connect() as other, locks.try_session_lock(other, locks.MIGRATION) as taken:
        assert taken
        with pytest.raises(BlockedError, match="Another session is changing the triggers"):
            control.reinstall(conn, patience=0)


def test_the_partitions_of_a_table_are_noted_when_it_is_first_captured(
    make_database: MakeDatabase, source_template: Database
) -> None:
    with make_database(source_template).connect() as conn:
        conn.execute(
            "DROP TABLE messages; CREATE TABLE messages (message_id text, conversation_id text, sender text,"
            " text text, timestamp timestamp, status text, sequence_no integer) PARTITION BY HASH (message_id);"
            " CREATE TABLE part PARTITION OF messages FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
            prepare=False,
        )
        migrate(conn, create_source=False)
        assert value(conn, CHANGED) is None
        conn.execute("ALTER TABLE messages DETACH PARTITION part")
        migrate(conn, create_source=False)
        assert (
            value(conn, CHANGED) is not None
            or value(conn, "SELECT count(*) FROM projector.capture_gaps") == 1
        )
