"""One line for each minute in which refreshes found work."""

from pathlib import Path

import pytest
import structlog

from projector.core.batch import Batch
from projector.scheduler import tally
from projector.scheduler.tally import Tally
from tests.support.running import running_scheduler, wait_until, write_conversations, write_source
from tests.support.server import Database
from tests.unit.projector.scheduler.running import Connection, build, jobs_of


class Clock:
    """A clock that the test turns."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_minute_is_summed_up() -> None:
    clock = Clock()
    minute = Tally(clock)
    minute.add(Batch((0,), 3, 2, 1), 0.25)
    minute.add(Batch((1,), 4, 1, 5), 0.75)
    minute.add(Batch((1,), 0, drained=True), 9.0)
    clock.now += 59
    assert not minute.is_due()
    clock.now += 1
    assert minute.is_due()
    assert minute.take() == {
        "refreshes": 2,
        "changes": 7,
        "leads": 3,
        "messages": 6,
        "longest_seconds": 0.75,
    }
    assert not minute.is_due()
    assert minute.take() == {}


def test_a_minute_without_work_is_over_without_a_line() -> None:
    clock = Clock()
    minute = Tally(clock)
    clock.now += 61
    assert not minute.is_due()
    minute.add(Batch((0,), 1, 1, 0), 0.1)
    # The work belongs to the minute that has just begun.
    clock.now += 30
    assert not minute.is_due()
    clock.now += 30
    assert minute.is_due()


def test_the_scheduler_logs_a_minute_with_the_queue(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(connection)
    jobs = jobs_of(database, monkeypatch, tmp_path)
    monkeypatch.setattr(tally, "TALLY_SECONDS", 0.0)
    write_source(connection)
    with structlog.testing.capture_logs() as said:
        jobs.workers["refresh"]()
        jobs.workers["refresh"]()
        jobs.end()
    lines = [line for line in said if line["event"] == "refreshed"]
    assert {line["log_level"] for line in lines} == {"info"}
    assert sum(line["changes"] for line in lines) >= 1
    assert max(line["leads"] for line in lines) == 1
    assert min(line["longest_seconds"] for line in lines) > 0
    assert lines[-1]["queue"] == 0


def test_a_minute_that_the_end_cuts_short_is_logged_and_each_mass_change(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    build(connection)
    write_source(connection)
    write_conversations(connection, 600, first=2)
    with running_scheduler(database.url, tmp_path) as scheduler:
        wait_until(connection, "count(*) = 0 FROM projector.changes")
        before = scheduler.events().count("a mass change is spread")
        connection.execute("UPDATE agents SET name = 'Grace'")
        scheduler.wait_for_event("a mass change is spread", times=before + 1)
        wait_until(connection, "count(*) = 0 FROM projector.changes")
        assert scheduler.terminate() == 0
        said = scheduler.logged()
    spread = [line for line in said if line["event"] == "a mass change is spread"][-1]
    assert (spread["pieces"], spread["level"]) == (2, "info")
    lines = [line for line in said if line["event"] == "refreshed"]
    assert {line["level"] for line in lines} == {"info"}
    # All of them are new, and then have another agent's name.
    assert sum(line["leads"] for line in lines) >= 2 * 601
