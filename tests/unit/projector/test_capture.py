"""Capture: what is noted of the source.

tests/exactness/ shows what the triggers capture, and which changes of the source are a gap.
"""

from projector.operate.install import migrate
from tests.conftest import MakeDatabase
from tests.support.running import value
from tests.support.server import Database

CHANGED = "SELECT string_agg(reason, ', ' ORDER BY place, reason) FROM projector.changed_source"


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
