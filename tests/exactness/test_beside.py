"""Rebuilds of everything while writers, refreshes, readers and migrate are at work: beside and in place."""

from collections.abc import Iterator

import psycopg
import pytest
from projector.beside import NEXT, OLD
from psycopg.rows import TupleRow

from projector import beside
from projector.dead_letters import retry_dead_letters
from projector.install import migrate
from projector.progress import QUIET
from projector.rebuild import rebuild
from tests.exactness.interleaving import Stepped, batch_of, rebuilding, refreshing
from tests.exactness.platform import (
    Platform,
    assert_exact,
    document,
    rebuild_now,
    refresh_now,
    texts,
    value,
    waiting,
)
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

BESIDE = ("replaying", "built", "indexed", "caught up", "replayed", "swapped")
IN_PLACE = ("locked", "recomputed", "merged")


@pytest.fixture
def filled(platform: Platform) -> Platform:
    """Two tenants with a lead each; the read model is exact."""
    for tenant in ("one", "two"):
        platform.tenant(tenant)
        platform.message(platform.conversation(platform.agent(tenant, shard=1), "4915", shard=0), "before")
    refresh_now(platform.conn)
    return platform


@pytest.fixture
def reader(database: Database) -> Iterator[Connection]:
    with database.connect() as conn:
        yield conn


def _conversation(conn: Connection, tenant: str) -> str:
    return str(
        value(
            conn,
            "SELECT conversation_id FROM conversations JOIN agents USING (agent_id) WHERE user_id = %s",
            tenant,
        )
    )


@pytest.mark.parametrize("point", BESIDE[:4])
def test_what_changes_and_is_refreshed_during_a_rebuild_beside_is_in_it(
    filled: Platform, database: Database, point: str
) -> None:
    conn = filled.conn
    with rebuilding(database, point) as rebuild_under_way:
        rebuild_under_way.reach(point)
        filled.message(_conversation(conn, "one"), "during")
        conn.execute("DELETE FROM users WHERE user_id = 'two'")
        refresh_now(conn)
        assert texts(conn, "one", "4915") == ["before", "during"]
        rebuild_under_way.finish()
    assert waiting(conn) == []
    assert texts(conn, "one", "4915") == ["before", "during"]
    assert document(conn, "two", "4915") is None
    assert_exact(conn)


@pytest.mark.parametrize("point", BESIDE)
def test_what_changes_during_a_rebuild_beside_and_still_waits_comes_with_the_next_refresh(
    filled: Platform, database: Database, point: str
) -> None:
    conn = filled.conn
    with rebuilding(database, point) as rebuild_under_way:
        rebuild_under_way.reach(point)
        filled.message(_conversation(conn, "one"), "during")
        rebuild_under_way.finish()
    refresh_now(conn)
    assert texts(conn, "one", "4915") == ["before", "during"]
    assert_exact(conn)


@pytest.mark.parametrize("statement", [
    "UPDATE agents SET name = 'Renamed'",
    "UPDATE agents SET user_id = 'two'",
    "UPDATE phone_numbers SET platform = 'webchat'",
    "UPDATE templates SET user_id = 'two'",
    "TRUNCATE messages",
    "TRUNCATE conversations CASCADE",
    "TRUNCATE users CASCADE",
])  # fmt: skip
def test_a_mass_change_during_a_rebuild_beside_is_in_it(
    filled: Platform, database: Database, statement: str
) -> None:
    conn = filled.conn
    filled.send(filled.template("one"), "777")
    refresh_now(conn)
    with rebuilding(database, "indexed") as rebuild_under_way:
        rebuild_under_way.reach("indexed")
        conn.execute(statement.encode())
        refresh_now(conn)
        rebuild_under_way.finish()
    assert_exact(conn)


@pytest.mark.parametrize("point", IN_PLACE)
def test_what_changes_during_a_rebuild_in_place_comes_with_the_next_refresh(
    filled: Platform, database: Database, point: str
) -> None:
    conn = filled.conn
    with rebuilding(database, point, in_place=True) as rebuild_under_way:
        rebuild_under_way.reach(point)
        filled.message(_conversation(conn, "one"), "during")
        conn.execute(
            "UPDATE conversations SET agent_id = (SELECT agent_id FROM agents WHERE user_id = 'one'),"
            " is_active = false WHERE conversation_id = %s",
            (_conversation(conn, "two"),),
        )
        with refreshing(database) as refresh_under_way:
            refresh_under_way.waits(conn)
            rebuild_under_way.finish()
            refresh_under_way.finish()
    refresh_now(conn)
    assert texts(conn, "one", "4915") == ["before", "before", "during"]
    assert_exact(conn)


@pytest.mark.parametrize("point", ["replaying", "built", "indexed", "caught up", "replayed"])
def test_a_reader_in_an_older_snapshot_never_finds_less_than_its_snapshot_claims(
    filled: Platform, database: Database, reader: Connection, point: str
) -> None:
    conn = filled.conn
    stops = (
        [point, "caught up", "caught up"]
        if point in {"replaying", "built", "indexed"}
        else [point, "caught up"]
    )
    with rebuilding(database, *stops) as rebuild_under_way:
        rebuild_under_way.reach(point)
        if point != "replayed":
            filled.message(_conversation(conn, "one"), "during")
            refresh_now(conn)
        expected = texts(conn, "one", "4915")
        # A snapshot that holds none of the tables: a transaction that begins with something else.
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT min(as_of) FROM read_model.freshness")
        rebuild_under_way.go_on()
        if len(stops) == 3:
            rebuild_under_way.reach("caught up")
            rebuild_under_way.go_on()
        # Either the swap was given up for the time being, or it is done.
        rebuild_under_way.reaches("caught up")
        assert texts(reader, "one", "4915") == expected
        reader.execute("COMMIT")
        rebuild_under_way.finish()
    assert_exact(conn)


def test_a_reader_that_holds_a_table_delays_the_swap_and_no_other_reader(
    filled: Platform, database: Database, reader: Connection
) -> None:
    conn = filled.conn
    with reader.transaction():
        reader.execute("SELECT count(*) FROM read_model.lead_messages")
        with rebuilding(database, "replayed") as rebuild_under_way:
            rebuild_under_way.reach("replayed")
            rebuild_under_way.go_on()
            conn.execute("SET statement_timeout = '20s'")
            for _ in range(20):
                assert value(conn, "SELECT count(*) FROM read_model.leads") == 2
            assert not rebuild_under_way.ends()
            reader.execute("COMMIT")
            reader.execute("BEGIN")
            rebuild_under_way.finish()
    assert_exact(conn)


def test_a_rebuild_that_cannot_swap_in_time_is_done_in_place(filled: Platform, reader: Connection) -> None:
    conn = filled.conn
    conn.execute("UPDATE read_model.leads SET document = '{}'")
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    reader.execute("SELECT 1 FROM read_model.leads")
    rebuild_now(conn, patience=0.0)
    reader.execute("ROLLBACK")
    assert_exact(conn)
    assert value(conn, "SELECT to_regnamespace(%s)", NEXT) is None


def test_a_rebuild_goes_on_in_place_where_another_session_holds_what_an_earlier_one_left(
    filled: Platform, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = filled.conn
    monkeypatch.setattr(beside, "_DROP_LOCK_TIMEOUT", "10ms")
    conn.execute("CREATE SCHEMA read_model_next")
    conn.execute("CREATE TABLE read_model_next.leads ()")
    conn.execute("UPDATE read_model.leads SET document = '{}'")
    with reader.transaction():
        reader.execute("SELECT FROM read_model_next.leads")
        rebuild_now(conn)
        assert_exact(conn)
    conn.execute("UPDATE read_model.leads SET document = '{}'")
    rebuild_now(conn)
    assert_exact(conn)
    assert value(conn, "SELECT to_regnamespace(%s)", NEXT) is None


def test_no_reader_deadlocks_with_the_drop_of_what_an_earlier_one_left(
    filled: Platform, database: Database, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = filled.conn
    # Longer than PostgreSQL waits before it looks for a deadlock.
    monkeypatch.setattr(beside, "_DROP_LOCK_TIMEOUT", "1500ms")
    conn.execute("CREATE SCHEMA read_model_old")
    for name in ("a", "b", "c"):
        conn.execute(f"CREATE TABLE read_model_old.{name} ()".encode())
    with reader.transaction():
        reader.execute("SELECT FROM read_model_old.b")
        with Stepped(database, lambda own, _: beside.drop_leftovers(own)) as drop:
            drop.waits(conn)
            for name in ("a", "c"):
                if value(reader, "SELECT to_regclass(%s) IS NOT NULL", f"read_model_old.{name}"):
                    reader.execute(f"SELECT FROM read_model_old.{name}".encode())
            drop.finish()
    beside.drop_leftovers(conn)
    assert value(conn, "SELECT to_regnamespace(%s)", OLD) is None


def test_a_swap_waits_for_a_reader_of_the_tables_that_an_earlier_one_moved_aside(
    filled: Platform, database: Database, reader: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = filled.conn
    monkeypatch.setattr(beside, "_DROP_LOCK_TIMEOUT", "10ms")
    conn.execute("CREATE SCHEMA read_model_old")
    conn.execute("CREATE TABLE read_model_old.leads ()")
    conn.execute("UPDATE read_model.leads SET document = '{}'")
    reader.execute("BEGIN")
    reader.execute("SELECT FROM read_model_old.leads")
    with rebuilding(database, "caught up", "caught up") as rebuild_under_way:
        rebuild_under_way.reach("caught up")
        rebuild_under_way.go_on()
        # It tried, gave way, and comes by again.
        rebuild_under_way.reach("caught up")
        reader.execute("COMMIT")
        rebuild_under_way.finish()
    assert_exact(conn)
    assert value(conn, "SELECT to_regnamespace(%s)", OLD) is None


def test_a_view_on_the_read_model_makes_the_rebuild_go_in_place(filled: Platform) -> None:
    conn = filled.conn
    conn.execute("CREATE VIEW exported AS SELECT customer_phone FROM read_model.leads")
    conn.execute("DELETE FROM read_model.leads")
    rebuild_now(conn)
    assert value(conn, "SELECT count(*) FROM exported") == 2
    assert_exact(conn)


def test_a_foreign_key_to_the_read_model_makes_the_rebuild_go_in_place(filled: Platform) -> None:
    conn = filled.conn
    conn.execute(
        "CREATE TABLE exported (user_id text, customer_phone text, FOREIGN KEY (user_id, customer_phone)"
        " REFERENCES read_model.leads)"
    )
    rebuild_now(conn)
    assert value(
        conn,
        "SELECT confrelid = 'read_model.leads'::regclass FROM pg_constraint WHERE conrelid = 'exported'::regclass",
    )
    assert_exact(conn)


def test_the_swap_leaves_indexes_grants_and_comments_as_they_were(filled: Platform) -> None:
    conn = filled.conn
    conn.execute("GRANT INSERT ON read_model.leads TO leads_api")
    conn.execute("CREATE INDEX of_an_operator ON read_model.leads (total_messages)")
    before = _furniture(conn)
    rebuild_now(conn)
    rebuild_now(conn)
    assert _furniture(conn) == before
    for schema in (NEXT, OLD):
        assert value(conn, "SELECT to_regnamespace(%s)", schema) is None


def _furniture(conn: Connection) -> list[tuple[object, ...]]:
    return conn.execute(
        "SELECT c.oid::regclass::text, c.relacl::text, obj_description(c.oid),"
        " ARRAY(SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = c.oid ORDER BY 1),"
        " ARRAY(SELECT pg_get_constraintdef(k.oid) FROM pg_constraint k WHERE k.conrelid = c.oid ORDER BY 1),"
        " ARRAY(SELECT (attname, atttypid::regtype, attnotnull, attcollation, col_description(c.oid, attnum))::text"
        "  FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0 ORDER BY attnum), c.reloptions"
        " FROM pg_class c WHERE c.relnamespace IN ('read_model'::regnamespace, 'projector'::regnamespace)"
        " AND c.relkind = 'r' ORDER BY 1"
    ).fetchall()


def test_a_tenant_whose_leads_a_rebuild_drops_gets_a_new_version(filled: Platform) -> None:
    conn = filled.conn
    conn.execute("SET session_replication_role = replica")
    conn.execute("ALTER TABLE conversations DISABLE TRIGGER ALL")
    conn.execute("DELETE FROM conversations")
    conn.execute("SET session_replication_role = origin")
    before = value(conn, "SELECT version FROM read_model.tenants WHERE user_id = 'one'")
    rebuild_now(conn)
    assert document(conn, "one", "4915") is None
    assert value(conn, "SELECT version FROM read_model.tenants WHERE user_id = 'one'") > before


@pytest.mark.parametrize(
    "statement",
    ["ALTER TABLE messages ALTER COLUMN text TYPE varchar(9000)", "TRUNCATE messages"],
)
def test_a_table_that_the_platform_rewrites_during_the_build_is_not_taken_for_empty(
    filled: Platform, database: Database, reader: Connection, statement: str
) -> None:
    conn = filled.conn
    with rebuilding(database, "replaying") as rebuild_under_way:
        rebuild_under_way.reach("replaying")
        reader.execute("BEGIN")
        # Rows that were written anew are not to be seen in the snapshot that the build has by then.
        reader.execute(statement.encode())
        rebuild_under_way.go_on()
        rebuild_under_way.waits(conn)
        reader.execute("COMMIT")
        rebuild_under_way.finish()
    refresh_now(conn)
    assert_exact(conn)


def test_rows_without_a_source_go_in_both_ways(filled: Platform) -> None:
    conn = filled.conn
    for in_place in (False, True):
        conn.execute("UPDATE read_model.leads SET user_id = 'ghost' WHERE user_id = 'two'")
        conn.execute("UPDATE read_model.lead_messages SET customer_phone = '1' WHERE user_id = 'two'")
        conn.execute("INSERT INTO projector.conversation_keys VALUES ('ghost', 'one', '2')")
        conn.execute("INSERT INTO read_model.tenants (user_id) VALUES ('ghost') ON CONFLICT DO NOTHING")
        rebuild_now(conn, in_place=in_place)
        assert_exact(conn)


@pytest.mark.parametrize("in_place", [False, True])
def test_the_contacts_of_a_tenant_without_leads_are_known_after_a_rebuild(
    filled: Platform,
    in_place: bool,  # noqa: FBT001
) -> None:
    conn = filled.conn
    filled.tenant("later")
    filled.contact("later", "4915", "Ann")
    refresh_now(conn)
    conn.execute("TRUNCATE projector.contact_keys")
    rebuild_now(conn, in_place=in_place)
    filled.conversation(filled.agent("later"), "4915")
    refresh_now(conn)
    assert (document(conn, "later", "4915") or {}).get("name") == "Ann"


def test_a_dead_letter_tried_again_while_a_swap_is_at_its_end_does_not_come_back(
    filled: Platform, database: Database
) -> None:
    conn = filled.conn
    conn.execute(
        "INSERT INTO projector.dead_letters (kind, key, user_id, error, attempts, first_failed_at, retry_at)"
        " VALUES ('reload_conversations', %s, 'one', 'failed once', 1, now(), now())",
        (_conversation(conn, "one"),),
    )
    with rebuilding(database, "swapped") as rebuild_under_way:
        rebuild_under_way.reach("swapped")
        conn.execute("SET lock_timeout = '100ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            conn.execute("UPDATE projector.dead_letters SET attempts = 2")
        conn.execute("SET lock_timeout = 0")
        rebuild_under_way.finish()
    assert retry_dead_letters(conn, due_only=False) == 0
    assert value(conn, "SELECT sum(dead_letters) FROM read_model.tenants") == 0
    assert_exact(conn)


@pytest.mark.parametrize("point", ["replaying", "indexed", "caught up"])
def test_migrate_during_a_rebuild_leaves_both_whole(filled: Platform, database: Database, point: str) -> None:
    conn = filled.conn
    with rebuilding(database, point) as rebuild_under_way:
        rebuild_under_way.reach(point)
        with database.connect() as own:
            migrate(own, create_source=False)
        filled.message(_conversation(conn, "one"), "during")
        refresh_now(conn)
        rebuild_under_way.finish()
    assert texts(conn, "one", "4915") == ["before", "during"]
    assert_exact(conn)


# What X-Data-As-Of says.


def test_freshness_claims_nothing_of_a_shard_that_was_never_refreshed(platform: Platform) -> None:
    conn = platform.conn
    platform.tenant("one")
    agent = platform.agent("one", shard=0)
    refresh_now(conn)
    rebuild(conn, tenants=None, progress=QUIET)
    conn.execute("TRUNCATE read_model.freshness")
    rebuild_now(conn)
    platform.conversation(agent, "1", shard=0)
    platform.conversation(agent, "4915", shard=3)
    committed_at = value(conn, "SELECT clock_timestamp()")
    batch_of(conn, 0)
    as_of = value(conn, "SELECT min(as_of) FROM read_model.freshness")
    assert as_of is None or as_of < committed_at
    assert document(conn, "one", "4915") is None


def test_as_of_of_a_new_read_model_is_the_start_of_its_rebuild(platform: Platform) -> None:
    conn = platform.conn
    conn.execute("TRUNCATE read_model.freshness")
    before = value(conn, "SELECT clock_timestamp()")
    rebuild_now(conn)
    after = value(conn, "SELECT clock_timestamp()")
    assert value(conn, "SELECT cardinality(shards) FROM read_model.freshness") == 4
    assert before < value(conn, "SELECT min(as_of) FROM read_model.freshness") < after
