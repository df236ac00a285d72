"""The process of the scheduler, from outside: source rows in, read model out, signals and kills."""

import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from projector.database import locks
from projector.database.sql import PROJECTION_VERSION
from projector.operate.install import migrate
from projector.report.errors import ConfigurationError
from projector.scheduler.cron import cron_trigger, is_cron
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.commands import environment, projector
from tests.support.patience import PATIENCE
from tests.support.running import (
    running_scheduler,
    value,
    wait_for,
    wait_until,
    write_conversations,
    write_message,
    write_source,
)
from tests.support.server import Database, connect
from tests.unit.projector.scheduler.running import Connection, build, jobs_of, leads


def test_it_builds_what_was_never_built_and_then_follows(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    write_source(connection)
    with running_scheduler(database.url, tmp_path, LEADS_VERIFY_DAYS="2.5") as scheduler:
        scheduler.wait_for_event("the projector runs")
        [line] = [line for line in scheduler.logged() if line["event"] == "the projector runs"]
        assert (line["refresh_seconds"], line["verify_days"], line["rebuild"]) == (0.05, 2.5, "off")
        wait_until(connection, "built_at IS NOT NULL FROM read_model.projection")
        write_message(connection, "m1")
        wait_until(connection, "count(*) = 1 FROM read_model.lead_messages")
        committed = value(connection, "SELECT clock_timestamp()")
        wait_until(connection, "min(as_of) > %s FROM read_model.freshness", committed)
        assert scheduler.terminate() == 0
    assert leads(connection) == 1
    assert value(connection, "SELECT count(*) FROM projector.changes") == 0


def test_it_does_not_start_where_nothing_is_installed(source_database: Database, tmp_path: Path) -> None:
    done = projector(tmp_path, "--database-url", source_database.url, "run")
    assert done.returncode == 1
    assert "run migrate" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_the_middle_of_a_deep_queue_with_nothing_lost(
    database: Database, connection: Connection, tmp_path: Path, number: signal.Signals
) -> None:
    build(connection)
    write_source(connection)
    for first in range(2, 1500):
        write_conversations(connection, 1, first=first)
    with running_scheduler(database.url, tmp_path, LEADS_REFRESH_BATCH="4") as scheduler:
        wait_for(lambda: leads(connection) > 0, "the first leads")
        scheduler.process.send_signal(number)
        assert scheduler.process.wait(PATIENCE) == 0
    assert value(connection, "SELECT count(*) FROM projector.changes") > 0
    assert not value(
        connection, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'leads-projector%'"
    )
    with running_scheduler(database.url, tmp_path):
        wait_until(connection, "count(*) = 1499 FROM read_model.leads")


# The thread that gets the signal is another, so that it does not end the wait, as one that comes just before the wait.
LATE = """
import signal, threading
from queue import SimpleQueue
from projector.scheduler.main import wait_for_signal

received = SimpleQueue()
signal.signal(signal.SIGTERM, lambda number, _frame: received.put(signal.Signals(number).name))
other = threading.Thread(target=threading.Event().wait, daemon=True)
other.start()
threading.Timer(0.5, lambda: signal.pthread_kill(other.ident, signal.SIGTERM)).start()
print(wait_for_signal(received))
"""


def test_a_signal_that_does_not_end_the_wait_is_noticed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LATE], check=True, capture_output=True, text=True, timeout=PATIENCE
    )
    assert done.stdout == "SIGTERM\n"


def test_a_signal_ends_it_while_a_statement_waits_for_a_lock(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    build(connection)
    write_source(connection)
    with database.connect() as holder, running_scheduler(database.url, tmp_path) as scheduler:
        wait_until(connection, "count(*) = 1 FROM read_model.leads")
        wait_until(connection, "count(*) = 0 FROM projector.changes")
        with holder.transaction():
            holder.execute("LOCK TABLE read_model.leads IN ACCESS EXCLUSIVE MODE")
            write_message(connection, "m1")
            wait_until(connection, "count(*) > 0 FROM pg_locks WHERE NOT granted")
            assert scheduler.terminate() == 0
            assert "ended" in scheduler.events()
    assert value(connection, "SELECT count(*) FROM projector.changes") == 1


def test_several_share_a_deep_queue(database: Database, connection: Connection, tmp_path: Path) -> None:
    build(connection)
    write_source(connection)
    for first in range(2, 800):
        write_conversations(connection, 1, first=first)
    settings = {"LEADS_REFRESH_BATCH": "1", "LEADS_LOG_LEVEL": "DEBUG"}
    with (
        running_scheduler(database.url, tmp_path, **settings) as one,
        running_scheduler(database.url, tmp_path, **settings) as other,
    ):
        wait_until(connection, "count(*) = 0 FROM projector.changes")
        # A shard of its own for each: together both would have taken from one and the same transaction.
        for scheduler in (one, other):
            shards = [line["shards"] for line in scheduler.logged() if line["event"] == "batch"]
            assert len([owned for owned in shards if len(owned) == 1]) > 20
        assert (one.terminate(), other.terminate()) == (0, 0)
    assert leads(connection) == 799


def test_another_projection_version_is_rebuilt_by_itself_while_the_old_rows_are_served(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    connection.execute("UPDATE read_model.projection SET version = 'another'")
    connection.execute("UPDATE read_model.leads SET document = 'of an older projection'")
    with running_scheduler(database.url, tmp_path) as scheduler:
        wait_until(connection, "version = %s FROM read_model.projection", PROJECTION_VERSION)
        assert value(connection, "SELECT document FROM read_model.leads").startswith("{")
        scheduler.wait_for_event("rebuilding everything")
        scheduler.wait_for_event("rebuilt everything")
        [end] = [line for line in scheduler.logged() if line["event"] == "rebuilt everything"]
    assert (end["level"], end["leads"], end["projection_version"]) == ("info", 1, PROJECTION_VERSION)
    assert end["reason"].startswith("it was built by projection version another")


def test_a_queue_beyond_the_limit_is_traded_for_a_rebuild(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    build(connection)
    write_source(connection)
    for first in range(2, 400):
        write_conversations(connection, 1, first=first)
    as_of = value(connection, "SELECT min(as_of) FROM read_model.freshness")
    # All shards are taken: refreshes stand still, and the trade waits, when its gap is already open.
    with (
        database.connect() as owner,
        running_scheduler(database.url, tmp_path, LEADS_QUEUE_LIMIT="100") as scheduler,
    ):
        with owner.transaction():
            owner.execute(
                "SELECT pg_advisory_xact_lock(%s, s) FROM unnest(%s::int[]) AS s",
                (locks.SHARD, list(locks.SHARDS)),
            )
            wait_until(connection, "count(*) = 1 FROM projector.capture_gaps WHERE healed_at IS NULL")
            assert value(connection, "SELECT capture_gap IS NULL FROM read_model.projection")
        wait_until(connection, "count(*) = 0 FROM projector.capture_gaps WHERE healed_at IS NULL")
        scheduler.wait_for_event("the queue was traded for a rebuild")
        wait_until(connection, "count(*) = 399 FROM read_model.leads")
        wait_until(connection, "min(as_of) > %s FROM read_model.freshness", as_of)


def test_cron_expressions_are_cron_s() -> None:
    # 2026-11-25 is a Wednesday, and cron's week begins with Sunday.
    for expression, after, expected in (
        ("23 * * * *", "2026-11-25T01:24", "2026-11-25T02:23"),
        ("0 3 * * 0", "2026-11-25T00:00", "2026-11-29T03:00"),
        ("0 3 * * 4", "2026-11-25T00:00", "2026-11-26T03:00"),
        ("0 3 * * sun", "2026-11-25T00:00", "2026-11-29T03:00"),
        ("0 3 * * sat-sun", "2026-11-28T12:00", "2026-11-29T03:00"),
        ("0 3 * * 0-2", "2026-11-25T00:00", "2026-11-29T03:00"),
        ("0 3 * * */3", "2026-11-25T04:00", "2026-11-28T03:00"),
        ("0 3 * * mon,4", "2026-11-24T04:00", "2026-11-26T03:00"),
        ("*/15 3 1 jan *", "2026-11-25T00:00", "2027-01-01T03:00"),
    ):
        found = cron_trigger(expression).get_next_fire_time(None, datetime.fromisoformat(f"{after}:00+00:00"))
        assert found == datetime.fromisoformat(f"{expected}:00+00:00"), expression
    for valid in ("0 3 * * sat-sun", "0 3 * * 0-2", "0,30 8-18/2 1 jan,jul 1", "0 3 * * FRI-mon"):
        assert is_cron(valid), valid
    for other in (
        "0 3 * * 7",
        "0 3 * * 12",
        "0 3 * * 1/2",
        "0 3 * * foo",
        "0 3 * jan-foo *",
        "0 3 * dec-jan *",
        "0 3 last * *",
        "0 3 * * 1-2-3",
        "60 3 * * *",
        "*/90 3 * * *",
        "0 3 * *",
    ):
        assert not is_cron(other), other


def test_without_tracing_nothing_of_opentelemetry_is_imported(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    code = (
        "import sys; import projector.scheduler.main;"
        " print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"
    # Where it is not installed, the extra is named; and a value that is neither on nor off is refused.
    monkeypatch.delitem(sys.modules, "projector.observe.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match="install the extra otel"):
        jobs_of(database, monkeypatch, tmp_path, LEADS_TRACING="on")
    refused = projector(tmp_path, "run", LEADS_TRACING="yes", DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert (refused.returncode, "LEADS_TRACING" in refused.stderr) == (2, True)


def test_it_starts_before_its_database_waits_for_one_that_goes_away_and_says_so_once(
    start_server: Callable[..., EmbeddedServer], tmp_path: Path
) -> None:
    server = start_server()
    gone = "the database is gone; trying again until it is back"
    with connect(server.url()) as conn:
        migrate(conn, create_source=True)
        write_source(conn)
    server.stop()
    with running_scheduler(server.url(), tmp_path) as scheduler:
        scheduler.wait_for_event(gone)
        scheduler.wait_for_event("the projector runs")
        server.start()
        with connect(server.url()) as conn:
            wait_until(conn, "count(*) = 1 FROM read_model.leads")
        server.stop(mode="immediate")
        scheduler.wait_for_event(gone, times=2)
        server.start()
        scheduler.wait_for_event("the database is back", times=2)
        with connect(server.url()) as conn:
            write_message(conn, "m1")
            wait_until(conn, "count(*) = 1 FROM read_model.lead_messages")
        server.stop()
        scheduler.wait_for_event(gone, times=3)
        assert scheduler.terminate() == 0
        told = [line["event"] for line in scheduler.logged() if line["level"] in ("warning", "error")]
        assert told == [gone] * 3
