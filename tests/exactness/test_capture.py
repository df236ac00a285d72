"""Every change of a source table is queued, once, whoever makes it and however; and no writer waits or fails for it."""

from collections.abc import Callable
from contextlib import suppress
from itertools import product

import psycopg
import pytest
from psycopg import sql

from projector.capture import control, gaps, triggers
from projector.database import connect as db
from projector.database.rows import Connection
from projector.database.schema import source_tables
from projector.operate.install import migrate
from projector.report.errors import BlockedError, CaptureGapError
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.interleaving import Stepped, refreshing
from tests.exactness.platform import (
    Platform,
    assert_exact,
    document,
    put_back,
    rebuild_now,
    refresh_now,
    texts,
    value,
    waiting,
)
from tests.support.cases import cases
from tests.support.roles import logins
from tests.support.server import Database


def _insert(conn: Connection, message_id: str, text: str = "more", conversation_id: str = "c") -> None:
    conn.execute(
        "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp)"
        " VALUES (%s, %s, 'user', %s, '2025-01-02')",
        (message_id, conversation_id, text),
    )


# C1: the queue only grows, so that nobody waits and nothing is lost.


def test_writers_of_one_conversation_do_not_wait_for_each_other(filled: Platform, other: Connection) -> None:
    conn = filled.conn
    conn.execute("SET lock_timeout = '1s'")
    with other.transaction():
        _insert(other, "m1")
        _insert(conn, "m2")
    conn.execute("SET lock_timeout = 0")
    refresh_now(conn)
    assert_exact(conn)


@cases("point", ["taken", "tenants_found", "locked", "recomputed", "written"])
def test_a_writer_never_waits_for_a_refresh_in_flight(filled: Platform, point: str) -> None:
    conn = filled.conn
    put_back(conn)
    _insert(conn, "m1")
    with refreshing(filled.database, point) as refresh_under_way:
        conn.execute("SET lock_timeout = '1s'")
        _insert(conn, "m2")
        conn.execute("UPDATE messages SET text = 'edited' WHERE message_id = 'm1'")
        conn.execute("UPDATE conversations SET customer_phone = '+49 15' WHERE conversation_id = 'c'")
        conn.execute("UPDATE agents SET name = 'Renamed'")
        conn.execute("DELETE FROM messages WHERE message_id = 'm'")
        conn.execute("SET lock_timeout = 0")
        refresh_under_way.finish()
    refresh_now(conn)
    assert_exact(conn)


def test_the_queue_has_no_rule_that_a_writer_could_break(filled: Platform) -> None:
    assert value(
        filled.conn,
        "SELECT (SELECT count(*) FROM pg_constraint WHERE conrelid = 'projector.changes'::regclass AND contype <> 'n')"
        " + (SELECT count(*) FROM pg_index WHERE indrelid = 'projector.changes'::regclass AND indisunique)",
    ) == 0  # fmt: skip


# C2: a trigger stores what its own row says.


@cases(
    ("table", "command"),
    [
        *product(
            ("users", "agents", "phone_numbers", "conversations", "templates"),
            ("DELETE FROM {}", "TRUNCATE {} CASCADE"),
        )
    ],
)
def test_what_a_cascade_deletes_is_gone_from_the_read_model(
    filled: Platform, table: str, command: str
) -> None:
    conn = filled.conn
    put_back(conn)
    conn.execute(command.format(table).encode())
    refresh_now(conn)
    assert_exact(conn)
    if table == "users":
        assert value(conn, "SELECT count(*) FROM read_model.leads") == 0


# C3: whatever kind of statement it is, and each change once.


def _copy(conn: Connection) -> None:
    with conn.cursor().copy(
        "COPY messages (message_id, conversation_id, text, timestamp) FROM STDIN"
    ) as copy:
        copy.write_row(("m1", "c", "copied", "2025-01-02"))
        copy.write_row(("m2", "c", "copied too", "2025-01-02"))


STATEMENTS: dict[str, str | Callable[[Connection], None]] = {
    "insert": "INSERT INTO messages (message_id, conversation_id, timestamp) VALUES ('m1', 'c', '2025-01-02')",
    "copy": _copy,
    "on conflict do update": "INSERT INTO messages (message_id, conversation_id, text) VALUES ('m', 'c', 'twice')"
    " ON CONFLICT (message_id) DO UPDATE SET text = excluded.text",
    "merge": "MERGE INTO messages USING (VALUES ('m', 'd'), ('m1', 'i')) AS v (id, action) ON message_id = v.id"
    " WHEN MATCHED THEN DELETE"
    " WHEN NOT MATCHED THEN INSERT (message_id, conversation_id, timestamp) VALUES (v.id, 'c', '2025-01-02')",
    "delete": "DELETE FROM messages",
    "truncate": "TRUNCATE messages",
    "move": "UPDATE conversations SET customer_phone = 'elsewhere'",
    "key": "UPDATE messages SET message_id = 'renamed'",
    "writing cte": "WITH gone AS (DELETE FROM messages RETURNING *) UPDATE extractions SET name = 'Bob'",
    "extraction": "UPDATE extractions SET email = 'a@b.c'",
    "contact": "UPDATE contacts SET phone = '777', email = 'a@b.c'",
    "moved send": "UPDATE template_sends SET customer_phone = '1'",
    "send": "UPDATE template_sends SET status = 'FAILED'",
    "template": "DELETE FROM templates",
    "channel": "UPDATE phone_numbers SET platform = 'instagram'",
    "agent": "UPDATE agents SET name = 'Renamed'",
}  # fmt: skip


@cases(("name", "role"), [*product(STATEMENTS, ("origin", "replica")), ("insert", "local")])
def test_every_kind_of_statement_is_captured_in_every_role(filled: Platform, name: str, role: str) -> None:
    conn = filled.conn
    put_back(conn)
    conn.execute(f"SET session_replication_role = {role}".encode())
    before = document(conn, "one", "4915")
    statement = STATEMENTS[name]
    if isinstance(statement, str):
        conn.execute(statement.encode())
    else:
        statement(conn)
    conn.execute("SET session_replication_role = origin")
    assert waiting(conn)
    refresh_now(conn)
    assert document(conn, "one", "4915") != before or name in {"key", "contact"}
    assert_exact(conn)


@pytest.mark.parametrize("role", ["origin", "replica"])
def test_each_change_is_queued_once(filled: Platform, role: str) -> None:
    conn = filled.conn
    conn.execute(f"SET session_replication_role = {role}".encode())
    _insert(conn, "m1")
    assert waiting(conn) == [("messages", ["c"])]
    conn.execute("UPDATE contacts SET name = 'Bob'")
    conn.execute("DELETE FROM template_sends")
    for change in (
        "messages SET text = 'edited' WHERE message_id = 'm1'",
        "conversations SET is_active = false",
        "agents SET name = 'Eve'",
    ):
        conn.execute(f"UPDATE {change}".encode())
    kinds = ["messages", "contacts", "template_sends", "messages", "conversations", "agents"]
    assert [kind for kind, _ in waiting(conn)] == kinds
    # A row trigger queues the key before and after.
    assert role == "replica" or [len(keys) for _, keys in waiting(conn)] == [1] * len(kinds)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE messages SET text = 'edited' WHERE message_id LIKE %s",
        (
            "UPDATE messages SET conversation_id = CASE conversation_id WHEN 'c' THEN 'c2' ELSE 'c' END"
            " WHERE message_id LIKE %s"
        ),
        "DELETE FROM messages WHERE message_id LIKE %s",
    ],
)
def test_a_few_rows_and_one_more_are_queued_once_each(filled: Platform, statement: str) -> None:
    conn = filled.conn
    agent = value(conn, "SELECT agent_id FROM conversations")
    filled.insert("conversations", conversation_id="c2", agent_id=agent, customer_phone="4916")
    refresh_now(conn)
    for rows in (1, 2, 4, 5, 6):
        messages = [f"of-{rows}-{number}" for number in range(rows)]
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, text, timestamp)"
            " SELECT m.id, CASE m.number & 1 WHEN 0 THEN 'c' ELSE 'c2' END, 'few', '2025-01-03'"
            " FROM unnest(%s::text[]) WITH ORDINALITY AS m (id, number)",
            (messages,),
        )
        assert _queued_messages(conn) == messages
        refresh_now(conn)
        assert_exact(conn)
        conn.execute(statement.encode(), (f"of-{rows}-%",))
        queued = _queued_messages(conn)
        # One that moves may be queued for both of its conversations.
        assert (sorted(set(queued)) if "conversation_id" in statement else queued) == messages
        refresh_now(conn)
        assert_exact(conn)


def _queued_messages(conn: Connection) -> list[str]:
    rows = conn.execute(
        "SELECT message_id FROM projector.changes, unnest(message_ids) AS message_id ORDER BY message_id"
    ).fetchall()
    return [row[0] for row in rows]


NOT_PROJECTED = {
    "users": "email = 'x@y.z'",
    "phone_numbers": "display_name = 'Other', access_token = 'secret', meta_phone_number_id = '1'",
    "templates": "name = 'Other'",
    "template_sends": "conversation_id = 'c'",
    "extractions": "user_id = 'x', customer_phone = 'y'",
}


@cases(("table", "role"), [*product(source_tables(), ("origin", "replica"))])
def test_an_update_that_changes_nothing_of_a_lead_queues_nothing(
    filled: Platform, table: str, role: str
) -> None:
    conn = filled.conn
    conn.execute(f"SET session_replication_role = {role}".encode())
    [columns] = conn.execute(
        "SELECT array_agg(attname::text) FROM pg_attribute"
        " WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped",
        (table,),
    ).fetchall()[0]
    same = sql.SQL(", ").join(sql.SQL("{0} = {0}").format(sql.Identifier(name)) for name in columns)
    conn.execute(sql.SQL("UPDATE {} SET {}").format(sql.Identifier(table), same))
    conn.execute(sql.SQL("UPDATE {0} SET {1} WHERE false").format(sql.Identifier(table), same))
    if changed := NOT_PROJECTED.get(table):
        conn.execute(f"UPDATE {table} SET {changed}".encode())
    assert waiting(conn) == []


# C4: the platform's statement neither fails nor waits because of us.


def test_a_writer_without_any_right_on_our_schemas_writes(filled: Platform) -> None:
    conn = filled.conn
    with logins(conn, "platform_writer"), filled.database.connect() as writer:
        conn.execute("GRANT ALL ON ALL TABLES IN SCHEMA public TO platform_writer")
        writer.execute("SET ROLE platform_writer")
        writer.execute("SET search_path = pg_temp, public")
        # Names of ours that mean something else to this session must not count.
        writer.execute("CREATE TEMPORARY TABLE changes (a integer)")
        _insert(writer, "m1", "written")
        writer.execute("UPDATE contacts SET name = 'Bob'")
        writer.execute("TRUNCATE template_sends")
        for call in ("FROM projector.changes", "projector.queue_keys('contacts', ARRAY['x'], NULL)"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                writer.execute(f"SELECT {call}".encode())
        refresh_now(conn)
        assert texts(conn, "one", "4915") == ["first", "written"]
        assert_exact(conn)


def test_the_queue_is_stored_as_capture_needs_it_and_a_later_migrate_waits_for_no_writer(
    filled: Platform, other: Connection
) -> None:
    conn = filled.conn
    stored = (
        "SELECT array_agg(attstorage::text) || relreplident::text"
        " FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid"
        " WHERE attrelid = 'projector.changes'::regclass AND attname IN ('keys', 'message_ids') GROUP BY relreplident"
    )
    assert value(conn, stored) == ["e", "e", "f"]
    with other.transaction():
        _insert(other, "m1")
        # It does not wait for the end of this transaction, while all other writers would wait behind it.
        migrate(conn, create_source=False)
    assert value(conn, stored) == ["e", "e", "f"]
    assert gaps.find_gap(conn) is None


def test_the_ids_of_a_large_statement_are_queued_in_parts(
    filled: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = filled.conn
    monkeypatch.setattr(triggers, "IF_LARGE", triggers.IF_LARGE.replace("100000", "2000"))
    migrate(conn, create_source=False)
    for write in (
        "INSERT INTO messages (message_id, conversation_id) SELECT 'big-' || n, 'c' FROM generate_series(1, 2500) AS n",
        "UPDATE messages SET text = 'edited' WHERE message_id LIKE 'big-%'",
        "DELETE FROM messages WHERE message_id LIKE 'big-%'",
    ):
        conn.execute(write.encode())
        queued = conn.execute(
            "SELECT cardinality(q.message_ids), q.keys, (SELECT count(DISTINCT i) FROM unnest(q.message_ids) AS i)"
            " FROM projector.changes AS q ORDER BY 1"
        ).fetchall()
        assert queued == [(500, ["c"], 500), (1000, ["c"], 1000), (1000, ["c"], 1000)]
        refresh_now(conn)
        assert_exact(conn)


def test_a_replicated_transaction_is_a_mass_change_beyond_a_hundred_rows(filled: Platform) -> None:
    conn = filled.conn
    conn.execute("SET session_replication_role = replica")

    def queued(transaction: Callable[[], None]) -> dict[bool, int]:
        conn.execute("DELETE FROM projector.changes")
        with conn.transaction():
            transaction()
        return dict(
            conn.execute("SELECT bulk, count(*)::int FROM projector.changes GROUP BY bulk").fetchall()
        )

    def write(first: int, rows: int) -> None:
        conn.execute(
            "INSERT INTO messages (message_id, conversation_id, text)"
            " SELECT 'mass-' || n, 'c', 'mass' FROM generate_series(%s::int, %s::int) AS n",
            (first, first + rows - 1),
        )

    def several_tables_and_a_savepoint() -> None:
        for number in range(20):
            write(number, 1)
        with suppress(ZeroDivisionError), conn.transaction():
            write(1000, 300)
            raise ZeroDivisionError
        conn.execute("UPDATE contacts SET name = 'Renamed'")
        # An update that changes nothing counts for nothing.
        conn.execute("UPDATE messages SET text = text")
        write(2000, 129)

    assert queued(several_tables_and_a_savepoint) == {False: 100, True: 50}
    # Each transaction counts for itself.
    assert queued(lambda: write(3000, 100)) == {False: 100}
    assert queued(lambda: write(4000, 1)) == {False: 1}
    # Nothing that a session writes into the setting stops its writes.
    conn.execute("SET leads_capture.rows = 'not a number'")
    assert queued(lambda: write(5000, 2)) == {False: 2}
    conn.execute("SET session_replication_role = origin")
    refresh_now(conn)
    conn.execute("UPDATE contacts SET name = 'Ann'")
    assert value(conn, "SELECT bool_or(bulk) FROM projector.changes") is False


# C5: no trigger calls NOTIFY, which would serialize the commits of all writers.


def test_no_function_of_the_writers_notifies(filled: Platform) -> None:
    functions = filled.conn.execute(
        "SELECT p.proname FROM pg_proc AS p WHERE p.pronamespace = 'projector'::regnamespace AND p.prosrc ~* 'notify'"
    ).fetchall()
    assert functions == []


# C6: first the triggers, then the build.


def test_migrate_waits_for_the_writers_that_it_found(source_database: Database) -> None:
    with source_database.connect() as conn, source_database.connect() as writer:
        platform = Platform(conn)
        platform.tenant("one")
        conversation = platform.conversation(platform.agent("one"), "4915")
        with writer.transaction():
            _insert(writer, "m1", "before any trigger", conversation)
            with Stepped(source_database, lambda own: migrate(own, create_source=False)) as migration:
                migration.waits(conn)
                # A writer that comes while it waits passes, because it gives way.
                _insert(conn, "m2", "meanwhile", conversation)
                writer.execute("COMMIT")
                writer.execute("BEGIN")
                migration.finish()
        rebuild_now(conn)
        assert texts(conn, "one", "4915") == ["before any trigger", "meanwhile"]
        assert_exact(conn)


# C7: it is known when capture broke.


def test_an_installation_that_came_only_half_way_is_a_gap(
    source_database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = control.reinstall
    monkeypatch.setattr(control, "reinstall", lambda conn: impatient(conn, patience=0.0))
    with source_database.connect() as conn, source_database.connect() as writer:
        with writer.transaction():
            writer.execute("LOCK TABLE contacts IN ROW EXCLUSIVE MODE")
            with pytest.raises(BlockedError):
                migrate(conn, create_source=False)
        assert "contacts" in (gaps.find_gap(conn) or "")
        with source_database.connect() as own:
            rebuild_now(own)
            with pytest.raises(CaptureGapError):
                refresh_now(own)
        migrate(conn, create_source=False)
        assert gaps.find_gap(conn) is None


def test_a_prepared_transaction_that_is_in_the_way_is_named(
    start_server: Callable[..., EmbeddedServer],
) -> None:
    server = start_server(fast=True, max_prepared_transactions="5")
    url = server.url("leads")
    with db.connect(url, application_name="test") as conn, psycopg.connect(url, autocommit=True) as other:
        migrate(conn, create_source=True)
        other.execute("BEGIN")
        other.execute("INSERT INTO users (user_id) VALUES ('one')")
        other.execute("LOCK TABLE messages IN ROW EXCLUSIVE MODE")
        other.execute("PREPARE TRANSACTION 'forgotten'")
        with pytest.raises(BlockedError, match="the prepared transaction 'forgotten' has it"):
            triggers.uninstall(conn, patience=0.1)
        other.execute("ROLLBACK PREPARED 'forgotten'")
