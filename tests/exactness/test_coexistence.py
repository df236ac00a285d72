"""What a platform, its operators and their tools do beside the projector, and what must not come of it."""

from collections.abc import Iterator, Sequence

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.capture import functions
from projector.capture.source import SOURCE_TABLES, SourceTable
from projector.core import source_reads
from projector.database.schema import sections
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.sweep.rebuild import rebuild
from projector.sweep.verify import verify
from tests.conftest import MakeDatabase
from tests.exactness.interleaving import Stepped
from tests.exactness.platform import (
    Platform,
    assert_exact,
    rebuild_now,
    refresh_now,
    texts,
    value,
)
from tests.support.server import Database, Server

Connection = psycopg.Connection[TupleRow]

OWNER, READER = "leads_test_owner", "leads_test_reader"


@pytest.fixture
def other(filled: Platform) -> Iterator[Connection]:
    with filled.database.connect() as conn:
        yield conn


@pytest.fixture
def owned(make_database: MakeDatabase, source_template: Database) -> Iterator[tuple[Platform, Database]]:
    """A platform whose tables belong to an ordinary role, which the projector has too, and another who may read."""
    made = make_database(source_template)
    with made.connect() as superuser:
        for role in (OWNER, READER):
            superuser.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'".encode())
        superuser.execute(f'ALTER DATABASE "{made.name}" OWNER TO {OWNER}'.encode())
        superuser.execute(f"GRANT CREATE ON SCHEMA public TO {OWNER}".encode())
        for table in SOURCE_TABLES:
            superuser.execute(f"ALTER TABLE {table.name} OWNER TO {OWNER}".encode())
        try:
            with made.by(OWNER).connect() as conn:
                migrate(conn, create_source=False)
                superuser.execute(sections()["roles"], prepare=False)
                superuser.execute(f"GRANT leads_api TO {READER}".encode())
                platform = Platform(conn)
                platform.tenant("one")
                platform.message(platform.conversation(platform.agent("one"), "4915"), "first")
                rebuild_now(conn)
                yield platform, made.by(READER)
        finally:
            superuser.execute("DROP SCHEMA projector, read_model CASCADE")
            superuser.execute(f"REASSIGN OWNED BY {OWNER} TO CURRENT_USER".encode())
            superuser.execute(f"DROP OWNED BY {OWNER}, {READER}".encode())
            superuser.execute(f"DROP ROLE {OWNER}, {READER}".encode())


def test_a_reader_of_another_role_keeps_its_snapshot(owned: tuple[Platform, Database]) -> None:
    platform, readers = owned
    with readers.connect() as reader:
        # A session of the projector would rather fail than miss rows that a policy hides.
        reader.execute("SET row_security = on")
        reader.execute("SET leads.user_id = 'one'")
        reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        reader.execute("SELECT as_of FROM read_model.freshness")
        rebuild_now(platform.conn)
        assert value(reader, "SELECT count(*) FROM read_model.leads") == 1


def test_rows_that_a_policy_hides_from_the_projector_are_not_taken_for_gone(
    owned: tuple[Platform, Database],
) -> None:
    conn = owned[0].conn
    for command in ("ENABLE ROW LEVEL SECURITY", "FORCE ROW LEVEL SECURITY"):
        conn.execute(f"ALTER TABLE messages {command}".encode())
    conn.execute("SET row_security = on")
    conn.execute("CREATE POLICY none ON messages USING (current_setting('app.who', true) = 'platform')")
    conn.execute("SET app.who = 'platform'")
    conn.execute("UPDATE messages SET text = 'edited'")
    with owned[0].database.connect() as own:
        for run in (refresh_now, rebuild_now):
            with pytest.raises(psycopg.errors.InsufficientPrivilege, match="row-level security"):
                run(own)
    assert texts(conn, "one", "4915") == ["first"]


def test_a_rebuild_by_another_login_leaves_the_tables_to_the_projector(
    owned: tuple[Platform, Database], server: Server
) -> None:
    platform, _ = owned
    url = psycopg.conninfo.make_conninfo(server.url, dbname=platform.database.name)
    with Database(url, platform.database.name).connect() as other:
        rebuild_now(other)
        assert value(other, "SELECT tableowner::text FROM pg_tables WHERE tablename = 'leads'") == OWNER
    refresh_now(platform.conn)
    rebuild_now(platform.conn)


@pytest.mark.parametrize("of", ["ALL TABLES", "TABLES IN SCHEMA read_model"])
def test_a_publication_stops_nothing(filled: Platform, of: str) -> None:
    conn = filled.conn
    conn.execute(f"CREATE PUBLICATION everything FOR {of}".encode())
    for run in (refresh_now, rebuild_now):
        filled.message("c", "published")
        filled.conn.execute("UPDATE contacts SET name = name || 'x'")
        run(conn)
        refresh_now(conn)
        assert_exact(conn)


def test_what_was_truncated_under_another_name_is_gone(filled: Platform) -> None:
    conn = filled.conn
    with conn.transaction():
        conn.execute("ALTER TABLE messages RENAME TO old")
        conn.execute("TRUNCATE old")
        conn.execute("ALTER TABLE old RENAME TO messages")
    refresh_now(conn)
    assert texts(conn, "one", "4915") == []
    assert_exact(conn)


def test_a_table_that_becomes_a_partition_is_captured_again(filled: Platform, other: Connection) -> None:
    conn = filled.conn
    with conn.transaction():
        conn.execute("ALTER TABLE messages RENAME TO legacy")
        conn.execute("CREATE TABLE messages (LIKE legacy INCLUDING DEFAULTS) PARTITION BY RANGE (message_id)")
        conn.execute("CREATE INDEX ON messages (message_id)")
        conn.execute("CREATE INDEX ON messages (conversation_id)")
        conn.execute("ALTER TABLE messages ATTACH PARTITION legacy DEFAULT")
    recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
    filled.message("c", "after")
    refresh_now(other)
    assert "after" in texts(conn, "one", "4915")
    assert_exact(conn)


def test_a_trigger_that_is_switched_off_and_on_during_a_migrate_is_noticed(
    filled: Platform, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = filled.conn
    real = functions.trigger_function
    done: list[SourceTable] = []

    def meanwhile(table: SourceTable, virtual: Sequence[str]) -> psycopg.sql.Composed:
        if not done:
            done.append(table)
            conn.execute("ALTER TABLE messages DISABLE TRIGGER leads_capture_insert")
            filled.message("c", "missed")
            conn.execute("ALTER TABLE messages ENABLE TRIGGER leads_capture_insert")
        return real(table, virtual)

    monkeypatch.setattr(functions, "trigger_function", meanwhile)
    migrate(other, create_source=False)
    recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
    assert "missed" in texts(conn, "one", "4915")
    assert_exact(conn)


@pytest.mark.parametrize("setting", ["quote_all_identifiers = on", "default_transaction_read_only = on"])
def test_a_setting_of_the_database_breaks_no_rebuild(filled: Platform, setting: str) -> None:
    filled.conn.execute(f'ALTER DATABASE "{filled.database.name}" SET {setting}'.encode())
    with filled.database.connect() as own:
        rebuild_now(own)
        refresh_now(own)
    assert_exact(filled.conn)


@pytest.mark.parametrize(
    ("command", "still_there"),
    [
        (
            "ALTER TABLE read_model.leads ENABLE ROW LEVEL SECURITY",
            "relrowsecurity FROM pg_class WHERE oid = {}",
        ),
        (
            "CREATE POLICY p ON read_model.leads USING (true)",
            "count(*) = 1 FROM pg_policy WHERE polrelid = {} AND polname = 'p'",
        ),
        (
            "CREATE TRIGGER t BEFORE UPDATE ON read_model.leads FOR EACH ROW WHEN (false) EXECUTE FUNCTION {}()",
            "count(*) = 1 FROM pg_trigger WHERE tgrelid = {} AND tgname = 't'",
        ),
        (
            "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT count(*) FROM read_model.leads; END",
            "f() = 1",
        ),
        (
            "CREATE FUNCTION f() RETURNS SETOF read_model.leads LANGUAGE sql AS 'SELECT * FROM read_model.leads'",
            "count(*) = 1 FROM f()",
        ),
        (
            "CREATE TABLE t (id text); CREATE POLICY p ON t USING (id IN (SELECT user_id FROM read_model.leads))",
            "count(*) = 1 FROM pg_policy WHERE polname = 'p'",
        ),
        (
            "CREATE VIEW keys AS SELECT * FROM projector.source_keys",
            "count(*) > 0 FROM keys",
        ),
        (
            "GRANT SELECT (user_id) ON read_model.leads TO pg_monitor",
            "count(*) = 1 FROM pg_attribute WHERE attrelid = {} AND attacl IS NOT NULL",
        ),
        (
            "CREATE RULE r AS ON DELETE TO read_model.leads WHERE false DO INSTEAD NOTHING",
            "count(*) = 1 FROM pg_rewrite WHERE ev_class = {}",
        ),
        (
            "CREATE STATISTICS s ON user_id, customer_phone FROM read_model.leads",
            "count(*) = 1 FROM pg_statistic_ext WHERE stxrelid = {}",
        ),
        (
            "CREATE TABLE heir () INHERITS (read_model.leads)",
            "count(*) = 1 FROM pg_inherits WHERE inhparent = {}",
        ),
        (
            "CREATE TABLE other (leads read_model.leads[])",
            "count(*) = 1 FROM pg_attribute WHERE attrelid = 'other'::regclass AND attname = 'leads'",
        ),
    ],
    ids=[
        "row security",
        "policy",
        "trigger",
        "function",
        "function of its type",
        "policy of another table",
        "view of the keys",
        "right to a column",
        "rule",
        "statistics",
        "heir",
        "column of its type",
    ],
)
def test_what_hangs_on_the_read_model_is_there_after_rebuilds(
    filled: Platform, command: str, still_there: str
) -> None:
    conn = filled.conn
    conn.execute(command.format("suppress_redundant_updates_trigger").encode())
    for _ in range(2):
        rebuild_now(conn)
    leads = "'read_model.leads'::regclass"
    assert value(conn, f"SELECT {still_there.format(leads)}") is True
    assert_exact(conn)


@pytest.mark.parametrize(
    ("work", "first", "second"),
    [
        ("verify", "messages", "conversations"),
        ("verify", "templates", "agents"),
        ("verify of a sample", "agents", "conversations"),
        ("verify", "contacts", "templates"),
        ("first build", "messages", "conversations"),
        ("rebuild of a tenant", "agents", "conversations"),
        ("rebuild of a tenant", "template_sends", "templates"),
        ("rebuild in place", "contacts", "agents"),
        ("rebuild in place", "template_sends", "templates"),
    ],
)
def test_the_platform_never_waits_for_somebody_who_waits_for_it(
    filled: Platform, other: Connection, work: str, first: str, second: str
) -> None:
    """It changes one table after the other, and the projector reads them in another order."""

    def read(own: Connection, _: object) -> None:
        if work.startswith("verify"):
            sample = 100 if work == "verify of a sample" else None
            verify(own, tenants=None, sample=sample, heal=False, progress=QUIET)
        elif work == "first build":
            rebuild_now(own, first=True)
        else:
            tenants = ["one"] if work == "rebuild of a tenant" else None
            rebuild(own, tenants=tenants, progress=QUIET)

    # Sooner than PostgreSQL looks for a deadlock: whoever looked first would be ended. On a busy machine both would
    # look late, and the test is about who gives way, so PostgreSQL does not look at all.
    assert value(other, "SELECT %s::interval < '1 s'", source_reads.SOURCE_LOCK_TIMEOUT)
    other.execute(f"ALTER DATABASE \"{filled.database.name}\" SET deadlock_timeout = '1h'".encode())
    other.execute("BEGIN")
    other.execute("SET LOCAL deadlock_timeout = '1h'")
    other.execute(f"ALTER TABLE {first} ADD COLUMN further integer".encode())
    with Stepped(filled.database, read) as reading:
        reading.waits(filled.conn)
        other.execute(f"ALTER TABLE {second} ADD COLUMN further integer".encode())
        other.execute("COMMIT")
        reading.finish()
    assert reading.error is None
    assert_exact(filled.conn)
