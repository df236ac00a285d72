"""The platform changes its own schema: its statements succeed, nothing is lost, and the projector says what is wrong.

The changes are made in a session that has written before, so that its trigger functions have plans already.
"""

from collections.abc import Iterator, Sequence
from itertools import cycle
from random import Random

import psycopg
import pytest

from projector.capture import gaps, source_changes
from projector.core.late import defer_changes
from projector.core.pipeline import prepare_session
from projector.database.rows import Connection
from projector.database.source_names import SourceTable
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.report.errors import CaptureGapError, SourceMissingError
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.conftest import MakeDatabase
from tests.exactness.interleaving import Stepped, batch_of, piece, wait_for
from tests.exactness.platform import (
    Platform,
    assert_exact,
    document,
    rebuild_now,
    refresh_now,
    shard_of,
    texts,
    value,
    waiting,
)
from tests.support.cases import cases
from tests.support.mutations import Writer
from tests.support.server import Database, Server
from tests.support.source import SOURCE_TABLES

LEADS = 6
"""Enough rows of a table for the triggers to group what they queue."""

CHANGED = {
    "boolean": "NOT coalesce({0}, false)",
    "integer": "7",
    "timestamp without time zone": "timestamp '2025-02-03 04:05:06'",
    "timestamp with time zone": "timestamptz '2025-02-03 04:05:06+00'",
    "text[]": "ARRAY['changed']",
    "uuid": "{0}",
    "character varying": "'changed'",
    "text": "'changed'",
}
"""Another value for a column of each type."""

WITH_CHILDREN = ("users", "phone_numbers", "agents", "conversations", "templates")


@pytest.fixture(scope="module")
def busy_template(server: Server, filled_template: Database) -> Iterator[Database]:
    """A database with several rows in every table, and an exact read model; only to be copied."""
    made = server.create("busy_template", template=filled_template.name)
    with made.connect() as conn:
        fill(Platform(conn, first=1000))
    yield made
    server.drop(made)


@pytest.fixture
def busy(make_database: MakeDatabase, busy_template: Database) -> Iterator[Platform]:
    """A platform with several rows in every table, an exact read model, and plans for every trigger in its session."""
    with make_database(busy_template).connect() as conn:
        _make_plans(conn)
        yield Platform(conn, first=2000)


def fill(filled: Platform) -> Platform:
    """Write several rows into every table, in every way, and bring the read model up to them."""
    for number in range(LEADS):
        phone = f"49160{number}"
        agent = filled.agent("one")
        conversation = filled.conversation(agent, phone)
        filled.message(conversation, f"text {number}")
        filled.contact("one", phone, f"Name {number}")
        filled.send(filled.template("one"), phone)
        filled.conn.execute(
            "INSERT INTO extractions (extraction_id, conversation_id, fit_score) VALUES (gen_random_uuid(), %s, 5)",
            (conversation,),
        )
    writer = Writer(Random(1), filled.conn)
    for table in SOURCE_TABLES:
        # A table that came later: the platform of the tests has no word for its rows.
        if not value(filled.conn, f"SELECT EXISTS (SELECT FROM {table.name})"):
            for _ in range(LEADS):
                writer.new(table.name)
    _make_plans(filled.conn)
    assert_exact(filled.conn)
    return filled


def _make_plans(conn: Connection) -> None:
    for table in SOURCE_TABLES:
        _write(conn, table, next(iter(table.columns)))
    recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)


@pytest.fixture
def other(busy: Platform) -> Iterator[Connection]:
    with busy.database.connect() as conn:
        yield conn


ROLES = ("origin", "replica")
"""Values of session_replication_role: statement triggers fire under the first, row triggers under the second."""


IS_UNIQUE = (
    "SELECT EXISTS (SELECT FROM pg_constraint AS k JOIN pg_attribute AS a ON a.attrelid = k.conrelid"
    " AND a.attnum = ANY(k.conkey) WHERE k.contype IN ('p', 'u', 'f') AND k.conrelid = %s::regclass AND a.attname = %s)"
)


def _write(conn: Connection, table: SourceTable, column: str, roles: Sequence[str] = ROLES) -> None:
    """Write to a table in every way that a platform can: single rows and many, in each of these roles."""
    kind, name = conn.execute(
        "SELECT format_type(a.atttypid, NULL), quote_ident(a.attname) FROM pg_attribute AS a"
        " WHERE a.attrelid = %s::regclass AND a.attname = %s",
        (table.name, column),
    ).fetchone() or ("", "")
    is_key = column in {table.primary_key, table.queue_key, "renamed"} and kind not in CHANGED
    changed = "{0}" if is_key else CHANGED[kind]
    on = table.name
    for role in roles:
        conn.execute(f"SET session_replication_role = {role}".encode())
        conn.execute(f"UPDATE {on} SET {name} = {name} WHERE ctid = (SELECT min(ctid) FROM {on})".encode())
        # The values of a column that takes part in a key cannot all become one.
        if not value(conn, IS_UNIQUE, table.name, column):
            where = f"ctid = (SELECT max(ctid) FROM {on})"
            conn.execute(f"UPDATE {on} SET {name} = {changed.format(name)} WHERE {where}".encode())
            conn.execute(f"UPDATE {on} SET {name} = {changed.format(name)}".encode())
        if role == "origin" and on in WITH_CHILDREN:
            continue
        conn.execute(f"CREATE TEMPORARY TABLE kept AS TABLE {on}".encode())
        conn.execute(f"DELETE FROM {on} WHERE ctid = (SELECT min(ctid) FROM {on})".encode())
        conn.execute(f"DELETE FROM {on}".encode())
        conn.execute(f"INSERT INTO {on} SELECT * FROM kept LIMIT 1".encode())
        conn.execute(f"INSERT INTO {on} SELECT * FROM kept OFFSET 1".encode())
        conn.execute("DROP TABLE kept")
    conn.execute("SET session_replication_role = origin")


def _heal(conn: Connection) -> None:
    recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
    assert gaps.find_gap(conn) is None
    assert_exact(conn)


@cases("table", SOURCE_TABLES)
def test_a_renamed_column_stops_no_write_and_is_named_until_it_is_back(
    busy: Platform, other: Connection, table: SourceTable
) -> None:
    conn = busy.conn
    for column in table.columns:
        as_of = value(conn, "SELECT as_of FROM read_model.freshness")
        conn.execute(f"ALTER TABLE {table.name} RENAME {column} TO renamed".encode())
        _write(conn, table, "renamed")
        if column == next(iter(table.columns)):
            # A session without plans does the same for each column.
            with busy.database.connect() as fresh:
                _write(fresh, table, "renamed")
        with pytest.raises(SourceMissingError, match=f"{table.name} has no column {column}"):
            recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
        assert value(conn, "SELECT as_of FROM read_model.freshness") == as_of
        if column == next(iter(table.columns)):
            attention = "\n".join(find_attention(read_status(other)))
            assert f"{table.name} has no column {column} (its name is renamed now)" in attention
        conn.execute(f"ALTER TABLE {table.name} RENAME renamed TO {column}".encode())
    _heal(other)


# The functions of all tables are made of one text, so that each table has one of the roles.
@cases(("table", "role"), [*zip(SOURCE_TABLES, cycle(ROLES), strict=False)])
def test_a_key_that_is_renamed_and_renamed_back_between_two_looks_is_a_gap(
    busy: Platform, other: Connection, table: SourceTable, role: str
) -> None:
    conn = busy.conn
    conn.execute(f"ALTER TABLE {table.name} RENAME {table.queue_key} TO renamed".encode())
    _write(conn, table, "renamed", [role])
    conn.execute(f"ALTER TABLE {table.name} RENAME renamed TO {table.queue_key}".encode())
    with pytest.raises(CaptureGapError, match=f"rows of {table.name} were written while a column"):
        batch_of(other, 0)
    _heal(other)


CHANGES_OF_VALUES = {
    "dropped and added with a default": "ALTER TABLE contacts DROP company;"
    " ALTER TABLE contacts ADD company varchar(255) DEFAULT 'default'",
    "two columns exchanged": "ALTER TABLE contacts RENAME company TO kept; ALTER TABLE contacts RENAME name TO company;"
    " ALTER TABLE contacts RENAME kept TO name",
    "rewritten in the same type": "ALTER TABLE contacts ALTER name TYPE varchar(255) USING upper(name)",
    "rewritten in another type": "ALTER TABLE contacts ALTER name TYPE text USING 'x' || name",
    "cut to a length": "ALTER TABLE contacts ALTER name TYPE varchar(5) USING left(name, 5)",
    "a wider key": "ALTER TABLE contacts ALTER contact_id TYPE text",
    "a number that was a text": "ALTER TABLE messages ALTER sequence_no TYPE bigint",
    "times with a zone": "ALTER TABLE template_sends ALTER sent_at TYPE timestamp(0)",
    "a new table of another owner": "CREATE ROLE {role}; ALTER TABLE contacts RENAME TO kept;"
    " CREATE TABLE contacts (LIKE kept INCLUDING ALL); INSERT INTO contacts SELECT * FROM kept; DROP TABLE kept;"
    " ALTER TABLE contacts OWNER TO {role}",
    "a table that was renamed and is back": "ALTER TABLE contacts RENAME TO kept; UPDATE kept SET name = 'kept';"
    " ALTER TABLE kept RENAME TO contacts",
    "a generated column": "ALTER TABLE contacts DROP company;"
    " ALTER TABLE contacts ADD company text GENERATED ALWAYS AS (upper(name)) STORED",
}  # fmt: skip


@cases("name", CHANGES_OF_VALUES)
def test_a_change_of_values_that_fires_no_trigger_is_noticed_and_healed(
    busy: Platform, other: Connection, name: str
) -> None:
    conn = busy.conn
    role = f"owner_of_{busy.database.name}"
    with conn.transaction():
        conn.execute(CHANGES_OF_VALUES[name].format(role=role).encode(), prepare=False)
    try:
        for table in SOURCE_TABLES:
            conn.execute(
                f"UPDATE {table.name} SET {table.primary_key} = {table.primary_key}"
                f" WHERE ctid = (SELECT min(ctid) FROM {table.name})".encode()
            )
        _heal(other)
        busy.contact("one", f"49170{[*CHANGES_OF_VALUES].index(name)}", "Zoe")
        busy.message("c", name)
        _heal(other)
        assert name in texts(conn, "one", "4915")
    finally:
        if "{role}" in CHANGES_OF_VALUES[name]:
            conn.execute(
                f"REASSIGN OWNED BY {role} TO CURRENT_USER; DROP ROLE {role}".encode(), prepare=False
            )


_COLUMNS = (
    "ALTER TABLE messages RENAME {}; ALTER TABLE messages RENAME {}; ALTER TABLE messages RENAME {}".format(
        "text TO kept", "status TO text", "kept TO status"
    )
)
SWAPS = {
    "tables": (
        "ALTER TABLE messages RENAME TO kept; CREATE TABLE messages (LIKE kept INCLUDING ALL)",
        "DROP TABLE messages; ALTER TABLE kept RENAME TO messages",
    ),
    "columns": (_COLUMNS, _COLUMNS),
}


@cases(("swapped", "point"), [("tables", "taken"), ("columns", "taken"), ("tables", "locked")])
def test_what_is_swapped_while_it_is_read_and_swapped_back_is_a_gap(
    busy: Platform, other: Connection, swapped: str, point: str
) -> None:
    """While a batch reads it, or a rebuild does."""
    conn, (there, back) = busy.conn, SWAPS[swapped]
    busy.message("c", f"{swapped} {point}")
    conn.execute("UPDATE read_model.leads SET total_messages = 7")

    def work(own: Connection) -> None:
        if point == "locked":
            rebuild_now(own)
        else:
            batch_of(own, shard_of(own, "c"))

    with Stepped(busy.database, work, point) as reading:
        conn.execute(there.encode(), prepare=False)
        reading.finish()
    conn.execute(back.encode(), prepare=False)
    assert gaps.find_gap(conn) is None
    assert "messages was another table" in "".join(gap.reason for gap in gaps.open_gaps(conn))
    _heal(other)


def test_a_type_that_changes_within_a_session_breaks_no_replicated_row(
    busy: Platform, other: Connection
) -> None:
    conn = busy.conn
    conn.execute("SET session_replication_role = replica")
    conn.execute("UPDATE contacts SET name = 'before'")
    conn.execute("ALTER TABLE contacts ALTER name TYPE text, ALTER contact_id TYPE text")
    conn.execute("UPDATE contacts SET name = 'replicated'")
    _heal(other)
    conn.execute("UPDATE contacts SET company = 'replicated again' WHERE phone = '+4915'")
    refresh_now(other)
    assert (document(conn, "one", "4915") or {})["company"] == "replicated again"
    assert_exact(conn)


def test_a_virtual_generated_column_counts_as_changed_by_every_update(
    busy: Platform, other: Connection
) -> None:
    conn = busy.conn
    if conn.info.server_version < 180000:
        with pytest.raises(psycopg.errors.SyntaxError):
            conn.execute("ALTER TABLE contacts ADD shown text GENERATED ALWAYS AS (upper(name)) VIRTUAL")
        return
    conn.execute("ALTER TABLE contacts RENAME company TO firm")
    conn.execute("ALTER TABLE contacts ADD company varchar(255) GENERATED ALWAYS AS (upper(firm)) VIRTUAL")
    conn.execute("UPDATE contacts SET firm = 'noticed'")
    _heal(other)
    for role in ROLES:
        conn.execute(f"SET session_replication_role = {role}".encode())
        conn.execute("UPDATE contacts SET firm = %s WHERE phone = '+4915'", (role,))
        refresh_now(other)
        assert (
            value(conn, "SELECT company FROM read_model.lead_profiles WHERE customer_phone = '4915'")
            is not None
        )
        assert_exact(conn)


HARMLESS = {
    "another column": "ALTER TABLE contacts ADD note text DEFAULT 'x'; UPDATE contacts SET note = 'y'",
    "columns called as our variables": "ALTER TABLE messages ADD pieces text, ADD changed_rows text, ADD shard text,"
    " ADD changed_key text, ADD changed_id text, ADD missing text; UPDATE messages SET pieces = 'x'",
    "NOT NULL": "ALTER TABLE contacts ALTER phone SET NOT NULL",
    "a default": "ALTER TABLE contacts ALTER name SET DEFAULT 'x'",
    "statistics": "ALTER TABLE contacts ALTER name SET STATISTICS 100",
    "a right to a column": "GRANT SELECT (name) ON contacts TO PUBLIC",
    "an identity column": "ALTER TABLE contacts ADD number bigint GENERATED BY DEFAULT AS IDENTITY",
    "an index": "CREATE INDEX ON contacts (company)",
}


def test_a_change_that_changes_no_value_is_no_gap(busy: Platform, other: Connection) -> None:
    conn = busy.conn
    for name, change in HARMLESS.items():
        for half in change.split(";"):
            conn.execute(half.encode())
        batch_of(other, 0)
        source_changes.note_harmless_changes(other)
        assert gaps.find_gap(conn) is None, name
    for table in SOURCE_TABLES:
        _write(conn, table, [*table.columns][-1])
    batch_of(other, 0)
    source_changes.note_harmless_changes(other)
    conn.execute("VACUUM FULL contacts")
    batch_of(other, 0)
    source_changes.note_harmless_changes(other)
    conn.execute("ALTER TABLE contacts ALTER name SET STATISTICS 200")
    assert gaps.find_gap(conn) is None
    recovery.refresh_and_heal(other, retry_failed=True, progress=QUIET)
    assert value(conn, "SELECT count(*) FROM projector.capture_gaps") == 0
    assert_exact(conn)


def test_a_table_that_becomes_a_view_is_named_until_it_is_a_table_again(
    busy: Platform, other: Connection
) -> None:
    conn = busy.conn
    conn.execute(
        b"ALTER TABLE contacts RENAME TO stored; CREATE VIEW contacts AS TABLE stored", prepare=False
    )
    conn.execute("UPDATE contacts SET name = 'by the view'")
    with pytest.raises(SourceMissingError, match=r"table contacts .there is a view of that name"):
        recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
    assert "there is a view of that name" in "\n".join(find_attention(read_status(other)))
    conn.execute("DROP VIEW contacts; ALTER TABLE stored RENAME TO contacts", prepare=False)
    _heal(other)


PARTITIONS = {
    "attached with rows": "CREATE TABLE more (LIKE contacts INCLUDING DEFAULTS);"
    " INSERT INTO more (contact_id, user_id, phone, name) VALUES ('z-1', 'one', '4999', 'attached');"
    " ALTER TABLE contacts ATTACH PARTITION more FOR VALUES FROM ('z') TO (MAXVALUE)",
    "detached": "ALTER TABLE contacts DETACH PARTITION first",
    "dropped": "DROP TABLE first",
    "detached, written to and attached again": "ALTER TABLE contacts DETACH PARTITION first;"
    " UPDATE first SET name = 'x'; ALTER TABLE contacts ATTACH PARTITION first FOR VALUES FROM (MINVALUE) TO ('y')",
    "emptied and attached elsewhere": "ALTER TABLE contacts DETACH PARTITION first; TRUNCATE first; CREATE TABLE years"
    " PARTITION OF contacts FOR VALUES FROM (MINVALUE) TO ('y') PARTITION BY RANGE (contact_id);"
    " ALTER TABLE years ATTACH PARTITION first FOR VALUES FROM (MINVALUE) TO ('x')",
}


@pytest.fixture
def partitioned(busy: Platform) -> Platform:
    busy.conn.execute(
        "ALTER TABLE contacts RENAME TO kept;"
        " CREATE TABLE contacts (LIKE kept INCLUDING DEFAULTS) PARTITION BY RANGE (contact_id);"
        " CREATE TABLE first PARTITION OF contacts FOR VALUES FROM (MINVALUE) TO ('y');"
        " INSERT INTO contacts SELECT * FROM kept; DROP TABLE kept",
        prepare=False,
    )
    recovery.refresh_and_heal(busy.conn, retry_failed=True, progress=QUIET)
    assert_exact(busy.conn)
    busy.conn.execute("TRUNCATE projector.capture_gaps")
    return busy


@pytest.mark.parametrize("way", PARTITIONS)
def test_rows_that_come_or_go_with_a_partition_are_a_gap(
    partitioned: Platform, other: Connection, way: str
) -> None:
    partitioned.conn.execute(PARTITIONS[way].encode(), prepare=False)
    source_changes.note_harmless_changes(other)
    with pytest.raises(CaptureGapError, match=r"contacts has (a new|lost a) partition"):
        batch_of(other, 0)
    _heal(other)


def test_a_piece_from_before_a_gap_ends_before_keys_are_compared(busy: Platform, other: Connection) -> None:
    """It has read that a contact is gone, which then came back with a partition."""
    conn = busy.conn
    conn.execute(
        "ALTER TABLE contacts RENAME TO kept;"
        " CREATE TABLE contacts (LIKE kept INCLUDING DEFAULTS) PARTITION BY LIST (phone);"
        " CREATE TABLE first PARTITION OF contacts FOR VALUES IN ('+4915'); DROP TABLE kept",
        prepare=False,
    )
    contact = busy.contact("one", "+4915", "Zoe")
    _heal(other)
    conn.execute(
        "CREATE TABLE second (LIKE contacts INCLUDING ALL); INSERT INTO second SELECT * FROM contacts;"
        " UPDATE second SET phone = '4915'; DELETE FROM contacts",
        prepare=False,
    )
    prepare_session(other)
    defer_changes(other, [shard_of(conn, contact)], mass=False)
    with piece(busy.database, "recomputed") as taken:
        conn.execute("ALTER TABLE contacts ATTACH PARTITION second FOR VALUES IN ('4915')")
        assert recovery.restore_capture(other)
        with Stepped(busy.database, lambda own: recovery.heal(own, progress=QUIET)) as heal:
            # It waits before it compares keys, or checks for late keys afterwards.
            doing = "SELECT query ~ 'pg_advisory_xact_lock|late_keys' FROM pg_stat_activity WHERE pid = %s"
            wait_for(lambda: value(conn, doing, heal.pid))
            taken.finish()
            heal.finish()
    _heal(other)


def test_a_new_partition_without_rows_is_no_gap(partitioned: Platform, other: Connection) -> None:
    conn = partitioned.conn
    conn.execute("CREATE TABLE second PARTITION OF contacts FOR VALUES FROM ('y') TO (MAXVALUE)")
    recovery.refresh_and_heal(other, retry_failed=True, progress=QUIET)
    conn.execute(
        "INSERT INTO contacts (contact_id, user_id, phone, name) VALUES ('z', 'one', '49999', 'new')"
    )
    conn.execute("UPDATE contacts SET name = 'Zoe' WHERE contact_id = 'z'")
    _heal(other)
    # Direct writes to a partition fire row triggers only.
    conn.execute("INSERT INTO second (contact_id, user_id, phone, name) VALUES ('y', 'one', '4915', 'Yve')")
    conn.execute("UPDATE first SET name = 'Xie'")
    assert {kind for kind, _ in waiting(conn)} == {"contacts"}
    _heal(other)
    assert value(conn, "SELECT count(*) FROM projector.capture_gaps") == 0
