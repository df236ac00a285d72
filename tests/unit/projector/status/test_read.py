"""What `status` reads from the database."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote

import pytest

from projector.core.dead_letters import Retried, retry_dead_letters
from projector.core.refresh import refresh
from projector.database import locks
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import as_dict, find_attention, read_status, render
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.verify import verify
from tests.support.commands import run_command
from tests.support.patience import PATIENCE
from tests.support.running import value, wait_until, write_conversations
from tests.support.server import Database
from tests.unit.projector.status.reading import one_sentence, refresh_now

MakeDatabase = Callable[[Database | None], Database]
STRANGER = "leads_test_stranger"


@pytest.fixture
def stranger(built: Connection) -> Iterator[Database]:
    """The database for a login that has no right but to connect."""
    built.execute(f"CREATE ROLE {STRANGER} LOGIN PASSWORD 'x'".encode())
    try:
        yield Database(url_of(built), built.info.dbname).by(STRANGER)
    finally:
        built.execute(f"DROP ROLE {STRANGER}".encode())


def url_of(conn: Connection) -> str:
    """The address of a connection's database, for another login too."""
    info = conn.info
    host = quote(info.host, safe="")
    return f"postgresql://{info.user}:{info.password}@{host}:{info.port}/{info.dbname}"


def take(conn: Connection, lock_class: int, key: int = 0) -> None:
    conn.execute("SELECT pg_advisory_lock(%s, %s)", (lock_class, key))


def test_queue_and_lag_are_exact(built: Connection) -> None:
    write_conversations(built, 1, first=2)
    write_conversations(built, 1, first=3)
    oldest = value(built, "SELECT min(queued_at) FROM projector.changes")
    asked = value(built, "SELECT clock_timestamp()")
    status = read_status(built)
    answered = value(built, "SELECT clock_timestamp()")
    assert status.queue.changes == 2
    assert status.projection is not None
    assert status.queue.lag is not None
    assert asked <= status.projection.read_at <= answered
    assert asked <= oldest + timedelta(seconds=status.queue.lag) <= answered
    # A refresh ran a moment ago, and cron may start the next.
    assert find_attention(status) == []


def test_a_rebuild_of_another_database_is_not_ours(built: Connection, make_database: MakeDatabase) -> None:
    with make_database(None).connect() as holder:
        holder.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
        assert read_status(built).rebuild_state == "none"


def test_a_dead_letter_is_set_aside_listed_retried_and_gone(database: Database, built: Connection) -> None:
    built.execute(
        "ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '49151000002')"
    )
    write_conversations(built, 3, first=2)
    refresh_now(database)
    # The others went on.
    assert value(built, "SELECT count(*) FROM read_model.leads") == 3
    status = read_status(built)
    [letter] = status.dead_letters
    assert (letter.kind, letter.key, letter.customer_phone) == (
        "reload_conversations",
        "c-u-2",
        "49151000002",
    )
    assert "refused" in letter.error
    assert letter.error.endswith("(sql/refresh/8_write_leads/40_upsert_leads.sql)")
    assert "refresh --retry-failed" in one_sentence(status)
    assert "1 dead letter is set aside: lead 49151000002 of u" in one_sentence(status)
    assert "lead 49151000002 of u" in render(status)
    assert "(tried 1 time)" in render(status)
    assert as_dict(status)["dead_letters"]["count"] == 1
    assert value(built, "SELECT dead_letters FROM read_model.tenants WHERE user_id = 'u'") == 1
    with database.connect() as conn:
        # Not due yet, so it is left alone; tried again it fails again, after a longer pause.
        built.execute(
            "UPDATE projector.dead_letters"
            " SET attempts = 9, retry_at = clock_timestamp() + interval '30 minutes'"
        )
        refresh(conn, retry_failed=False, progress=QUIET)
        assert read_status(built).dead_letters[0].attempts == 9
        again = value(built, "SELECT clock_timestamp()")
        refresh(conn, retry_failed=True, progress=QUIET)
        assert read_status(built).dead_letters[0].attempts == 10
        # Ten seconds, and twice as long after each failure, up to an hour.
        assert value(built, "SELECT retry_at > %s + interval '2560 s' FROM projector.dead_letters", again)
        built.execute("ALTER TABLE read_model.leads DROP CONSTRAINT refused")
        assert retry_dead_letters(conn, due_only=False) == Retried(1, 0)
    assert find_attention(read_status(built)) == []
    assert value(built, "SELECT count(*) FROM read_model.leads") == 4
    assert value(built, "SELECT dead_letters FROM read_model.tenants WHERE user_id = 'u'") == 0


def test_a_table_or_an_index_that_another_session_locks_does_not_block(
    database: Database, built: Connection
) -> None:
    free = {size.table_name: size.bytes for size in read_status(built).sizes}
    built.execute("VACUUM read_model.leads")
    with database.connect() as other, other.transaction():
        other.execute("LOCK TABLE read_model.leads, read_model.lead_messages IN ACCESS EXCLUSIVE MODE")
        other.execute("TRUNCATE read_model.lead_profiles")
        built.execute(f"SET statement_timeout = '{PATIENCE:.0f}s'".encode())
        sizes = {size.table_name: size.bytes for size in read_status(built).sizes}
    assert set(sizes) == set(free)
    assert 0 < sizes["read_model.leads"] <= free["read_model.leads"]
    assert sizes["read_model.tenants"] == free["read_model.tenants"]
    with database.connect() as other, other.transaction():
        other.execute("DROP INDEX read_model.lead_messages_in_order")
        assert read_status(built).sizes


def test_a_rebuild_is_running_or_interrupted_by_who_holds_its_lock(
    database: Database, built: Connection
) -> None:
    built.execute(
        "INSERT INTO projector.runs (kind, started_at, leads, leads_total) VALUES ('rebuild', now(), 250, 1000)"
    )
    built.execute(
        "INSERT INTO projector.sweep_positions (purpose, version, phase) VALUES ('rebuild', %s, 'keys')",
        (PROJECTION_VERSION,),
    )
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
        status = read_status(built)
        assert find_attention(status) == []
        assert as_dict(status)["rebuild"] == {
            "state": "running",
            "leads": 250,
            "leads_total": 1000,
            "percent": 25.0,
        }
        assert "250 of 1,000 customers, 25.0 %" in render(status)
    wait_until(built, "count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    status = read_status(built)
    assert as_dict(status)["rebuild"]["state"] == "interrupted"
    assert "interrupted" in one_sentence(status)


def test_what_differs_is_counted_and_the_first_is_named(database: Database, built: Connection) -> None:
    built.execute("UPDATE read_model.leads SET lead_status = 'Hot', total_score = 4")
    with database.connect() as own:
        verify(own, tenants=None, sample=None, heal=False, progress=QUIET)
    found = read_status(built).verification
    # The lead, and the statistics that count it.
    assert found.drift_total == 2
    assert [(item.kind, item.user_id, item.customer_phone) for item in found.drift] == [
        ("lead", "u", "49151000001"),
        ("statistics", "u", ""),
    ]
    told = as_dict(read_status(built))["verify"]["drift"]
    assert (told["count"], len(told["first"]), told["ended"]) == (2, 2, [])
    assert "total" not in told["first"][0]


def test_nobody_holds_a_lock_at_rest(built: Connection) -> None:
    # Our own locks, and those of others that are no locks of ours, are left out.
    take(built, locks.REBUILD)
    built.execute("SELECT pg_advisory_lock(1, 2), pg_advisory_lock(2010369)")
    assert read_status(built).lock_holders == []
    assert "Locks" not in render(read_status(built))


def test_a_stranger_who_stops_the_projector_is_named(
    built: Connection, stranger: Database, tmp_path: Path
) -> None:
    with stranger.connect(application_name="grab\x1b[31m") as conn:
        pid = conn.info.backend_pid
        for shard in locks.SHARDS:
            take(conn, locks.SHARD, shard)
        take(conn, locks.REBUILD)
        [holder] = read_status(built).lock_holders
        assert (holder.pid, holder.login, holder.is_ours) == (pid, STRANGER, False)
        assert holder.purposes == ["rebuilds", "refreshes"]
        assert holder.since is not None
        sentence = one_sentence(read_status(built))
        assert sentence.startswith(
            f"Process {pid} keeps rebuilds and refreshes waiting: it holds locks of the projector and is no session of"
            f" it (login {STRANGER}, program grab"
        )
        assert f"SELECT pg_terminate_backend({pid});" in sentence
        assert "\x1b" not in sentence
        done = run_command(tmp_path, "--database-url", url_of(built), "status", "--json")
        assert done.returncode == 1
        assert [held["pid"] for held in json.loads(done.stdout)["locks"]] == [pid]


def test_a_definition_that_was_replaced_by_hand_is_named(built: Connection, other: Connection) -> None:
    assert find_attention(read_status(built)) == []
    other.execute(
        "CREATE OR REPLACE FUNCTION projector.format_time(value timestamptz) RETURNS text"
        " LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN 'late'"
    )
    other.execute("CREATE OR REPLACE VIEW read_model.tenant_ids AS SELECT ''::text COLLATE \"C\" AS user_id")
    sentence = one_sentence(read_status(built))
    assert sentence.startswith(
        "Not as `migrate` created it: function projector.format_time(timestamp with time zone), view"
        " read_model.tenant_ids. Rows may be computed by another rule: run `migrate`"
    )
    migrate(other, create_source=False)
    assert find_attention(read_status(built)) == []
