"""What a clock starts, started here at once."""

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from projector.database import locks
from projector.database.source_names import SourceCursor
from projector.observe.status import find_attention, read_status, render
from projector.operate.install import migrate
from projector.scheduler import jobs as scheduler_jobs
from projector.scheduler import pace
from projector.sweep import recovery
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.patience import PATIENCE
from tests.support.running import (
    value,
    wait_for,
    wait_until,
    write_conversations,
    write_source,
)
from tests.support.server import Database
from tests.unit.projector.scheduler.running import Connection, build, jobs_of, leads
from tests.unit.projector.test_dead_letters import set_aside
from tests.unit.projector.verify.clock import pass_time


def test_the_run_log_is_pruned_and_old_gaps_too(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    connection.execute(
        "INSERT INTO projector.runs (kind, started_at, outcome)"
        " SELECT 'refresh', clock_timestamp() - make_interval(days => d), 'done' FROM generate_series(0, 20) AS d"
    )
    connection.execute(
        "INSERT INTO projector.capture_gaps (reason, noticed_at, healed_at) VALUES"
        " ('old', now() - interval '20 days', now() - interval '20 days'), ('open', now() - interval '20 days', NULL)"
    )
    jobs = jobs_of(database, monkeypatch, tmp_path, LEADS_RUN_LOG_DAYS="14")
    jobs.workers["prune"]()
    jobs.end()
    assert value(connection, "SELECT count(*) FROM projector.runs") == 14
    assert value(connection, "SELECT string_agg(reason, ',') FROM projector.capture_gaps") == "open"


def test_what_a_cron_expression_asks_for_is_done_by_one_of_several(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    long_ago = "UPDATE projector.runs SET started_at = started_at - interval '1 hour'"
    connection.execute(long_ago.encode())
    connection.execute("UPDATE read_model.leads SET total_messages = 7")
    for _ in range(2):
        jobs = jobs_of(database, monkeypatch, tmp_path)
        jobs.workers["rebuild"]()
        jobs.end()
    recent = (
        "SELECT count(*) FROM projector.runs"
        " WHERE kind = 'rebuild' AND started_at > now() - interval '30 minutes'"
    )
    assert value(connection, recent) == 1
    assert value(connection, "SELECT total_messages FROM read_model.leads") == 0


def test_a_rebuild_that_another_session_does_is_left_to_it(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(connection)
    connection.execute("DELETE FROM projector.runs")
    connection.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
    jobs = jobs_of(database, monkeypatch, tmp_path)
    jobs.workers["rebuild"]()
    jobs.end()
    assert value(connection, "SELECT count(*) FROM projector.runs") == 0


ROUND = "SELECT coalesce(max(rows_done), -1) FROM projector.verify_rounds"


def test_drift_is_found_by_the_verify_of_the_scheduler_within_its_days_and_not_healed(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    write_conversations(connection, 250, first=2)
    build(connection)
    connection.execute("UPDATE read_model.leads SET total_messages = 7 WHERE customer_phone = '49151000251'")
    passed, jobs = 0, jobs_of(database, monkeypatch, tmp_path)
    # By the hour, as a clock that is driven goes; the process is another one each time.
    while not value(connection, "SELECT count(*) FROM projector.verify_rounds WHERE finished_at IS NOT NULL"):
        assert passed <= 24
        jobs.workers["verify"]()
        jobs.end()
        jobs = jobs_of(database, monkeypatch, tmp_path)
        pass_time(connection, 3600)
        passed += 1
    jobs.end()
    assert passed > 12
    status = read_status(connection)
    [sentence] = find_attention(status)
    assert "1 item differs from the source rows, first lead 49151000251 of u (total_messages)" in sentence
    assert "everything: " in render(status)
    assert ", 251 leads, 1 difference" in render(status)
    assert value(connection, "SELECT sum(total_messages) FROM read_model.leads") == 7
    assert value(connection, "SELECT open_differences FROM read_model.projection") == 1


def test_one_of_several_schedulers_verifies(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(connection)
    connection.execute("SELECT pg_advisory_lock(%s, %s)", (locks.JOB, locks.VERIFY_JOB))
    jobs = jobs_of(database, monkeypatch, tmp_path)
    jobs.workers["verify"]()
    assert value(connection, ROUND) == -1
    connection.execute("SELECT pg_advisory_unlock_all()")
    jobs.workers["verify"]()
    jobs.end()
    assert value(connection, ROUND) == 0


@pytest.mark.parametrize(
    "reason",
    [
        "UPDATE read_model.projection SET built_at = NULL",
        "UPDATE read_model.projection SET version = 'another'",
        "INSERT INTO projector.capture_gaps (reason) VALUES ('queue shed')",
        "INSERT INTO projector.settings (name, value) VALUES ('capture_off', 'import')",
        "INSERT INTO projector.rebuild_plan (version) VALUES ('x')",
        "INSERT INTO projector.changes (shard, kind, keys) SELECT 0, 'contacts', '{x}' FROM generate_series(1, 10001)",
        "ALTER TABLE messages DISABLE TRIGGER USER",
        "UPDATE projector.settings SET value = 'another' WHERE name = 'projection_version'",
    ],
)
def test_while_something_else_explains_what_differs_or_is_more_urgent_nothing_is_verified(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, reason: str
) -> None:
    write_source(connection)
    build(connection)
    assert connection.execute(reason.encode()).statusmessage not in ("UPDATE 0", "INSERT 0 0")
    jobs = jobs_of(database, monkeypatch, tmp_path)
    jobs.workers["verify"]()
    jobs.end()
    assert value(connection, ROUND) == -1


def test_a_verify_that_is_switched_off_forgets_its_round(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    for days in ("1", "off"):
        jobs = jobs_of(database, monkeypatch, tmp_path, LEADS_VERIFY_DAYS=days)
        jobs.workers["verify"]()
        jobs.end()
        assert value(connection, "SELECT count(*) FROM projector.verify_rounds") == (days == "1")


def test_a_database_that_does_not_answer_is_given_up(
    start_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    server = start_server(fast=True)
    database = Database(f"{server.url()}?connect_timeout=2", "leads")
    with database.connect() as conn:
        migrate(conn, create_source=True)
    monkeypatch.setattr(scheduler_jobs, "SILENT_SECONDS", 0.0)
    jobs = jobs_of(database, monkeypatch, tmp_path)
    refresh = jobs.workers["refresh"]
    refresh()
    assert refresh.conn is not None
    frozen = [int((server.data / "postmaster.pid").read_text().split()[0]), refresh.conn.info.backend_pid]
    for pid in frozen:
        os.kill(pid, signal.SIGSTOP)
    try:
        thread = threading.Thread(target=refresh)
        thread.start()
        wait_for(lambda: refresh.alive_at is not None, "the refresh at work")
        jobs.watch()
        thread.join(PATIENCE)
        assert not thread.is_alive()
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)

    def is_connected() -> bool:
        refresh()
        return refresh.conn is not None

    wait_for(is_connected, "a new connection")
    jobs.end()


def test_a_long_statement_is_left_alone_while_the_database_answers(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(connection)
    write_source(connection)
    monkeypatch.setattr(scheduler_jobs, "SILENT_SECONDS", 0.0)
    jobs = jobs_of(database, monkeypatch, tmp_path)
    thread = threading.Thread(target=jobs.workers["refresh"])
    with connection.transaction():
        connection.execute("LOCK TABLE read_model.leads IN ACCESS EXCLUSIVE MODE")
        thread.start()
        wait_until(connection, "count(*) > 0 FROM pg_locks WHERE NOT granted")
        jobs.watch()
    thread.join()
    jobs.end()
    assert leads(connection) == 1


def test_new_changes_come_before_the_next_dead_letters(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    set_aside(connection, "u", 25)
    jobs = jobs_of(database, monkeypatch, tmp_path)
    left = []
    for number in range(3):
        write_conversations(connection, 1, first=number + 2)
        jobs.workers["refresh"]()
        left.append((value(connection, "SELECT count(*) FROM projector.dead_letters"), leads(connection)))
    jobs.end()
    assert left == [(15, 2), (5, 3), (0, 4)]


def test_an_idle_refresh_asks_one_statement(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    monkeypatch.setattr(pace, "IDLE_AFTER_SECONDS", 0.0)
    jobs = jobs_of(database, monkeypatch, tmp_path)
    assert jobs.workers["refresh"]() == 0.25
    sent: list[object] = []
    execute = SourceCursor.execute

    def note(cursor: SourceCursor, query: object, *values: object, **options: object) -> object:
        sent.append(query)
        return execute(cursor, query, *values, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patches:
        patches.setattr(SourceCursor, "execute", note)
        jobs.workers["refresh"]()
    jobs.end()
    assert len(sent) == 1


def test_a_refresh_that_looks_at_the_queue_alone_takes_what_waits(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    # Nothing but the first look is at everything.
    for name in ("SHORTEST_FRESHNESS_SECONDS", "LONGEST_LOOK_SECONDS", "IDLE_AFTER_SECONDS"):
        monkeypatch.setattr(pace, name, 3600.0)
    jobs = jobs_of(database, monkeypatch, tmp_path, LEADS_REFRESH_SECONDS="3600")
    jobs.workers["refresh"]()
    monkeypatch.setattr(scheduler_jobs, "look", lambda *_: pytest.fail("it looked at everything"))
    write_conversations(connection, 1, first=2)
    assert jobs.workers["refresh"]() < 3600
    jobs.end()
    assert leads(connection) == 2


def test_an_idle_projector_does_the_upkeep_rarely_unless_something_is_wrong(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    done: list[int] = []
    real = scheduler_jobs.Jobs._keep_up  # noqa: SLF001

    def note(jobs: scheduler_jobs.Jobs, conn: Connection) -> float:
        done.append(1)
        return real(jobs, conn)

    monkeypatch.setattr(scheduler_jobs.Jobs, "_keep_up", note)
    monkeypatch.setattr(scheduler_jobs, "IDLE_UPKEEP_INTERVAL_SECONDS", 3600.0)
    monkeypatch.setattr(pace, "IDLE_AFTER_SECONDS", 0.0)
    jobs = jobs_of(database, monkeypatch, tmp_path)
    jobs.workers["refresh"]()
    for _ in range(3):
        assert jobs.upkeep() == scheduler_jobs.UPKEEP_INTERVAL_SECONDS
    assert len(done) == 1
    connection.execute("ALTER TABLE public.messages DISABLE TRIGGER USER")
    jobs.workers["refresh"]()
    jobs.upkeep()
    assert len(done) == 2
    jobs.workers["refresh"]()
    jobs.upkeep()
    jobs.end()
    assert len(done) == 2
    assert value(connection, "SELECT count(*) FROM projector.capture_gaps WHERE healed_at IS NULL") == 0


def test_the_depth_of_a_queue_that_is_being_taken_is_looked_at(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    asked: list[int] = []

    def note(_conn: Connection, limit: int) -> bool:
        asked.append(limit)
        return False

    monkeypatch.setattr(recovery, "is_too_deep", note)
    jobs = jobs_of(database, monkeypatch, tmp_path, LEADS_QUEUE_LIMIT="5000")
    # A projector that begins does not know yet, and may be at its first changes for long.
    jobs.workers["upkeep"]()
    jobs.end()
    assert asked == [5000]
    jobs = jobs_of(database, monkeypatch, tmp_path, LEADS_QUEUE_LIMIT="5000")
    jobs.workers["refresh"]()
    jobs.workers["upkeep"]()
    jobs.end()
    assert asked == [5000]
