"""An installation of the version before: `migrate` gives it the tables of today, and it stays exact.

data/version_0_1.sql is a dump of such a database (pg_dump --inserts): some leads, changes that wait, a dead letter,
and what a killed rebuild of that version left.
"""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.pq import ExecStatus, PGconn, abc
from psycopg.rows import TupleRow

from api.app import create_app
from api.config import Config
from projector.database import locks
from projector.database.schema import sections
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import read_status
from projector.observe.status.read import RowSecurity
from projector.operate.dependents import Dependent, find_dependents
from projector.operate.install import migrate
from projector.operate.uninstall import uninstall
from projector.report.errors import DependentsError, NotInstalledError
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.sweep.verify import verify
from tests.conftest import MakeDatabase
from tests.exactness.interleaving import Stepped, batch_of
from tests.exactness.platform import (
    Platform,
    assert_at_rest,
    assert_exact,
    rebuild_now,
    refresh_now,
    value,
    waiting,
)
from tests.oracle import differences_of_tables, expected_tables, read_model, read_tables
from tests.oracle.tables import Table
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

STATEMENTS = Path(__file__).parent / "data" / "version_0_1_statements.json"
"""What the API of that version asked for each kind of request, as it prepared it, recorded over the dump."""

DUMP = Path(__file__).parent / "data" / "version_0_1.sql"

RENAMED = {
    "lead_stats": "lead_counts",
    "lead_day_stats": "lead_daily_counts",
    "lead_span_stats": "lead_totals",
}


@pytest.fixture
def older(make_database: MakeDatabase) -> Database:
    """A database of the version before, as its own projector left it."""
    made = make_database(None)
    with psycopg.connect(made.url, autocommit=True) as conn:
        if conn.execute("SELECT FROM pg_roles WHERE rolname = 'leads_api'").fetchone() is None:
            conn.execute("CREATE ROLE leads_api NOLOGIN")
        conn.execute(DUMP.read_bytes())
        conn.execute("SELECT set_config('search_path', 'public', false)")
        _complete_source_tables(conn)
        # Loaded from a dump, the triggers have other ids: here they count as installed in this database.
        conn.execute(
            "UPDATE projector.capture_triggers AS e SET fingerprint = n.fingerprint"
            " FROM projector.capture_fingerprints AS n"
            " WHERE (n.table_name, n.trigger_name) = (e.table_name, e.trigger_name)"
        )
    return made


def _complete_source_tables(conn: Connection) -> None:
    """Give the platform's tables the columns that today's projection reads: the platform has them before `migrate`."""
    conn.execute("CREATE SCHEMA today")
    conn.execute("SET search_path = today")
    conn.execute(sections()["source"])
    conn.execute("SET search_path = public")
    missing = conn.execute(
        "SELECT format('ALTER TABLE public.%I ADD COLUMN %I %s', c.relname, a.attname,"
        "  format_type(a.atttypid, a.atttypmod))"
        " FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relnamespace = 'today'::regnamespace AND c.relkind = 'r' AND NOT EXISTS ("
        "  SELECT FROM pg_attribute AS o"
        "  WHERE o.attrelid = format('public.%I', c.relname)::regclass AND o.attname = a.attname)"
    ).fetchall()
    for (command,) in missing:
        conn.execute(command)
    conn.execute("DROP SCHEMA today CASCADE")


@pytest.fixture
def conn(older: Database) -> Iterator[Connection]:
    with older.connect() as own:
        yield own


@pytest.fixture
def assert_exact_before_rebuild(conn: Connection) -> Callable[[], None]:
    """A check for the time before the rebuild: all is exact but the fields that the version before did not have."""
    older_columns = set(
        conn.execute(
            "SELECT attrelid, attnum FROM pg_attribute JOIN pg_class AS c ON c.oid = attrelid"
            " WHERE c.relnamespace = 'read_model'::regnamespace AND c.relkind = 'r' AND attnum > 0"
        )
    )
    documents = [document for (document,) in conn.execute("SELECT document::json FROM read_model.leads")]
    printed = {
        key for document in documents for part in (document, *document["conversations"]) for key in part
    }

    def without_new_fields(tables: dict[str, Table], new: set[tuple[str, str]]) -> dict[str, Table]:
        return {
            table: {
                key: {
                    column: _only(printed, value) if column == "document" else value
                    for column, value in row.items()
                    if (table, column) not in new
                }
                for key, row in rows.items()
            }
            for table, rows in tables.items()
        }

    def check() -> None:
        assert_at_rest(conn)
        # A column that was renamed has its number still.
        new = {
            (table, column)
            for table, column, *number in conn.execute(
                "SELECT c.relname::text, attname::text, attrelid, attnum FROM pg_attribute"
                " JOIN pg_class AS c ON c.oid = attrelid"
                " WHERE c.relnamespace = 'read_model'::regnamespace AND attnum > 0 AND NOT attisdropped"
            )
            if tuple(number) not in older_columns
        }
        found = differences_of_tables(
            without_new_fields(expected_tables(read_model(conn)), new),
            without_new_fields(read_tables(conn), new),
        )
        assert not found, "\n".join(found[:20])
        report = verify(conn, tenants=None, sample=None, heal=False, progress=QUIET)
        names = {column for _, column in new}
        # The fields of the documents are compared above.
        drifts = [
            drift
            for drift in report.drifts
            if not drift.field.startswith("document") and drift.field.rpartition(".")[2] not in names
        ]
        assert (drifts, report.left_out) == ([], 0)

    return check


def _only(keys: set[str], value: Any) -> Any:  # noqa: ANN401  # Whatever JSON can hold.
    """The value without the fields of its objects that have other keys."""
    if isinstance(value, dict):
        return {key: _only(keys, inner) for key, inner in value.items() if key in keys}
    if isinstance(value, list):
        return [_only(keys, inner) for inner in value]
    return value


def migrate_now(database: Database) -> list[str]:
    """Migrate, as the command line does it."""
    with database.connect() as own:
        return migrate(own, create_source=False)


def structure(conn: Connection) -> dict[str, list[tuple[object, ...]]]:
    """Every table of ours with its columns in order, indexes, constraints, settings and comments; every function."""
    tables = conn.execute(
        "SELECT c.oid::regclass::text, c.reloptions, c.relreplident::text, obj_description(c.oid),"
        " ARRAY(SELECT (attname, atttypid::regtype, attnotnull, attcollation::regcollation,"
        "   pg_get_expr(d.adbin, d.adrelid), attidentity, attstorage, col_description(c.oid, attnum))::text"
        "  FROM pg_attribute LEFT JOIN pg_attrdef AS d ON d.adrelid = attrelid AND d.adnum = attnum"
        "  WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped ORDER BY attnum),"
        " ARRAY(SELECT pg_get_indexdef(i.indexrelid) FROM pg_index i WHERE i.indrelid = c.oid ORDER BY 1),"
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
    migrate_now(older)
    migrated, fresh = structure(conn), structure(connection)
    for kind, rows in fresh.items():
        for row, expected in zip(migrated[kind], rows, strict=True):
            assert row == expected, kind


def test_it_refreshes_rebuilds_and_verifies(
    older: Database, conn: Connection, assert_exact_before_rebuild: Callable[[], None]
) -> None:
    queued = len(waiting(conn))
    migrate_now(older)
    assert len(waiting(conn)) == queued
    assert "resync" not in {kind for kind, _ in waiting(conn)}
    refresh_now(conn)
    # What the version before has built is right, and the rows that waited are brought in: no rebuild was needed
    # for that.
    assert value(conn, "SELECT version FROM read_model.projection") == "2"
    assert_exact_before_rebuild()
    Platform(conn).tenant("new")
    conn.execute("UPDATE conversations SET customer_phone = '+1 ' || customer_phone")
    refresh_now(conn)
    assert_exact_before_rebuild()
    recovery.heal(conn, progress=QUIET)
    assert value(conn, "SELECT version FROM read_model.projection") == PROJECTION_VERSION
    assert_exact(conn)


def test_a_row_that_moves_after_it_leaves_its_old_lead(older: Database, conn: Connection) -> None:
    migrate_now(older)
    refresh_now(conn)
    conn.execute("UPDATE conversations SET customer_phone = 'moved-' || conversation_id")
    conn.execute("UPDATE contacts SET phone = '+49 40 ' || right(contact_id, 4)")
    refresh_now(conn)
    assert_exact(conn)


def test_a_second_migrate_changes_nothing(older: Database, conn: Connection) -> None:
    migrate_now(older)
    once = structure(conn)
    assert migrate_now(older) == []
    assert structure(conn) == once


def test_the_api_answers_at_once_and_the_old_names_stay_readable(older: Database, conn: Connection) -> None:
    before = {name: _rows(conn, name) for name in RENAMED}
    migrate_now(older)
    assert {name: _rows(conn, name) for name in RENAMED} == before
    for name in RENAMED:
        for role in ("leads_api", "pg_read_all_stats") if name == "lead_stats" else ("leads_api",):
            assert value(conn, "SELECT has_table_privilege(%s, %s, 'SELECT')", role, f"read_model.{name}")
    [tenant, *_] = value(conn, "SELECT array_agg(DISTINCT user_id) FROM read_model.leads")
    app = create_app(Config(older.url, rate_limit="", log_level="ERROR"))
    client = app.test_client()
    for path in ("", "?lead_status=Hot", "?days=400&has_email=true", "/stats"):
        assert client.get(f"/users/{tenant}/leads{path}").status_code == 200, path
    app.extensions["leads_database"].engine.dispose()


def test_each_statement_of_the_older_api_answers_until_it_is_restarted(
    older: Database, conn: Connection
) -> None:
    """In a session that prepared it before the migrate, and in a new one, with the data of before."""
    statements = json.loads(STATEMENTS.read_text("utf-8"))
    with older_api(older) as session:
        before = [
            answers(session, number, statement, is_new=True) for number, statement in enumerate(statements)
        ]
        assert all(before)
        migrate_now(older)
        with older_api(older) as new_session:
            for number, statement in enumerate(statements):
                assert answers(session, number, statement) == before[number], statement["request"]
                assert answers(new_session, number, statement, is_new=True) == before[number], statement[
                    "request"
                ]
            # The new projector serves it too, while and after it brings the leads to its version.
            refresh_now(conn)
            recovery.heal(conn, progress=QUIET)
            for number, statement in enumerate(statements):
                for asked in (session, new_session):
                    assert answers(asked, number, statement), statement["request"]


def test_the_statements_of_the_older_api_read_every_table_that_it_had(conn: Connection) -> None:
    read = set(re.findall(r"read_model\.(\w+)", STATEMENTS.read_text("utf-8")))
    tables = conn.execute("SELECT tablename::text FROM pg_tables WHERE schemaname = 'read_model'").fetchall()
    assert {name for (name,) in tables} <= read


@contextmanager
def older_api(database: Database) -> Iterator[abc.PGconn]:
    """A session with the settings that the API of that version gave its own."""
    options = " ".join(
        f"-c {setting}"
        for setting in (
            "role=leads_api",
            "default_transaction_read_only=on",
            "TimeZone=UTC",
            "DateStyle=ISO",
            "plan_cache_mode=force_generic_plan",
            "enable_seqscan=off",
            "enable_sort=off",
        )
    )
    session = PGconn.connect(psycopg.conninfo.make_conninfo(database.url, options=options).encode())
    try:
        yield session
    finally:
        session.finish()


def answers(
    session: abc.PGconn, number: int, statement: dict[str, Any], *, is_new: bool = False
) -> list[tuple[bytes | None, ...]]:
    """The rows of a statement, which is prepared in the session, or already was."""
    name = f"statement_{number}".encode()
    if is_new:
        prepared = session.prepare(name, statement["text"].encode(), statement["types"])
        assert prepared.status == ExecStatus.COMMAND_OK, (statement["request"], prepared.get_error_message())
    result = session.exec_prepared(name, [value.encode() for value in statement["values"]])
    assert result.status == ExecStatus.TUPLES_OK, (statement["request"], result.get_error_message())
    return [
        tuple(result.get_value(row, column) for column in range(result.nfields))
        for row in range(result.ntuples)
    ]


TENANT_NAMES = ("leads", "lead_profiles", "lead_profiles_of_tenant", "lead_messages", "lead_totals", *RENAMED)


def test_the_api_of_today_is_filtered_while_the_older_one_may_still_run(
    older: Database, conn: Connection
) -> None:
    """It names a tenant from its first statement on, and no name of before is a way around."""
    conn.execute("INSERT INTO users (user_id) VALUES ('another')")
    conn.execute(
        "INSERT INTO phone_numbers (id, user_id, platform) VALUES ('another', 'another', 'whatsapp');"
        "INSERT INTO agents (agent_id, user_id, phone_number_id) VALUES ('another', 'another', 'another');"
        "INSERT INTO conversations (conversation_id, agent_id, customer_phone) VALUES ('another', 'another', '49')"
    )
    migrate_now(older)
    recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    everything = {name: _tenants(conn, name) for name in TENANT_NAMES if name != "lead_profiles_of_tenant"}
    assert {name for name, found in everything.items() if len(found) < 2} <= {"lead_day_stats"}, everything
    with older.connect() as api:
        api.execute("SET ROLE leads_api")
        api.execute("SET row_security = on")
        for name, found in everything.items():
            assert _tenants(api, name) == found
        api.execute("SET leads.user_id = ''")
        for name in TENANT_NAMES:
            assert _tenants(api, name) == set(), name
        tenant = min(everything["lead_messages"])
        api.execute(f"SET leads.user_id = '{tenant}'".encode())
        for name in TENANT_NAMES:
            assert _tenants(api, name) == {tenant}, name
        # Neither of these makes it a session that never named one.
        for command in ("RESET leads.user_id", "RESET ALL", "SET leads.user_id TO DEFAULT"):
            api.execute(command.encode())
            assert _tenants(api, "leads") == set(), command
    assert read_status(conn).row_security == RowSecurity(
        9, None, None, lets_older_api_pass=True, database_name=older.name
    )
    app = create_app(Config(older.url, rate_limit="", log_level="ERROR"))
    assert app.test_client().get("/health/ready").status_code == 200
    with app.extensions["leads_database"].engine.raw_connection().cursor() as cursor:
        cursor.execute("SELECT count(*) FROM read_model.leads")
        assert cursor.fetchone() == (0,)
    app.extensions["leads_database"].engine.dispose()


def test_row_security_is_strict_once_the_older_api_is_not_expected(older: Database, conn: Connection) -> None:
    """What the next version does."""
    migrate_now(older)
    migrate_now(older)
    assert value(conn, "SELECT bool_and(lets_older_api_pass) FROM read_model.row_security") is True
    conn.execute("DROP VIEW read_model.lead_stats")
    migrate_now(older)
    assert value(conn, "SELECT bool_or(lets_older_api_pass) FROM read_model.row_security") is False
    assert value(conn, "SELECT count(problem) FROM read_model.row_security") == 0
    conn.execute("SET ROLE leads_api")
    conn.execute("SET row_security = on")
    assert _tenants(conn, "leads") == set()
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        conn.execute("SELECT FROM read_model.lead_profiles")


def _tenants(conn: Connection, name: str) -> set[str]:
    return {tenant for (tenant,) in conn.execute(f"SELECT user_id FROM read_model.{name}".encode())}


@pytest.mark.parametrize("name", RENAMED)
def test_the_rights_to_the_old_names_are_those_of_before(
    older: Database, conn: Connection, name: str
) -> None:
    conn.execute("CREATE ROLE leads_test_reader LOGIN PASSWORD 'x'")
    try:
        conn.execute("GRANT USAGE ON SCHEMA read_model TO leads_test_reader")
        conn.execute(f"GRANT SELECT ON read_model.{name} TO leads_test_reader".encode())
        migrate_now(older)
        # The reader of an old name needs no right to the table that has the rows.
        conn.execute(f"REVOKE SELECT ON read_model.{RENAMED[name]} FROM leads_test_reader".encode())
        for role in ("leads_api", "leads_test_reader"):
            conn.execute(f"SET ROLE {role}".encode())
            assert value(conn, f"SELECT count(*) FROM read_model.{name}") > 0
            conn.execute("RESET ROLE")
        assert (
            value(conn, "SELECT has_table_privilege('leads_api', %s, 'INSERT')", f"read_model.{name}")
            is False
        )
    finally:
        conn.execute("RESET ROLE")
        conn.execute("DROP OWNED BY leads_test_reader")
        conn.execute("DROP ROLE leads_test_reader")


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "CREATE VIEW watch AS SELECT version FROM read_model.projection",
            "rule _RETURN on view watch depends on column",
        ),
        (
            (
                "CREATE FUNCTION watch() RETURNS integer LANGUAGE sql"
                " RETURN (SELECT p.version FROM read_model.projection AS p)"
            ),
            "function watch() depends on column",
        ),
        (
            "CREATE VIEW watch AS SELECT * FROM projector.contact_keys",
            "view watch depends on table projector.contact_keys",
        ),
        (
            "CREATE VIEW watch AS SELECT projector.filled('x')",
            "view watch depends on function projector.filled(text)",
        ),
    ],
)
def test_an_object_of_others_that_stops_the_migrate_is_named_with_what_to_do(
    older: Database, conn: Connection, command: str, said: str
) -> None:
    conn.execute(command.encode())
    before = structure(conn)
    with pytest.raises(DependentsError) as raised:
        migrate_now(older)
    assert str(raised.value).startswith("Nothing was changed, because PostgreSQL says: ")
    assert said in str(raised.value)
    assert "drop it, run migrate again, and create it again afterwards" in str(raised.value)
    assert structure(conn) == before
    conn.execute(f"DROP {command.split()[1]} watch".encode())
    migrate_now(older)


def test_views_on_the_tables_of_before_stay_and_follow(older: Database, conn: Connection) -> None:
    conn.execute("CREATE VIEW day_counts AS SELECT * FROM read_model.lead_day_stats")
    before = value(conn, "SELECT count(*) FROM day_counts")
    migrate_now(older)
    assert value(conn, "SELECT count(*) FROM day_counts") == before > 0


def test_an_uninstall_knows_what_is_ours_before_and_after_the_migrate(
    older: Database, conn: Connection
) -> None:
    """The view of an operator is the only thing that is not; nor are the views that keep the old names."""
    of_operators = [Dependent("view", "public.exported")]
    schemas = ["projector", "read_model"]
    assert find_dependents(conn, schemas) == of_operators
    migrate_now(older)
    assert find_dependents(conn, [*schemas, "leads_sql"]) == of_operators
    conn.execute("DROP VIEW exported")
    uninstall(conn)
    assert value(conn, "SELECT to_regnamespace('read_model') IS NULL") is True


def test_what_an_operator_keeps_in_schemas_of_these_names_stays(older: Database, conn: Connection) -> None:
    conn.execute("CREATE TABLE read_model_old.notes AS SELECT 1 AS kept")
    migrate_now(older)
    conn.execute("CREATE SCHEMA read_model_next; CREATE TABLE read_model_next.leads AS SELECT 2 AS kept")
    migrate_now(older)
    assert value(conn, "SELECT kept FROM read_model_old.notes") == 1
    assert value(conn, "SELECT kept FROM read_model_next.leads") == 2


def _rows(conn: Connection, name: str) -> list[Any]:
    return conn.execute(f"SELECT t::text FROM read_model.{name} AS t ORDER BY 1".encode()).fetchall()


def test_what_a_killed_rebuild_left_goes_and_what_others_made_stays(
    older: Database, conn: Connection
) -> None:
    conn.execute("CREATE VIEW public.archived AS SELECT * FROM read_model_old.lead_messages")
    migrate_now(older)
    for schema, is_there in (("read_model_next", False), ("read_model_old", True)):
        assert value(conn, "SELECT to_regnamespace(%s) IS NOT NULL", schema) is is_there
    assert value(conn, "SELECT count(*) FROM public.archived") == 0
    assert value(conn, "SELECT count(*) FROM public.exported") == value(
        conn, "SELECT count(*) FROM read_model.leads"
    )
    for table in ("replay", "rebuild_tenants", "conversation_keys"):
        assert value(conn, "SELECT to_regclass(%s)", f"projector.{table}") is None


def test_nothing_runs_before_the_migrate(
    older: Database, conn: Connection, assert_exact_before_rebuild: Callable[[], None]
) -> None:
    for run in (refresh_now, rebuild_now, read_status):
        with pytest.raises(NotInstalledError, match="run migrate"):
            run(conn)
    migrate_now(older)
    refresh_now(conn)
    assert_exact_before_rebuild()


def test_the_batch_of_an_older_projector_is_waited_for_and_loses_nothing(
    older: Database, conn: Connection, assert_exact_before_rebuild: Callable[[], None]
) -> None:
    queued = waiting(conn)
    with older.connect() as own, own.transaction(force_rollback=True):
        own.execute(
            "SELECT pg_advisory_xact_lock(%s, shard) FROM generate_series(0, 3) AS shard", (locks.SHARD,)
        )
        own.execute("DELETE FROM projector.changes")
        with Stepped(older, lambda new, _: migrate(new, create_source=False)) as migration:
            migration.waits(conn)
            own.execute("SELECT FROM projector.conversation_keys LIMIT 1")
            own.execute("ROLLBACK")
            own.execute("BEGIN")
            migration.finish()
    assert len(waiting(conn)) == len(queued)
    with pytest.raises(psycopg.errors.UndefinedTable):
        conn.execute("SELECT FROM projector.conversation_keys")
    refresh_now(conn)
    assert_exact_before_rebuild()


def test_a_projector_that_runs_while_another_version_migrates_takes_nothing_more(platform: Platform) -> None:
    conn = platform.conn
    platform.tenant("one")
    agent = platform.agent("one")
    refresh_now(conn)
    conn.execute("UPDATE projector.settings SET value = 'next' WHERE name = 'projection_version'")
    platform.message(platform.conversation(agent, "4915"))
    queued = waiting(conn)
    with pytest.raises(NotInstalledError, match="migrated for next"):
        batch_of(conn, 0)
    assert waiting(conn) == queued


def test_a_migrate_gives_way_to_the_writers_of_the_queue(older: Database, conn: Connection) -> None:
    migrate_now(older)
    conn.execute("ALTER TABLE projector.changes REPLICA IDENTITY DEFAULT")
    identity = "SELECT relreplident::text FROM pg_class WHERE oid = 'projector.changes'::regclass"
    with older.connect() as writer:
        writer.execute("BEGIN")
        writer.execute("UPDATE messages SET text = text || '!'")
        # It does not wait for the end of this transaction, while all other writers would wait behind it.
        migrate_now(older)
        assert value(conn, identity) == "d"
        writer.execute("COMMIT")
    migrate_now(older)
    assert value(conn, identity) == "f"


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
