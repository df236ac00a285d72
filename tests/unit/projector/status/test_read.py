"""What `status` reads from the database."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from projector.core.dead_letters import Retried, retry_dead_letters
from projector.core.refresh import refresh
from projector.database import locks
from projector.observe.status import as_dict, find_attention, read_status, render
from projector.report.progress import QUIET
from tests.support.patience import PATIENCE
from tests.support.running import (
    running_scheduler,
    value,
    wait_for,
    wait_until,
    write_conversations,
)
from tests.support.server import Database
from tests.unit.projector.status.reading import Connection, one_sentence, refresh_now

MakeDatabase = Callable[[Database | None], Database]


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


def test_a_running_scheduler_is_seen(database: Database, built: Connection, tmp_path: Path) -> None:
    assert read_status(built).schedulers.sessions == 0
    with running_scheduler(database.url, tmp_path) as scheduler:
        wait_for(lambda: read_status(built).schedulers.sessions >= 2, "its sessions")
        assert scheduler.terminate() == 0
    assert "none connected" in render(read_status(built))


def test_a_rebuild_of_another_database_is_not_ours(built: Connection, make_database: MakeDatabase) -> None:
    with make_database(None).connect() as holder:
        holder.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
        assert read_status(built).rebuild_state == "none"


def test_the_last_run_of_each_kind_is_told_with_rows_and_seconds(
    database: Database, built: Connection
) -> None:
    write_conversations(built, 1, first=2)
    refresh_now(database)
    runs = {run.kind: run for run in read_status(built).runs}
    assert set(runs) == {"refresh", "rebuild"}
    assert (runs["refresh"].outcome, runs["refresh"].leads) == ("done", 1)
    assert runs["refresh"].seconds > 0
    assert "Last refresh" in render(read_status(built))


def test_sizes_are_of_our_tables(built: Connection) -> None:
    sizes = {size.table_name: size.bytes for size in read_status(built).sizes}
    assert sizes["read_model.leads"] > 0
    assert "projector.changes" in sizes
    assert not [name for name in sizes if not name.startswith(("read_model.", "projector."))]


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


def test_the_scheduler_retries_dead_letters_that_are_due(
    database: Database, built: Connection, tmp_path: Path
) -> None:
    built.execute(
        "ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '49151000002')"
    )
    with running_scheduler(database.url, tmp_path) as scheduler:
        write_conversations(built, 3, first=2)
        wait_until(built, "count(*) = 1 FROM projector.dead_letters")
        wait_until(built, "count(*) = 3 FROM read_model.leads")
        built.execute("ALTER TABLE read_model.leads DROP CONSTRAINT refused")
        built.execute("UPDATE projector.dead_letters SET retry_at = clock_timestamp()")
        wait_until(built, "count(*) = 4 FROM read_model.leads")
        wait_until(built, "count(*) = 0 FROM projector.dead_letters")
        assert scheduler.terminate() == 0


def test_a_table_that_another_session_locks_does_not_block(database: Database, built: Connection) -> None:
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


def test_an_index_that_another_session_locks_does_not_block(database: Database, built: Connection) -> None:
    with database.connect() as other, other.transaction():
        other.execute("DROP INDEX read_model.lead_messages_in_order")
        built.execute(f"SET statement_timeout = '{PATIENCE:.0f}s'".encode())
        assert read_status(built).sizes
