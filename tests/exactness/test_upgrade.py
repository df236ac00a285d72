"""An installation of an older version: `migrate` gives it the tables of today, and it stays exact."""

from collections.abc import Iterator
from datetime import timedelta
from threading import Event

import pytest

from projector.database import locks
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION, functions
from projector.observe.status.read import read_status
from projector.operate import install
from projector.operate.install import migrate
from projector.operate.uninstall import find_dependents, uninstall
from projector.report.errors import NotInstalledError, ProjectorError
from projector.report.progress import QUIET
from projector.scheduler.refresh import look
from projector.sweep import recovery
from projector.sweep.verify import verify
from tests.conftest import MakeDatabase
from tests.exactness.feed_copy import serving
from tests.exactness.interleaving import Stepped, batch_of
from tests.exactness.older import restored
from tests.exactness.platform import Platform, assert_exact, rebuild_now, refresh_now, value, waiting
from tests.support.patience import PATIENCE
from tests.support.server import Database


@pytest.fixture
def older(make_database: MakeDatabase) -> Database:
    """A database of the oldest version that `migrate` takes over."""
    return restored(make_database)


@pytest.fixture
def conn(older: Database) -> Iterator[Connection]:
    with older.connect() as own:
        yield own


def migrate_now(database: Database) -> list[str]:
    with database.connect() as own:
        return migrate(own, create_source=False)


def structure(conn: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return each table of ours with its rights, columns in order, indexes, constraints, comments; each function."""
    tables = conn.execute(
        "SELECT c.oid::regclass::text, c.relacl::text, c.reloptions, c.relreplident::text, obj_description(c.oid),"
        " ARRAY(SELECT (attname, atttypid::regtype, attnotnull, attcollation::regcollation,"
        "   pg_get_expr(d.adbin, d.adrelid), attidentity, attstorage, col_description(c.oid, attnum))::text"
        "  FROM pg_attribute LEFT JOIN pg_attrdef AS d ON d.adrelid = attrelid AND d.adnum = attnum"
        "  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),"
        " ARRAY(SELECT pg_get_indexdef(i.indexrelid) || i.indisreplident FROM pg_index i WHERE i.indrelid = c.oid"
        "  ORDER BY 1),"
        " ARRAY(SELECT conname || ' ' || pg_get_constraintdef(k.oid) FROM pg_constraint k"
        "  WHERE k.conrelid = c.oid AND k.contype <> 'n' ORDER BY 1)"
        " FROM pg_class c WHERE c.relnamespace IN ('read_model'::regnamespace, 'projector'::regnamespace)"
        " AND c.relkind = 'r' ORDER BY 1"
    ).fetchall()
    routines = conn.execute(
        "SELECT p.oid::regprocedure::text, pg_get_functiondef(p.oid), p.proacl::text FROM pg_proc AS p"
        " WHERE p.pronamespace IN ('read_model'::regnamespace, 'projector'::regnamespace) ORDER BY 1"
    ).fetchall()
    triggers = conn.execute(
        "SELECT tgrelid::regclass::text, tgname::text, tgenabled::text FROM pg_trigger"
        " WHERE tgname LIKE 'leads\\_capture\\_%' ORDER BY 1, 2"
    ).fetchall()
    return {"tables": tables, "routines": routines, "triggers": triggers}


def test_a_migrated_database_has_the_structure_of_a_fresh_one(
    older: Database, conn: Connection, connection: Connection
) -> None:
    schemas = ["projector", "read_model", "leads_sql"]
    assert find_dependents(conn, schemas) == []
    migrate_now(older)
    assert find_dependents(conn, schemas) == []
    migrated, fresh = structure(conn), structure(connection)
    for kind, rows in fresh.items():
        for row, expected in zip(migrated[kind], rows, strict=True):
            assert row == expected, kind
    # A table of the platform that is read for the first time counts as a gap until then.
    recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
    assert migrate_now(older) == []
    assert structure(conn) == migrated
    uninstall(conn)
    assert value(conn, "SELECT to_regnamespace('read_model') IS NULL") is True


def test_the_api_answers_at_once_and_the_rebuild_follows(older: Database, conn: Connection) -> None:
    with pytest.raises(NotInstalledError, match="run migrate"):
        refresh_now(conn)
    queued = len(waiting(conn))
    migrate_now(older)
    assert len(waiting(conn)) == queued > 0
    with serving(older) as app:
        client = app.test_client()
        for path in (
            "leads",
            "leads?lead_status=Hot",
            "leads?days=4000&has_email=true",
            "leads/stats",
            "leads.csv",
        ):
            assert client.get(f"/users/one/{path}").status_code == 200, path
    refresh_now(conn)
    # A row that moves leaves the lead under which the version before knew it.
    conn.execute("UPDATE conversations SET customer_phone = 'moved-' || conversation_id")
    refresh_now(conn)
    recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
    assert value(conn, "SELECT version FROM read_model.projection") == PROJECTION_VERSION
    assert value(conn, "SELECT count(*) FROM projector.sweep_positions") == 0
    assert_exact(conn)


@pytest.mark.parametrize(
    "change",
    [
        "DROP SCHEMA projector CASCADE; CREATE SCHEMA projector",
        "UPDATE projector.settings SET value = '6012a8d7d201' WHERE name = 'projection_version'",
        "ALTER TABLE projector.settings RENAME TO notes",
    ],
    ids=["a read model without its projector", "an older version", "a version without a number"],
)
def test_an_installation_that_cannot_be_taken_over_is_left_as_it_is(
    older: Database, conn: Connection, change: str
) -> None:
    conn.execute(change.encode(), prepare=False)
    before = structure(conn)
    with (
        older.connect() as own,
        pytest.raises(NotInstalledError, match=r"cannot be taken over.* Save the API keys"),
    ):
        migrate(own, create_source=True)
    assert structure(conn) == before


def test_an_object_of_others_that_stops_the_migrate_is_named_with_what_to_do(
    older: Database, conn: Connection
) -> None:
    conn.execute("CREATE VIEW watch AS SELECT key FROM projector.current_keys()")
    before = structure(conn)
    with pytest.raises(ProjectorError) as raised:
        migrate_now(older)
    assert str(raised.value).startswith("Nothing was changed, because PostgreSQL says: ")
    assert "view watch depends on function projector.current_keys()" in str(raised.value)
    assert "drop it, run migrate again, and create it again afterwards" in str(raised.value)
    assert structure(conn) == before
    conn.execute("DROP VIEW watch")
    migrate_now(older)


def test_the_batch_of_an_older_projector_is_waited_for_and_loses_nothing(
    older: Database, conn: Connection
) -> None:
    queued = waiting(conn)
    with older.connect() as own, own.transaction(force_rollback=True):
        own.execute(
            "SELECT pg_advisory_xact_lock(%s, shard) FROM generate_series(0, 3) AS shard", (locks.SHARD,)
        )
        own.execute("DELETE FROM projector.changes")
        with Stepped(older, lambda new: migrate(new, create_source=False)) as migration:
            migration.waits(conn)
            own.execute("ROLLBACK")
            own.execute("BEGIN")
            migration.finish()
    assert len(waiting(conn)) == len(queued)


def test_a_look_that_begins_while_views_are_replaced_does_not_stop_the_migrate(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    begins = Event()

    def look_then(own: Connection) -> object:
        assert begins.wait(PATIENCE)
        return look(own, timedelta(0)).gap

    def read_beside(folder: str) -> dict[str, str]:
        if folder == "install/after_tables":
            begins.set()
            looking.waits(platform.conn)
        return functions(folder)

    monkeypatch.setattr(install, "functions", read_beside)
    monkeypatch.setattr(install, "TABLE_PATIENCE_SECONDS", 0.0)
    # A session that connects during a migrate would wait itself.
    with Stepped(platform.database, look_then) as looking:
        migrate_now(platform.database)
        assert looking.finish() is None


def test_a_projector_that_runs_while_another_version_migrates_takes_nothing_more(platform: Platform) -> None:
    conn = platform.conn
    platform.tenant("one")
    agent = platform.agent("one")
    refresh_now(conn)
    conn.execute("UPDATE projector.settings SET value = 'next' WHERE name = 'installed_version'")
    platform.message(platform.conversation(agent, "4915"))
    queued = waiting(conn)
    with pytest.raises(NotInstalledError, match="migrated for next"):
        batch_of(conn, 0)
    assert waiting(conn) == queued


@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("leads", "document text COLLATE \"C\" NOT NULL DEFAULT ''"),
        ("lead_profiles", 'company text COLLATE "C"'),
        ("lead_conversations", "source_last_message_at timestamptz"),
        ("lead_messages", 'sender text COLLATE "C"'),
    ],
)
def test_the_order_of_columns_does_not_matter(platform: Platform, table: str, column: str) -> None:
    """ALTER TABLE puts a column last, CREATE TABLE where schema.sql has it; and an operator may add one of his own."""
    conn = platform.conn
    platform.tenant("one")
    name = column.split(maxsplit=1)[0]
    conn.execute(f"ALTER TABLE read_model.{table} ADD COLUMN note_of_an_operator text".encode())
    conn.execute(f"ALTER TABLE read_model.{table} DROP COLUMN {name} CASCADE".encode())
    conn.execute(f"ALTER TABLE read_model.{table} ADD COLUMN {column}".encode())
    with platform.database.connect() as own:
        platform.message(platform.conversation(platform.agent("one"), "4915"))
        platform.contact("one", "4915", "Ann")
        refresh_now(own)
        rebuild_now(own)
        rebuild_now(own, first=True)
        assert verify(own, tenants=None, sample=None, heal=False, progress=QUIET).drifts == []
    # The oracle does not know the operator's column.
    conn.execute(f"ALTER TABLE read_model.{table} DROP COLUMN note_of_an_operator".encode())
    assert_exact(conn)


@pytest.mark.parametrize(
    "other",
    [
        "UPDATE projector.settings SET value = %s || '-next' WHERE name = 'installed_version'",
        # As in installations that noted only the projection version.
        "DELETE FROM projector.settings WHERE name = 'installed_version' AND %s <> ''",
    ],
)
def test_other_tables_and_views_ask_for_a_migrate_also_where_leads_are_defined_as_they_are_now(
    platform: Platform, other: str
) -> None:
    """A statement of this program would name a column that is not there, and the message only that column."""
    conn = platform.conn
    conn.execute(other.encode(), (PROJECTION_VERSION,))
    for work in (refresh_now, read_status, lambda own: batch_of(own, 0)):
        with pytest.raises(NotInstalledError, match="run migrate with this program"):
            work(conn)
    migrate_now(platform.database)
    read_status(conn)
    refresh_now(conn)
