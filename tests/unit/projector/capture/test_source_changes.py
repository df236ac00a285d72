"""What is noted of the source's columns and partitions. tests/exactness/ shows which changes of them are a gap."""

import psycopg
from psycopg.rows import TupleRow

from projector.capture import note_harmless_changes, source_changes
from projector.capture.functions import captured_tables
from projector.capture.source import SourceTable
from projector.operate.install import migrate
from tests.conftest import MakeDatabase
from tests.support.running import value
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

NOTED = "SELECT count(*) FROM projector.capture_columns"
CHANGED = "SELECT string_agg(reason, ', ' ORDER BY place, reason) FROM projector.changed_source"


def test_every_column_that_the_projection_reads_is_noted(conn: Connection) -> None:
    assert value(conn, NOTED) == sum(len(table.columns) for table in captured_tables())
    assert value(conn, CHANGED) is None


def test_a_column_that_is_not_read_any_more_is_forgotten(conn: Connection) -> None:
    tables = [table for table in captured_tables() if table.name != "templates"]
    source_changes.note_new_columns(conn, tables)
    assert value(conn, NOTED + " WHERE table_name = 'templates'") == 0
    assert value(conn, NOTED) == sum(len(table.columns) for table in tables)


def test_a_column_that_does_not_exist_stays_a_change(conn: Connection) -> None:
    conn.execute("ALTER TABLE contacts DROP company")
    source_changes.note_source(conn, captured_tables())
    assert value(conn, CHANGED) == "contacts has no column company"


def test_a_touched_column_is_noted_and_a_rewritten_one_is_not(conn: Connection) -> None:
    conn.execute("ALTER TABLE contacts ALTER name SET NOT NULL")
    note_harmless_changes(conn)
    conn.execute("VACUUM FULL contacts")
    note_harmless_changes(conn)
    assert value(conn, CHANGED) is None
    conn.execute("ALTER TABLE contacts ALTER name TYPE varchar(255) USING upper(name)")
    note_harmless_changes(conn)
    assert "the column name of contacts was altered" in value(conn, CHANGED)


def test_each_column_is_looked_up_by_its_key_whatever_the_planner_expects(conn: Connection) -> None:
    """Every batch does it: in a catalog of a few thousand columns, to read them all seems cheaper, and is not."""
    conn.execute("SET enable_seqscan = off")
    conn.execute("SET enable_nestloop = off")
    plan = [
        row[0] for row in conn.execute("EXPLAIN SELECT count(*) FROM projector.changed_source").fetchall()
    ]
    [scan] = [number for number, line in enumerate(plan) if " on pg_attribute " in line]
    assert "Index Cond: ((attrelid = e.table_id) AND (attnum = e.attribute_number))" in plan[scan + 1]


def test_virtual_columns_are_those_that_a_trigger_cannot_read(conn: Connection) -> None:
    table = SourceTable("contacts", "contact_id", ("contact_id", "name"), "contacts", "contact_id")
    assert source_changes.virtual_columns(conn, table) == []
    if conn.info.server_version >= 180000:
        conn.execute(
            "ALTER TABLE contacts DROP name; ALTER TABLE contacts ADD name text"
            " GENERATED ALWAYS AS (upper(phone)) VIRTUAL",
            prepare=False,
        )
        assert source_changes.virtual_columns(conn, table) == ["name"]


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
