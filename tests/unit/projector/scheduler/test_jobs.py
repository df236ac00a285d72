"""What a clock starts, started here at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import structlog

from projector.core.batch import Batch, refresh_batch
from projector.database import locks
from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.scheduler import jobs as scheduler_jobs
from projector.scheduler import main, pace, refresh
from projector.scheduler.main import Scheduler
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.running import (
    value,
    wait_for,
    wait_until,
    write_conversations,
    write_source,
)
from tests.support.server import Database
from tests.unit.projector.scheduler.running import build, leads, scheduler_of
from tests.unit.projector.test_dead_letters import set_aside


@pytest.fixture
def scheduler(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Scheduler]:
    """The jobs of a scheduler with its own settings."""
    made = scheduler_of(database, monkeypatch, tmp_path)
    yield made
    made.end()


def test_what_a_cron_expression_asks_for_is_done_by_one_of_several(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    long_ago = "UPDATE projector.runs SET started_at = started_at - interval '1 hour'"
    connection.execute(long_ago.encode())
    connection.execute("UPDATE read_model.leads SET total_messages = 7")
    for _ in range(2):
        scheduler = scheduler_of(database, monkeypatch, tmp_path, LEADS_REBUILD_CRON="0 3 * * *")
        assert scheduler.jobs["rebuild"]() is None
        scheduler.end()
    recent = (
        "SELECT count(*) FROM projector.runs"
        " WHERE kind = 'rebuild' AND started_at > now() - interval '30 minutes'"
    )
    assert value(connection, recent) == 1
    assert value(connection, "SELECT total_messages FROM read_model.leads") == 0


def test_a_rebuild_that_another_session_does_is_left_to_it(
    scheduler: Scheduler, connection: Connection
) -> None:
    build(connection)
    connection.execute("DELETE FROM projector.runs")
    connection.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
    scheduler.jobs["rebuild"]()
    assert value(connection, "SELECT count(*) FROM projector.runs") == 0


ROUND = "SELECT coalesce(max(rows_done), -1) FROM projector.verify_rounds"


@pytest.mark.parametrize(
    "reasons",
    [
        {
            "UPDATE read_model.projection SET built_at = NULL": "UPDATE read_model.projection SET built_at = now()",
            "INSERT INTO projector.capture_gaps (reason) VALUES ('queue shed')": "DELETE FROM projector.capture_gaps",
            "INSERT INTO projector.settings (name, value) VALUES ('capture_off', 'import')": (
                "DELETE FROM projector.settings WHERE name = 'capture_off'"
            ),
            "INSERT INTO projector.sweep_positions (purpose, version, phase) VALUES ('rebuild', 'x', 'keys')": (
                "DELETE FROM projector.sweep_positions"
            ),
            "INSERT INTO projector.changes (shard, kind, keys) SELECT 0, 'contacts', '{x}'"
            " FROM generate_series(1, 10001)": "DELETE FROM projector.changes",
            "UPDATE read_model.projection SET version = 'another'": None,
        },
        {"ALTER TABLE messages DISABLE TRIGGER USER": None},
        {"UPDATE projector.settings SET value = 'another' WHERE name = 'installed_version'": None},
    ],
)
def test_while_something_else_explains_what_differs_or_is_more_urgent_nothing_is_verified(
    scheduler: Scheduler, connection: Connection, reasons: dict[str, str | None]
) -> None:
    write_source(connection)
    build(connection)
    for reason, undo in reasons.items():
        assert connection.execute(reason.encode()).statusmessage not in ("UPDATE 0", "INSERT 0 0")
        scheduler.jobs["verify"]()
        assert value(connection, ROUND) == -1, reason
        if undo is not None:
            connection.execute(undo.encode())


def test_a_verify_that_is_switched_off_forgets_its_round(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    for days in ("1", "off"):
        scheduler = scheduler_of(database, monkeypatch, tmp_path, LEADS_VERIFY_DAYS=days)
        scheduler.jobs["verify"]()
        scheduler.end()
        assert value(connection, "SELECT count(*) FROM projector.verify_rounds") == (days == "1")


def test_a_database_that_does_not_answer_is_given_up(
    start_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = start_server(fast=True)
    database = Database(f"{server.url()}?connect_timeout=2", "leads")
    with database.connect() as conn:
        migrate(conn, create_source=True)
    monkeypatch.setattr(main, "SILENT_SECONDS", 0.0)
    scheduler = scheduler_of(database, monkeypatch, tmp_path)
    refresh = scheduler.jobs["refresh"]
    refresh()
    assert refresh.conn is not None
    frozen = [int((server.data / "postmaster.pid").read_text().split()[0]), refresh.conn.info.backend_pid]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        thread = threading.Thread(target=refresh)
        thread.start()
        wait_for(lambda: refresh.is_at_work, "the refresh at work")
        scheduler.watch()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)

    def is_connected() -> bool:
        refresh()
        return refresh.conn is not None

    wait_for(is_connected, "a new connection")
    scheduler.end()


def test_a_long_statement_is_left_alone_while_the_database_answers(
    scheduler: Scheduler, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(connection)
    write_source(connection)
    monkeypatch.setattr(main, "SILENT_SECONDS", 0.0)
    monkeypatch.setattr(main, "WATCH_INTERVAL_SECONDS", 0.02)
    with structlog.testing.capture_logs() as said, scheduler.running():
        with connection.transaction():
            connection.execute("LOCK TABLE read_model.leads IN ACCESS EXCLUSIVE MODE")
            wait_until(connection, "count(*) > 0 FROM pg_locks WHERE NOT granted")
            told = ("still at one statement", "refresh")
            wait_for(lambda: told in [(line["event"], line.get("job")) for line in said], "the watch")
        wait_until(connection, "count(*) = 1 FROM read_model.leads")


def test_a_job_that_is_noted_after_its_turn_does_not_keep_the_scheduler_running(scheduler: Scheduler) -> None:
    """The watch may find it silent while it ends."""
    for job in scheduler.jobs.values():
        job.touch()
    scheduler.end()


def test_new_changes_come_before_the_next_dead_letters(
    scheduler: Scheduler, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh, "TURN_SECONDS", UNREACHED)
    write_source(connection)
    build(connection)
    set_aside(connection, "u", 25)
    left = []
    for number in range(3):
        write_conversations(connection, 1, first=number + 2)
        scheduler.jobs["refresh"]()
        left.append((value(connection, "SELECT count(*) FROM projector.dead_letters"), leads(connection)))
    assert left == [(15, 2), (5, 3), (0, 4)]


def test_an_idle_projector_does_the_upkeep_rarely_unless_something_is_wrong(
    scheduler: Scheduler, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_source(connection)
    build(connection)
    done: list[int] = []
    real = scheduler_jobs.Upkeep.run

    def note(job: scheduler_jobs.Upkeep, conn: Connection) -> float:
        done.append(1)
        return real(job, conn)

    monkeypatch.setattr(scheduler_jobs.Upkeep, "run", note)
    monkeypatch.setattr(scheduler_jobs, "IDLE_UPKEEP_SECONDS", 3600.0)
    monkeypatch.setattr(pace, "IDLE_AFTER_SECONDS", 0.0)
    scheduler.jobs["refresh"]()
    for _ in range(3):
        assert scheduler.jobs["upkeep"]() == scheduler_jobs.UPKEEP_SECONDS
    assert len(done) == 1
    connection.execute("ALTER TABLE public.messages DISABLE TRIGGER USER")
    scheduler.jobs["refresh"]()
    scheduler.jobs["upkeep"]()
    assert len(done) == 2
    scheduler.jobs["refresh"]()
    scheduler.jobs["upkeep"]()
    assert len(done) == 2
    assert value(connection, "SELECT count(*) FROM projector.capture_gaps WHERE healed_at IS NULL") == 0


def test_a_deep_queue_ends_with_the_step_in_which_it_is_told_to(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(connection)
    write_source(connection)
    for number in range(2, 122):
        write_conversations(connection, 1, first=number)
    scheduler = scheduler_of(database, monkeypatch, tmp_path, LEADS_REFRESH_BATCH="10")
    taken: list[int] = []

    def note(conn: Connection, shards: Sequence[int], **options: Any) -> Batch:  # noqa: ANN401
        taken.append(1)
        if len(taken) == 3:
            scheduler.shared.stop.set()
        return refresh_batch(conn, shards, **options)

    monkeypatch.setattr("projector.core.refresh.refresh_batch", note)
    scheduler.jobs["refresh"]()
    scheduler.end()
    left = int(value(connection, "SELECT count(*) FROM projector.changes"))
    assert (left > 0, leads(connection) > 0, len(taken)) == (True, True, 3)


def test_the_scheduler_logs_a_minute_with_the_queue(
    scheduler: Scheduler, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(connection)
    monkeypatch.setattr(refresh, "TALLY_SECONDS", 0.0)
    write_source(connection)
    with structlog.testing.capture_logs() as said:
        scheduler.jobs["refresh"]()
        scheduler.jobs["refresh"]()
        scheduler.end()
    lines = [line for line in said if line["event"] == "refreshed"]
    assert {line["log_level"] for line in lines} == {"info"}
    assert sum(line["changes"] for line in lines) >= 1
    assert max(line["leads"] for line in lines) == 1
    assert min(line["longest_seconds"] for line in lines) > 0
    assert lines[-1]["queue"] == 0


def test_a_job_that_meets_a_migrate_begins_again_and_says_nothing(
    scheduler: Scheduler, connection: Connection, database: Database
) -> None:
    """`migrate` replaces a view after those that it reads; a look locks it before them."""
    build(connection)
    connection.execute(f"ALTER DATABASE \"{database.name}\" SET deadlock_timeout = '500ms'".encode())
    with database.connect() as migrates, structlog.testing.capture_logs() as logged:
        migrates.execute("SET deadlock_timeout = '1h'")
        with migrates.transaction():
            migrates.execute("LOCK TABLE projector.capture_triggers IN ACCESS EXCLUSIVE MODE")
            looks = threading.Thread(target=scheduler.jobs["refresh"])
            looks.start()
            wait_until(connection, "EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
            migrates.execute("ALTER VIEW projector.queue_state OWNER TO CURRENT_USER")
        looks.join()
    assert [line["event"] for line in logged if line["log_level"] in ("warning", "error")] == []
