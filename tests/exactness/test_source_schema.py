"""The schema of the platform's tables: noted by `migrate`, heeded by every command whatever its login looks into."""

from pathlib import Path

import pytest

from projector.capture import control, gaps
from projector.database.rows import Connection
from projector.database.schema import sections
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.operate.install import migrate
from projector.report.errors import SourceMissingError
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.sweep.verify import verify
from tests.exactness.platform import Platform, assert_exact, refresh_now, texts, value
from tests.support.cases import cases
from tests.support.commands import run_command
from tests.support.roles import logins
from tests.support.running import running_scheduler, wait_until
from tests.support.source import SOURCE_TABLES

LOOKING_ELSEWHERE = "?options=-csearch_path%3Delsewhere"


def move(conn: Connection, schema: str) -> None:
    """Move all of the platform's tables into a schema that is new."""
    conn.execute(f"CREATE SCHEMA {schema}".encode())
    for table in SOURCE_TABLES:
        conn.execute(f"ALTER TABLE {table.name} SET SCHEMA {schema}".encode())
    conn.execute(f"SET search_path = {schema}".encode())


def triggers(conn: Connection) -> int:
    return int(value(conn, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads\\_capture\\_%'"))


@cases("command", ["migrate", "migrate --create-source", "refresh", "rebuild", "verify --all", "status"])
def test_a_login_that_does_not_see_the_platforms_tables_works_on_them(
    filled: Platform, tmp_path: Path, command: str
) -> None:
    # A table that the login sees has the name of one of the platform's.
    filled.conn.execute("CREATE SCHEMA IF NOT EXISTS elsewhere")
    filled.conn.execute("CREATE TABLE IF NOT EXISTS elsewhere.messages (LIKE messages)")
    filled.message("c", "newer")
    if command != "refresh":
        refresh_now(filled.conn)
    done = run_command(tmp_path, *command.split(), DATABASE_URL=filled.database.url + LOOKING_ELSEWHERE)
    assert (done.returncode, done.stderr.count("Error")) == (0, 0)
    assert gaps.open_gaps(filled.conn) == []
    tables = "SELECT array_agg(relname::text) FROM pg_class WHERE relnamespace = 'elsewhere'::regnamespace"
    assert value(filled.conn, tables) == ["messages"]
    assert_exact(filled.conn)


def test_capture_is_switched_off_and_on_by_such_a_login(filled: Platform, tmp_path: Path) -> None:
    conn = filled.conn
    url = filled.database.url + LOOKING_ELSEWHERE
    assert run_command(tmp_path, "capture", "off", DATABASE_URL=url).returncode == 0
    assert triggers(conn) == 0
    filled.message("c", "missed")
    assert run_command(tmp_path, "capture", "on", DATABASE_URL=url).returncode == 0
    assert run_command(tmp_path, "refresh", DATABASE_URL=url).returncode == 0
    assert_exact(conn)


def test_tables_that_moved_are_found_by_the_next_migrate_and_by_a_scheduler_that_runs(
    filled: Platform, tmp_path: Path
) -> None:
    conn, url = filled.conn, filled.database.url
    with running_scheduler(url, tmp_path) as scheduler:
        move(conn, "app")
        filled.message("c", "after the move")
        scheduler.wait_for_event("cannot go on for now")
        refused = run_command(tmp_path, "refresh", DATABASE_URL=url)
        assert refused.returncode == 1
        assert "run migrate --source-schema NAME" in refused.stderr
        done = run_command(tmp_path, "migrate", "--source-schema", "app", DATABASE_URL=url)
        assert done.returncode == 0
        wait_until(conn, "capture_gap IS NULL FROM read_model.projection")
        refresh_now(conn)
        assert scheduler.terminate() == 0
    with filled.database.connect() as own:
        assert find_attention(read_status(own)) == []
        refresh_now(own)
        assert verify(own, tenants=None, sample=None, heal=False, progress=QUIET).drifts == []
    assert "after the move" in texts(conn, "one", "4915")


def test_a_migrate_never_turns_to_other_tables_by_itself(filled: Platform, tmp_path: Path) -> None:
    conn = filled.conn
    move(conn, "app")
    # Nor are the extensions where the login looks, and the indexes of a search are made.
    indexes = ["lead_profiles_by_search_text", "lead_profiles_by_search_plain"]
    conn.execute(f"DROP INDEX {', '.join(f'read_model.{name}' for name in indexes)}".encode())
    notices = migrate(conn, create_source=False, source_schemas=["app"])
    assert not any("pg_trgm" in notice for notice in notices)
    assert all(value(conn, "SELECT to_regclass(%s)", f"read_model.{name}") for name in indexes)
    conn.execute("SET search_path = public")
    conn.execute(sections()["source"].encode())
    conn.execute("ALTER TABLE app.contacts RENAME company TO firm")
    refused = run_command(tmp_path, "migrate", DATABASE_URL=filled.database.url)
    assert refused.returncode == 1
    assert "table contacts has no column company. Looked into: app" in refused.stderr
    assert value(conn, "SELECT DISTINCT schema_name FROM projector.source_tables") == "app"
    # It reads another schema only if told to.
    for command in ("migrate --source-schema public", "refresh"):
        assert run_command(tmp_path, *command.split(), DATABASE_URL=filled.database.url).returncode == 0
    assert value(conn, "SELECT count(*) FROM read_model.leads") == 0


def test_types_of_the_source_may_be_in_a_schema_that_nobody_looks_into(filled: Platform) -> None:
    conn = filled.conn
    conn.execute("CREATE SCHEMA types; CREATE EXTENSION citext SCHEMA types")
    conn.execute("ALTER TABLE contacts ALTER name TYPE types.citext, ALTER contact_id TYPE types.citext")
    recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    filled.contact("one", "4915", "Cee")
    refresh_now(conn)
    assert_exact(conn)


def test_a_login_that_may_not_look_into_the_schema_is_told_so(filled: Platform, tmp_path: Path) -> None:
    conn = filled.conn
    move(conn, "app")
    migrate(conn, create_source=False, source_schemas=["app"])
    with logins(conn, "leads_test_monitor"):
        conn.execute("GRANT USAGE ON SCHEMA projector, read_model TO leads_test_monitor")
        conn.execute("GRANT SELECT ON ALL TABLES IN SCHEMA projector, read_model TO leads_test_monitor")
        url = filled.database.by("leads_test_monitor").url
        for command in ("status", "refresh"):
            ran = run_command(tmp_path, command, DATABASE_URL=url)
            assert ran.returncode == 1
            assert "run GRANT USAGE ON SCHEMA app TO leads_test_monitor;" in ran.stderr
        assert gaps.open_gaps(conn) == []


def test_capture_is_switched_off_where_a_table_has_moved_to_and_stays_off(filled: Platform) -> None:
    conn = filled.conn
    conn.execute("CREATE SCHEMA archive; ALTER TABLE contacts SET SCHEMA archive")
    control.switch_off(conn, "import")
    assert triggers(conn) == 0
    with pytest.raises(SourceMissingError, match="table contacts"):
        control.switch_on(conn)
    assert gaps.switched_off(conn) is not None
