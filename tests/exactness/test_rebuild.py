"""Rebuilds of everything beside writers, refreshes, readers and migrate: the first build, and in place."""

from collections.abc import Iterator, Sequence
from itertools import product

import pytest

from projector.capture import gaps
from projector.core.dead_letters import retry_all_dead_letters
from projector.database import retry
from projector.database.rows import Connection
from projector.model.leads import TABLES
from projector.operate.install import migrate
from projector.report.errors import BlockedError, NotInstalledError
from projector.report.progress import QUIET
from projector.sweep import fill, recovery
from projector.sweep import rebuild as in_place
from projector.sweep.compare import find_candidates
from projector.sweep.leads import LeadKey
from projector.sweep.pieces import REBUILD, begin_sweep
from tests.exactness.feed_copy import serving
from tests.exactness.interleaving import (
    FIRST_BUILD_POINTS,
    Stepped,
    batch_of,
    rebuilding,
    wait_for,
)
from tests.exactness.platform import (
    Platform,
    assert_exact,
    differences,
    document,
    forget_build,
    put_back,
    rebuild_now,
    refresh_now,
    texts,
    value,
    waiting,
)
from tests.exactness.test_upgrade import structure
from tests.support.cases import cases
from tests.support.points import at_points
from tests.support.server import Database

HOW = FIRST, _ = ("first build", "in place")
MASS_CHANGES = (
    "UPDATE agents SET name = 'Renamed'",
    "UPDATE agents SET user_id = 'two'",
    "UPDATE phone_numbers SET platform = 'webchat'",
    "UPDATE templates SET user_id = 'two'",
    "TRUNCATE messages",
    "TRUNCATE conversations CASCADE",
    "TRUNCATE users CASCADE",
)


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


def spoil(conn: Connection) -> None:
    """Make every lead differ from the definition, so that a rebuild in place writes all of them."""
    conn.execute("UPDATE read_model.leads SET document = '{}'")


def _conversation(conn: Connection, tenant: str) -> str:
    query = "SELECT conversation_id FROM conversations JOIN agents USING (agent_id) WHERE user_id = %s"
    return str(value(conn, query, tenant))


# What changes meanwhile.


@pytest.fixture
def unbuilt(filled: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """The same, never built, with more leads; a first build fills two leads at once."""
    for number in range(5):
        for tenant in ("one", "two"):
            filled.message(filled.conversation(filled.agent(tenant), str(number + 1)), "before")
    monkeypatch.setattr(fill, "FILL_LEADS", 2)
    forget_build(filled.conn)
    return filled


@cases("point", FIRST_BUILD_POINTS)
def test_a_refresh_leaves_what_changes_to_the_end_of_the_first_build(
    unbuilt: Platform, database: Database, point: str
) -> None:
    conn = unbuilt.conn
    put_back(conn)
    forget_build(conn)
    unbuilt.message(_conversation(conn, "one"), "contained")
    with rebuilding(database, point) as build:
        unbuilt.message(_conversation(conn, "one"), "during")
        conn.execute("DELETE FROM users WHERE user_id = 'two'")
        queued = waiting(conn)
        with pytest.raises(BlockedError, match="The first build goes on"):
            recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET, queue_limit=0)
        assert batch_of(conn, 0).owned == ()
        assert waiting(conn) == queued != []
        build.finish()
    assert waiting(conn) == queued
    refresh_now(conn)
    assert texts(conn, "one", "4915") == ["before", "contained", "during"]
    assert document(conn, "two", "4915") is None
    assert_exact(conn)


@cases(
    ("point", "count"),
    [("keys", 1), ("keys", 3), ("filled", 2), ("written", 3), ("indexed", 1), ("statistics", 1)],
)
def test_a_first_build_goes_on_where_it_ended_and_fills_no_lead_twice(
    unbuilt: Platform, point: str, count: int
) -> None:
    """Changes that came between stay in the queue, and all indexes are there."""
    conn = unbuilt.conn
    put_back(conn)
    indexes = "SELECT array_agg(indexdef ORDER BY indexdef) FROM pg_indexes WHERE schemaname = 'read_model'"
    before = value(conn, indexes)
    forget_build(conn)
    last = value(
        conn, "SELECT conversation_id FROM conversations WHERE customer_phone = '5' ORDER BY 1 DESC LIMIT 1"
    )
    move = "UPDATE conversations SET customer_phone = %s WHERE conversation_id = %s"
    points: list[str] = []
    kills: list[str] = []
    late: list[int] = []

    def end(reached: str) -> None:
        points.append(reached)
        if points.count(point) == count and len(kills) == 0:
            kills.append(point)
            raise ZeroDivisionError
        if reached == "indexed":
            late.append(value(conn, "SELECT count(*) FROM projector.late_keys"))
            # It is back where the key phase found it.
            conn.execute(move, ("5", last))

    with at_points(end):
        with pytest.raises(ZeroDivisionError):
            rebuild_now(conn)
        assert value(conn, "SELECT built_at IS NULL FROM read_model.projection")
        conn.execute(move, ("1", last))
        conn.execute("UPDATE agents SET name = 'Renamed'")
        conn.execute("DELETE FROM conversations WHERE customer_phone = '4'")
        unbuilt.message(_conversation(conn, "one"), "between")
        conn.execute("UPDATE projector.changes SET bulk = true")
        with pytest.raises(NotInstalledError, match="never built"):
            refresh_now(conn)
        recovery.heal(conn, progress=QUIET, queue_limit=0)
    # Nothing was left out, and each piece of two leads was filled once. The first keys are those of contacts.
    assert {*late} == {0}
    assert points.count("filled") == (5 if (point, count) == ("keys", 1) else 6)
    assert value(conn, indexes) == before
    refresh_now(conn)
    assert_exact(conn)


def test_no_tenant_is_answered_before_the_first_build_has_ended(
    unbuilt: Platform, database: Database
) -> None:
    with serving(database) as api:
        client = api.test_client()
        with rebuilding(database, "indexed") as build:
            answer = client.get("/users/one/leads")
            assert (answer.status_code, answer.headers["X-Error-Code"]) == (503, "not_built")
            build.finish()
        assert client.get("/users/one/leads").status_code == 200
    assert_exact(unbuilt.conn)


def test_what_is_refreshed_between_the_comparison_and_the_writing_is_not_overwritten(
    filled: Platform, database: Database
) -> None:
    conn = filled.conn
    spoil(conn)
    with rebuilding(database, "compared") as rebuild_under_way:
        filled.message(_conversation(conn, "one"), "during")
        conn.execute("DELETE FROM users WHERE user_id = 'two'")
        refresh_now(conn)
        rebuild_under_way.finish()
    assert waiting(conn) == []
    assert texts(conn, "one", "4915") == ["before", "during"]
    assert document(conn, "two", "4915") is None
    assert_exact(conn)


def test_a_rebuild_settles_the_changes_that_waited_before_it_and_no_other(
    filled: Platform, database: Database, reader: Connection
) -> None:
    """A transaction that begins before it and commits in its midst has the lowest id of all."""
    conn = filled.conn
    one, two = (_conversation(conn, tenant) for tenant in ("one", "two"))
    insert = "INSERT INTO messages (message_id, conversation_id, text) VALUES ('early', %s, 'early')"
    reader.execute("BEGIN")
    reader.execute(insert, [one])
    filled.message(two, "waited")
    conn.execute("UPDATE agents SET name = 'Renamed'")
    with rebuilding(database, "compared") as rebuild_under_way:
        reader.execute("COMMIT")
        filled.message(two, "during")
        rebuild_under_way.finish()
    assert waiting(conn) == [("messages", [one]), ("messages", [two])]
    assert "waited" in texts(conn, "two", "4915")
    refresh_now(conn)
    assert texts(conn, "one", "4915") == ["before", "early"]
    assert_exact(conn)


@cases(("how", "statement"), [*product(HOW, MASS_CHANGES)])
def test_a_mass_change_during_a_rebuild_is_not_lost(
    filled: Platform, database: Database, how: str, statement: str
) -> None:
    conn = filled.conn
    put_back(conn)
    filled.send(filled.template("one"), "777")
    refresh_now(conn)
    if how == FIRST:
        forget_build(conn)
    with rebuilding(database, "written" if how == FIRST else "compared") as rebuild_under_way:
        # A piece of the first build has read the tables in its transaction, so that a TRUNCATE waits for its end.
        if how == FIRST and statement.startswith("TRUNCATE"):
            with Stepped(database, lambda own: own.execute(statement.encode())) as change:
                change.waits(conn)
                rebuild_under_way.finish()
                change.finish()
        else:
            conn.execute(statement.encode())
            rebuild_under_way.finish()
    refresh_now(conn)
    assert_exact(conn)


# Rows without a source, keys, versions.


@pytest.mark.parametrize("how", HOW)
def test_a_tenant_whose_leads_a_rebuild_drops_gets_a_new_version(filled: Platform, how: str) -> None:
    conn = filled.conn
    conn.execute("SET session_replication_role = replica")
    conn.execute("ALTER TABLE conversations DISABLE TRIGGER ALL")
    conn.execute("DELETE FROM conversations")
    conn.execute("SET session_replication_role = origin")
    before = value(conn, "SELECT version FROM read_model.tenants WHERE user_id = 'one'")
    rebuild_now(conn, first=how == FIRST)
    assert document(conn, "one", "4915") is None
    assert value(conn, "SELECT version FROM read_model.tenants WHERE user_id = 'one'") > before


# What the platform and operators do to the tables.


@pytest.mark.parametrize(
    "statement", ["ALTER TABLE messages ALTER COLUMN text TYPE varchar(9000)", "TRUNCATE messages"]
)
@pytest.mark.parametrize("how", HOW)
def test_a_table_that_the_platform_rewrites_during_a_rebuild_is_not_taken_for_empty(
    filled: Platform, database: Database, reader: Connection, how: str, statement: str
) -> None:
    conn = filled.conn
    if how == FIRST:
        forget_build(conn)
    else:
        conn.execute("DELETE FROM read_model.lead_messages")
    reader.execute("BEGIN")
    # The snapshot of the rebuild is older than its read of this table, and cannot see rows that were rewritten since.
    reader.execute(statement.encode())
    with rebuilding(database) as rebuild_under_way:
        rebuild_under_way.waits(conn)
        reader.execute("COMMIT")
        rebuild_under_way.finish()
    # TRUNCATE is a change in the queue. ALTER TABLE is not, but the rebuild has read the rows that it wrote.
    if statement.startswith("ALTER"):
        assert differences(conn) == []
    recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
    assert_exact(conn)


@pytest.mark.parametrize("how", HOW)
def test_a_rebuild_leaves_what_hangs_on_its_tables_as_it_was(filled: Platform, how: str) -> None:
    conn = filled.conn
    conn.execute("GRANT INSERT ON read_model.leads TO leads_api")
    conn.execute("CREATE INDEX of_an_operator ON read_model.leads (total_messages)")
    conn.execute("ALTER TABLE read_model.leads REPLICA IDENTITY USING INDEX leads_pkey")
    conn.execute(
        "CREATE TABLE projector.exported (user_id text, customer_phone text, FOREIGN KEY (user_id, customer_phone)"
        " REFERENCES read_model.lead_profiles)"
    )
    before = structure(conn)["tables"]
    rebuild_now(conn, first=how == FIRST)
    rebuild_now(conn)
    assert structure(conn)["tables"] == before
    assert_exact(conn)


def test_a_dead_letter_does_not_survive_the_first_build(filled: Platform) -> None:
    conn = filled.conn
    conn.execute(
        "INSERT INTO projector.dead_letters (kind, key, user_id, error, attempts, first_failed_at, retry_at)"
        " VALUES ('reload_conversations', %s, 'one', 'failed once', 1, now(), now())",
        (_conversation(conn, "one"),),
    )
    conn.execute("UPDATE read_model.tenants SET dead_letters = 1")
    rebuild_now(conn, first=True)
    assert retry_all_dead_letters(conn) == (0, 0)
    assert value(conn, "SELECT sum(dead_letters) FROM read_model.tenants") == 0
    assert_exact(conn)


def test_migrate_waits_for_the_first_build(filled: Platform, database: Database) -> None:
    conn = filled.conn
    forget_build(conn)
    with (
        rebuilding(database, "written") as build,
        Stepped(database, lambda own: migrate(own, create_source=False)) as migration,
    ):
        migration.waits(conn)
        build.finish()
        migration.finish()
    assert_exact(conn)


def test_a_gap_that_is_found_during_the_first_build_is_still_open_afterwards(
    filled: Platform, database: Database
) -> None:
    conn = filled.conn
    forget_build(conn)
    with rebuilding(database, "written") as build:
        gaps.open_gap(conn, "a trigger was dropped")
        build.finish()
    assert value(conn, "SELECT built_at IS NOT NULL AND capture_gap IS NOT NULL FROM read_model.projection")
    assert_exact(conn)


def test_a_rebuild_of_a_replaced_version_writes_nothing_more(filled: Platform, database: Database) -> None:
    conn = filled.conn
    spoil(conn)
    before = value(conn, "SELECT array_agg(document) FROM read_model.leads")
    with rebuilding(database, "compared") as replaced:
        conn.execute("UPDATE projector.settings SET value = 'next' WHERE name = 'installed_version'")
        with pytest.raises(NotInstalledError, match="migrated for next"):
            replaced.finish()
    assert value(conn, "SELECT array_agg(document) FROM read_model.leads") == before


def test_a_table_that_the_platform_holds_while_a_rebuild_writes_is_waited_for(
    filled: Platform, database: Database, reader: Connection
) -> None:
    spoil(filled.conn)
    with rebuilding(database, "compared") as held:
        reader.execute("BEGIN")
        reader.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        held.go_on()
        # More often than a batch is tried again.
        waits: set[object] = set()

        def waits_again() -> bool:
            assert not held.ends(), "the rebuild has given up"
            waits.add(value(filled.conn, "SELECT max(waitstart) FROM pg_locks WHERE pid = %s", held.pid))
            return len(waits - {None}) > retry.TRIES + 1

        wait_for(waits_again)
        reader.execute("COMMIT")
        held.finish()
    assert_exact(filled.conn)


# Pieces.


def test_pieces_across_tenants_cover_every_lead(filled: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    conn = filled.conn
    for number in range(7):
        filled.message(filled.conversation(filled.agent(("one", "two")[number % 2]), str(number + 1)))
    refresh_now(conn)
    monkeypatch.setattr(in_place, "LEADS_PER_SNAPSHOT", 4)
    monkeypatch.setattr(in_place, "VACUUM_ABOVE_LEADS", 0)
    spoil(conn)
    rebuild_now(conn)
    assert_exact(conn)


def test_a_rebuild_of_another_version_is_not_resumed(filled: Platform) -> None:
    conn = filled.conn
    spoil(conn)
    conn.execute(
        "INSERT INTO projector.sweep_positions (purpose, version, phase, after_first)"
        " VALUES ('rebuild', 'another', 'leads', 'zzz')"
    )
    rebuild_now(conn, resume=True)
    assert_exact(conn)


@cases("kept", ("nothing", "read_model.lead_messages", "read_model.lead_conversations"))
def test_a_lead_that_was_missing_altogether_is_not_compared_after_its_keys(
    filled: Platform, monkeypatch: pytest.MonkeyPatch, kept: str
) -> None:
    conn = filled.conn
    compared: list[LeadKey] = []
    for table in ("projector.source_keys", *(table for table in TABLES if ".lead" in table)):
        change = f"UPDATE {table} SET conversation_id = 'gone'" if table == kept else f"DELETE FROM {table}"
        conn.execute(f"{change} WHERE user_id = 'one'".encode())

    def find(conn: Connection, leads: Sequence[LeadKey]) -> list[LeadKey]:
        compared.extend(leads)
        return find_candidates(conn, leads)

    monkeypatch.setattr(in_place, "find_candidates", find)
    rebuild_now(conn)
    assert_exact(conn)
    assert compared == [("one", "4915")] * (kept != "nothing") + [("two", "4915")]
    # This continues a rebuild of another session: what was missing before says nothing about it.
    spoil(conn)
    begin_sweep(conn, REBUILD, "leads")
    rebuild_now(conn, resume=True)
    assert_exact(conn)


def test_a_read_model_without_rows_is_filled_beside_its_readers(filled: Platform, reader: Connection) -> None:
    """As any other that was built: in place."""
    conn = filled.conn
    for table in TABLES:
        conn.execute(f"DELETE FROM {table}".encode())
    with reader.transaction():
        assert value(reader, "SELECT count(*) FROM read_model.leads") == 0
        rebuild_now(conn)
        assert value(reader, "SELECT count(*) FROM read_model.leads") == 2
    assert_exact(conn)


# What X-Data-As-Of says.


def test_freshness_claims_nothing_of_a_shard_that_was_never_refreshed(platform: Platform) -> None:
    conn = platform.conn
    platform.tenant("one")
    agent = platform.agent("one", shard=0)
    refresh_now(conn)
    rebuild_now(conn)
    conn.execute("TRUNCATE read_model.freshness")
    rebuild_now(conn)
    platform.conversation(agent, "1", shard=0)
    platform.conversation(agent, "4915", shard=3)
    committed_at = value(conn, "SELECT clock_timestamp()")
    batch_of(conn, 0)
    as_of = value(conn, "SELECT min(s) FROM read_model.freshness, unnest(shards) AS s")
    assert as_of is None or as_of < committed_at
    assert document(conn, "one", "4915") is None


@cases("how", HOW)
def test_as_of_of_a_new_read_model_is_the_start_of_its_rebuild(platform: Platform, how: str) -> None:
    conn = platform.conn
    conn.execute("TRUNCATE read_model.freshness")
    before = value(conn, "SELECT clock_timestamp()")
    rebuild_now(conn, first=how == FIRST)
    after = value(conn, "SELECT clock_timestamp()")
    assert value(conn, "SELECT cardinality(shards) FROM read_model.freshness") == 4
    assert before < value(conn, "SELECT min(as_of) FROM read_model.freshness") < after
