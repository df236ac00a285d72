"""Faults around a projector: nothing is lost, the log and the commands say what is wrong, and it goes on by itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from projector.core.refresh import Drain, refresh
from projector.database.retry import TRIES
from projector.observe.status.attention import find_attention
from projector.observe.status.read import read_status
from projector.observe.status.render import render
from projector.operate.install import migrate
from projector.report.errors import BlockedError, DatabaseUnreachableError
from projector.report.progress import QUIET
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness.platform import (
    Platform,
    assert_exact,
    forget_build,
    rebuild_now,
    refresh_now,
    texts,
    value,
    waiting,
)
from tests.support.commands import ROOT, run_command
from tests.support.points import at_points
from tests.support.running import Scheduler, running_scheduler, wait_until, write_message, write_source
from tests.support.server import connect
from tests.unit.projector.scheduler.running import scheduler_of

StartServer = Callable[..., EmbeddedServer]

STOPPED_TIMEOUT = "2s"
PLATFORM_PATIENCE = "25s"

ENDED_SESSION = "the server ended a session, which a new one replaces"
GONE = "the database is gone; trying again until it is back"


def troubles(scheduler: Scheduler) -> list[dict[str, Any]]:
    """Return the scheduler's messages that an operator has to read."""
    return [line for line in scheduler.logged() if line["level"] in ("warning", "error")]


# A projector that stands still


@pytest.mark.parametrize(
    ("work", "point"), [("refresh", "recomputed"), ("first_build", "written"), ("in_place", "recomputed")]
)
def test_a_projector_that_is_stopped_keeps_no_table_of_the_platform(
    filled: Platform, work: str, point: str
) -> None:
    conn = filled.conn
    filled.message("c", "queued")
    if work == "first_build":
        forget_build(conn)
    if work == "in_place":
        conn.execute("UPDATE read_model.leads SET total_messages = 7")
    arguments = [filled.database.url, work, point, "1", STOPPED_TIMEOUT]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.exactness.crash_worker", *arguments], cwd=ROOT
    ) as stopped:
        try:
            _, status = os.waitpid(stopped.pid, os.WUNTRACED)
            assert os.WIFSTOPPED(status)
            conn.execute("SELECT set_config('lock_timeout', %s, false)", (PLATFORM_PATIENCE,))
            conn.execute("ALTER TABLE messages ADD COLUMN further integer")
            # The locks of its session are gone a moment later, so that another projector does its work.
            wait_until(conn, "count(*) = 0 FROM pg_stat_activity WHERE application_name = 'killed'")
            refresh_now(conn) if work == "refresh" else rebuild_now(conn)
        finally:
            os.kill(stopped.pid, signal.SIGCONT)
        assert stopped.wait(30) == 1
    refresh_now(conn)
    assert texts(conn, "one", "4915") == ["first", "queued"]
    assert_exact(conn)


# Sessions that an operator terminates


@pytest.mark.parametrize(
    ("job", "held", "prepare"),
    [
        (
            "refresh",
            "read_model.leads",
            "INSERT INTO messages (message_id, conversation_id) VALUES ('new', 'c')",
        ),
        ("upkeep", "conversations", "UPDATE read_model.projection SET built_at = NULL"),
        ("upkeep", "conversations", "UPDATE read_model.projection SET version = 'another'"),
    ],
    ids=["refresh", "first build", "rebuild in place"],
)
def test_a_session_that_is_terminated_in_mid_work_is_replaced_and_the_work_is_done(
    filled: Platform, tmp_path: Path, job: str, held: str, prepare: str
) -> None:
    conn = filled.conn
    conn.execute(prepare.encode())
    pid = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"
    waits = f"EXISTS ({pid} AND wait_event_type = 'Lock')"
    with filled.database.connect() as holder:
        holder.execute(f"BEGIN; LOCK TABLE {held} IN ACCESS EXCLUSIVE MODE".encode())
        with running_scheduler(filled.database.url, tmp_path) as scheduler:
            name = f"leads-projector run: {job}"
            wait_until(conn, waits, name)
            conn.execute(f"SELECT pg_terminate_backend(pid) FROM ({pid}) AS found".encode(), (name,))
            scheduler.wait_for_event(ENDED_SESSION)
            holder.execute("ROLLBACK")
            wait_until(conn, "count(*) = 0 FROM projector.changes")
            wait_until(conn, "built_at IS NOT NULL AND version <> 'another' FROM read_model.projection")
            assert scheduler.terminate() == 0
    [line] = [line for line in troubles(scheduler) if line["event"] == ENDED_SESSION]
    assert (line["job"], GONE in scheduler.events()) == (job, False)
    # In a pipeline psycopg only notices that the session has ended.
    reasons = (
        "terminating connection due to administrator command",
        "server closed the connection unexpectedly",
    )
    assert any(reason in line["error"] for reason in reasons)
    refresh_now(conn)
    assert_exact(conn)


# Locks of the platform


@pytest.mark.parametrize("held", ["conversations", "read_model.leads"])
def test_a_table_that_is_locked_is_waited_for_and_the_log_says_so(
    filled: Platform, tmp_path: Path, held: str
) -> None:
    conn, url = filled.conn, filled.database.url
    filled.message("c", "queued")
    with filled.database.connect() as holder, ExitStack() as stack:
        holder.execute(f"BEGIN; LOCK TABLE {held} IN ACCESS EXCLUSIVE MODE".encode())
        scheduler = stack.enter_context(running_scheduler(url, tmp_path))
        scheduler.wait_for_event("cannot go on for now")
        by_hand = run_command(tmp_path, "refresh", DATABASE_URL=url)
        waiting = render(read_status(conn))
        holder.execute("ROLLBACK")
        scheduler.wait_for_event("works again")
        wait_until(conn, "count(*) = 0 FROM projector.changes")
        assert scheduler.terminate() == 0
    # Once, or again after a moment in which the other refresh had all shards; the verify needs our tables as well.
    [error] = {line["error"] for line in troubles(scheduler) if line["job"] == "refresh"}
    sentence = "Another session held a table that a batch needs, through all attempts. See pg_stat_activity"
    assert error.startswith(sentence)
    assert (by_hand.returncode, f"Error: {sentence}" in by_hand.stderr) == (1, True)
    assert "1 change" in waiting
    assert texts(conn, "one", "4915") == ["first", "queued"]
    assert_exact(conn)


def test_a_transaction_of_the_platform_that_stays_open_stops_nothing(filled: Platform) -> None:
    """It has changed rows of every source table, and holds them: refreshes, rebuilds and verifies go on beside it."""
    conn = filled.conn
    with filled.database.connect() as idle:
        idle.execute("BEGIN")
        idle.execute("UPDATE conversations SET last_message_at = '2025-03-03'")
        idle.execute("UPDATE messages SET text = text || '9'; UPDATE contacts SET name = name || '9'")
        idle.execute("DELETE FROM template_sends; LOCK TABLE agents IN ACCESS SHARE MODE")
        filled.message("c", "meanwhile")
        refresh_now(conn)
        assert texts(conn, "one", "4915") == ["first", "meanwhile"]
        assert_exact(conn)
        rebuild_now(conn)
        forget_build(conn)
        rebuild_now(conn)
        assert_exact(conn)
        # Its changes arrive when it commits, however long ago its statements were.
        idle.execute("COMMIT")
    refresh_now(conn)
    assert texts(conn, "one", "4915") == ["first9", "meanwhile"]
    assert_exact(conn)


# A server without connections, and one without space


def test_a_disk_that_is_full_is_told(
    filled: Platform, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        message = "could not extend file"
        raise psycopg.errors.DiskFull(message)

    scheduler = scheduler_of(filled.database, monkeypatch, tmp_path)
    filled.message("c", "queued")
    with monkeypatch.context() as patches:
        patches.setattr(Drain, "take_singles", fail)
        assert scheduler.jobs["refresh"]()
    reason = "could not extend file"
    sentence = (
        f"The server has no space left on its disk: {reason}. Free or add disk space: no change is lost."
    )
    said = capsys.readouterr()
    assert sentence in said.out + said.err
    scheduler.end()


NO_CONNECTION = "The server takes no further connection: "


def crowd(url: str, stack: ExitStack) -> None:
    """Take all connections that are left."""

    def take_all() -> None:
        while True:
            stack.enter_context(connect(url, application_name="crowd"))

    with pytest.raises(DatabaseUnreachableError, match=NO_CONNECTION):
        take_all()


def test_a_server_without_a_connection_left_is_waited_for(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(
        fast=True, max_connections="9", superuser_reserved_connections="0", max_wal_senders="0"
    )
    url = server.url()
    with connect(url) as conn:
        migrate(conn, create_source=True)
        write_source(conn)
        with ExitStack() as stack:
            crowd(url, stack)
            with running_scheduler(url, tmp_path) as scheduler:
                scheduler.wait_for_event(GONE)
                scheduler.wait_for_event("the projector runs")
                told = run_command(tmp_path, "status", DATABASE_URL=url)
                stack.close()
                scheduler.wait_for_event("the database is back")
                wait_until(conn, "count(*) = 1 FROM read_model.leads")
                # It needs only its own sessions if others take all the rest.
                wait_until(
                    conn, "count(*) > 2 FROM pg_stat_activity WHERE application_name LIKE %s", "%run: %"
                )
                crowd(url, stack)
                write_message(conn, "m1")
                wait_until(conn, "count(*) = 1 FROM read_model.lead_messages")
                stack.close()
                assert scheduler.terminate() == 0
        assert (told.returncode, told.stderr.startswith(f"Error: {NO_CONNECTION}")) == (1, True)
        [line] = troubles(scheduler)
        assert line["error"].startswith(NO_CONNECTION)
        assert "raise max_connections" in line["error"]


# A NOTIFY queue that others keep full


@pytest.mark.small_notify_queue
def test_a_full_notify_queue_keeps_changes_waiting_and_sets_none_aside(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = start_server(fast=True, max_notify_queue_pages="64").url()
    with connect(url) as conn, connect(url, application_name="forgotten") as holder:
        migrate(conn, create_source=True)
        platform = Platform(conn)
        agent = platform.agent(platform.tenant("one"))
        conversation = platform.conversation(agent, "4915")
        rebuild_now(conn)
        holder.execute("LISTEN others")
        holder.execute("BEGIN; SELECT 1", prepare=False)
        with suppress(psycopg.errors.ProgramLimitExceeded):
            while value(conn, "SELECT pg_notification_queue_usage()") < 1:
                conn.execute("SELECT pg_notify('others', repeat('x', 7900))")
        # No listener is notified, and everything continues.
        platform.message(conversation, "not told")
        refresh(conn, retry_failed=False, progress=QUIET)
        rebuild_now(conn, first=True)
        assert "not told" in texts(conn, "one", "4915")
        [sentence] = [
            said for said in find_attention(read_status(conn)) if "pg_notification_queue_usage()" in said
        ]
        assert "is 100% full" in sentence
        assert f"process {holder.info.backend_pid}, forgotten, role" in sentence
        # A notification sent before the queue is full fails when its transaction commits.
        monkeypatch.setattr("projector.database.retry.time.sleep", lambda _: None)
        before = value(conn, "SELECT as_of FROM read_model.freshness")
        platform.message(conversation, "waits")
        queued = waiting(conn)
        tries = []

        def tell(point: str) -> None:
            if point == "written":
                tries.append(point)
                conn.execute("SELECT pg_notify('leads', '')")

        with at_points(tell), pytest.raises(BlockedError, match="such as that of its NOTIFY queue"):
            refresh(conn, retry_failed=False, progress=QUIET)
        assert len(tries) > TRIES
        assert waiting(conn) == queued
        assert value(conn, "SELECT count(*) FROM projector.dead_letters") == 0
        assert value(conn, "SELECT as_of FROM read_model.freshness") == before
        holder.execute("COMMIT")
        refresh(conn, retry_failed=False, progress=QUIET)
        assert "waits" in texts(conn, "one", "4915")
        assert_exact(conn)
