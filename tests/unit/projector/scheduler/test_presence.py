"""A scheduler that ends is known to have ended, and one that dies is missed; so are refreshes from cron."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from projector.database import locks
from projector.database.rows import Connection
from projector.observe.metrics import metrics_of
from projector.observe.status import read
from projector.observe.status.attention import find_attention
from projector.observe.status.read import Document, read_status
from projector.observe.status.render import as_dict, render, summarize
from tests.support.commands import run_command
from tests.support.running import (
    Scheduler,
    running_scheduler,
    value,
    wait_for,
    wait_until,
    write_conversations,
    write_source,
)
from tests.support.server import Database
from tests.support.status import changed
from tests.unit.projector.scheduler.running import build

NOTED = "count(*) = 1 FROM projector.schedulers WHERE ended_at IS NULL"
LATE = "SELECT late_after_seconds FROM read_model.projection"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A free lock tells at once that a scheduler is gone."""
    monkeypatch.setattr(read, "RECONNECT_SECONDS", 0.0)


@contextmanager
def noted(database: Database, conn: Connection, folder: Path) -> Iterator[Scheduler]:
    """Run a scheduler that has noted that it is there."""
    with running_scheduler(database.url, folder) as scheduler:
        wait_until(conn, NOTED)
        yield scheduler


def lost(status: Document) -> float:
    [metric] = [made for made in metrics_of(status) if made.name == "leads_projector_lost_schedulers"]
    return metric.samples[0].value


@contextmanager
def scheduler_of(database: Database, conn: Connection, number: int, began: str) -> Iterator[None]:
    """Hold the session of a scheduler that began so long ago."""
    conn.execute(
        "INSERT INTO projector.schedulers (scheduler_id, host, pid, began_at)"
        " VALUES (%(number)s, 'host-' || %(number)s, 7, clock_timestamp() - %(began)s::interval)",
        {"number": number, "began": began},
    )
    with database.connect() as session, locks.session_lock(session, locks.SCHEDULER, number):
        yield


def test_a_scheduler_that_is_killed_is_named_and_one_that_ends_is_not(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    with noted(database, connection, tmp_path) as scheduler:
        assert find_attention(read_status(connection)) == []
        assert value(connection, LATE) == pytest.approx(10.1)
        assert scheduler.terminate() == 0
    status = read_status(connection)
    schedulers = status["schedulers"]
    assert (schedulers["none_runs"], schedulers["lost"], find_attention(status)) == (True, [], [])
    with noted(database, connection, tmp_path) as scheduler:
        pid = scheduler.process.pid
        scheduler.kill()
        wait_until(connection, "count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    # Whether nothing waits, or changes and a rebuild do: one cause is one sentence.
    for is_busy in (False, True):
        if is_busy:
            write_conversations(connection, 1, first=2)
            connection.execute(
                "INSERT INTO projector.sweep_positions (purpose, version, phase) VALUES ('rebuild', 'v', 'leads')"
            )
        status = read_status(connection)
        # A login that sees no session of another one knows it too.
        blind = changed(status, {"schedulers.all_seen": False})
        [sentence] = find_attention(blind)
        assert find_attention(status) == [sentence]
        assert sentence.startswith("No scheduler is running: the projector on "), sentence
        assert f"(pid {pid}) ended without notice at about 20" in sentence
        assert "`systemctl start leads-projector`" in sentence
        assert "`python -m projector run`" in sentence
        assert (lost(status), as_dict(status)["schedulers"]["lost"][0]["pid"]) == (1, pid)
        assert "Scheduler    none connected" in summarize(status)


def test_a_lost_host_is_missed_though_its_session_is_there(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    build(connection)
    with scheduler_of(database, connection, 1, "1 hour"), database.connect() as rebuilding:
        assert find_attention(read_status(connection)) == []
        # It may have left its rebuild, too.
        rebuilding.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
        monkeypatch.setattr(read, "SILENT_SECONDS", 0.0)
        [sentence] = find_attention(read_status(connection))
        assert "the projector on host-1 (pid 7) hangs, or its host is lost" in sentence


def test_a_scheduler_that_is_stopped_has_not_refreshed(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)
    with noted(database, connection, tmp_path) as scheduler:
        wait_until(connection, "count(*) = 1 FROM read_model.projection WHERE late_after_seconds IS NOT NULL")
        process = scheduler.process
        process.send_signal(signal.SIGSTOP)
        # A time of half a second in place of some 15: the server itself may have begun a moment ago.
        connection.execute("UPDATE read_model.projection SET late_after_seconds = 0.3")
        wait_for(lambda: read_status(connection)["schedulers"]["silent"] != [], "no sign")
        status = read_status(connection)
        [sentence] = find_attention(status)
        told = rf"The projector on \S+ \(pid {process.pid}\) has not refreshed for \d+\.\d s: its process is stopped"
        assert re.match(told, sentence), sentence
        assert f"`kill -CONT {process.pid}`" in sentence
        assert "`systemctl restart leads-projector`" in sentence
        assert "Scheduler    running, 1 projector, of which 1 without a sign" in summarize(status)
        # A rebuild, or an operator who switched capture off, keeps refreshes waiting.
        for planned in ({"rebuild.state": "running"}, {"capture.state": "off", "capture.reason": "a drill"}):
            assert "has not refreshed" not in str(find_attention(changed(status, planned)))
        process.send_signal(signal.SIGCONT)
        connection.execute("UPDATE read_model.projection SET late_after_seconds = 10.1")
        wait_for(lambda: read_status(connection)["projection"]["as_of_age"] < 1, "a refresh")
        assert find_attention(read_status(connection)) == []


def test_a_refresh_that_does_not_end_is_told_of_a_scheduler_that_gives_signs(
    database: Database, connection: Connection
) -> None:
    build(connection)
    with scheduler_of(database, connection, 1, "1 hour"):
        status = changed(read_status(connection), {"schedulers.refreshed_age": 39.0})
    [sentence] = find_attention(status)
    assert sentence.startswith(
        "The projector on host-1 (pid 7) has not refreshed for 39.0 s: its log and pg_stat"
    ), sentence


def test_one_of_several_that_gives_no_sign_is_a_warning_while_the_data_are_fresh(
    database: Database, connection: Connection
) -> None:
    build(connection)
    with scheduler_of(database, connection, 1, "2 hours"), scheduler_of(database, connection, 2, "1 hour"):
        connection.execute("UPDATE read_model.projection SET late_after_seconds = 0.1")
        # The later one gives signs.
        connection.execute(
            "UPDATE projector.schedulers SET beat_at = now() + interval '1 h' WHERE scheduler_id = 2"
        )
        wait_for(lambda: read_status(connection)["schedulers"]["silent"] != [], "no sign")
        fresh = {"schedulers.refreshed_age": 0.0, "projection.as_of_age": 0.0}
        status = changed(read_status(connection), fresh)
        assert (find_attention(status), status["schedulers"]["running"]) == ([], 2)
        told = "Another scheduler goes on, but the projector on host-1 (pid 7) gave its last sign at 20"
        assert told in status["warnings"][0]
        # Its batch keeps changes from the other.
        [sentence] = find_attention(changed(status, {"projection.as_of_age": 39.0}))
        assert sentence.startswith("The projector on host-1 (pid 7) has not refreshed for 39.0 s"), sentence


def test_one_of_several_that_is_gone_is_a_warning_until_a_later_one_is_there(
    database: Database, connection: Connection
) -> None:
    build(connection)
    with scheduler_of(database, connection, 1, "3 hours"):
        with scheduler_of(database, connection, 2, "2 hours"):
            assert read_status(connection)["schedulers"]["lost"] == []
        status = read_status(connection)
        assert (find_attention(status), lost(status)) == ([], 1)
        told = "Another scheduler goes on, but the projector on host-2 (pid 7) ended without"
        assert told in render(status)
        assert told in as_dict(status)["warnings"][0]
        with scheduler_of(database, connection, 3, "1 hour"):
            status = read_status(connection)
            assert (status["schedulers"]["lost"], told in str(status["warnings"])) == ([], False)


def test_a_refresh_from_cron_is_missed_by_the_distance_of_the_last_ones(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    write_source(connection)
    build(connection)

    def refresh() -> None:
        assert run_command(tmp_path, "--database-url", database.url, "refresh").returncode == 0

    def ago(interval: str) -> None:
        connection.execute(
            "UPDATE projector.settings AS s SET value = (SELECT jsonb_agg(m::timestamptz - %s::interval)::text"
            " FROM jsonb_array_elements_text(s.value::jsonb) AS m) WHERE s.name = 'refreshes'",
            (interval,),
        )

    for _ in "12":
        refresh()
        ago("300 s")
    # Two may be by hand.
    assert (read_status(connection)["schedulers"]["cron"], value(connection, LATE)) == (None, None)
    refresh()
    status = read_status(connection)
    distance = status["schedulers"]["cron"]["distance"]
    assert distance == pytest.approx(300, abs=100)
    assert value(connection, LATE) == pytest.approx(2 * distance + 15, abs=0.1)
    assert "`refresh` each 5 min" in summarize(status)
    # What waits for the next one needs nobody.
    write_conversations(connection, 1, first=2)
    ago("500 s")
    status = read_status(connection)
    assert find_attention(status) == []
    # At the second one that is missed, whatever waits.
    ago("300 s")
    [sentence] = find_attention(read_status(connection))
    assert sentence.startswith("The data are not updated: the last `refresh` from cron ended at 20"), sentence
    assert "one ended every 5 min" in sentence
    # A scheduler takes over from cron, and cron from one that died.
    with scheduler_of(database, connection, 1, "1 s"):
        assert read_status(connection)["schedulers"]["cron"] is None
    assert "No scheduler is running" in find_attention(read_status(connection))[0]
    # Four are remembered, and the last scheduler has to be before all of them.
    for _ in "123":
        refresh()
    assert read_status(connection)["schedulers"]["cron"] is None
    refresh()
    assert find_attention(read_status(connection)) == []
