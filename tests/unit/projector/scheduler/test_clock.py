"""What starts the jobs, on a clock that is set: none stands still, and no rebuild comes that is not due."""

import logging
import re
import time
import urllib.request
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import pytest
import structlog

from projector import config
from projector.scheduler import main
from projector.scheduler.job import Job
from projector.scheduler.main import Scheduler
from tests.support.faketime import FAKE_CLOCK
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.running import running_scheduler, wait_for
from tests.support.server import Database

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
DAY = timedelta(days=1)
STEPS = [-timedelta(seconds=90), -DAY, DAY, 365 * DAY]
PAUSE_SECONDS = 3600.0


class SetClock(datetime):
    """A wall clock that a test can set."""

    ahead = timedelta(0)

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.now(tz) + cls.ahead

    @classmethod
    def set(cls, moment: datetime) -> None:
        cls.ahead = moment - datetime.now(UTC)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> type[SetClock]:
    """The clock of the scheduler, at noon."""
    for module in ("apscheduler.schedulers.base", "apscheduler.executors.base", "projector.scheduler.main"):
        monkeypatch.setattr(f"{module}.datetime", SetClock)
    monkeypatch.setattr(main, "CLOCK_SECONDS", 0.02)
    monkeypatch.setattr(main, "FIRST_PRUNE_SECONDS", 0.0)
    monkeypatch.setattr(SetClock, "ahead", NOON - datetime.now(UTC))
    return SetClock


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The turns of each job, which do nothing; a job wants the next one in an hour."""
    counted: Counter[str] = Counter()

    def turn(job: Job) -> float | None:
        counted[job.name] += 1
        return None if job.name == "rebuild" else PAUSE_SECONDS

    def watch(_: Scheduler) -> float:
        counted["watch"] += 1
        return PAUSE_SECONDS

    monkeypatch.setattr(Job, "__call__", turn)
    monkeypatch.setattr(Scheduler, "watch", watch)
    return counted


@pytest.fixture
def scheduler(clock: type[SetClock], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Scheduler]:  # noqa: ARG001  # It is read when the scheduler is made.
    monkeypatch.setenv("LEADS_REBUILD_CRON", "0 3 * * *")
    scheduler = Scheduler(config.load(tmp_path / ".env"))
    with scheduler.running():
        yield scheduler


def wait_for_turns(scheduler: Scheduler, turns: Counter[str], number: int) -> None:
    """Wait until each job has had so many turns, and its next one is planned.

    The refresh takes its own turns, and pauses by no clock that can be set. A job at a turn is planned at its end.
    """

    def are_planned() -> bool:
        later = SetClock.now(UTC) + timedelta(seconds=PAUSE_SECONDS / 2)
        jobs = scheduler._apscheduler.get_jobs()  # noqa: SLF001
        return all(
            turns[job.id] >= number and later < job.next_run_time < later + DAY / 2
            for job in jobs
            if job.id not in {"refresh", "rebuild"}
        )

    wait_for(are_planned, f"{number} turns of each of {turns}", PATIENCE)


@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_is_set_makes_every_job_due_but_the_rebuild(
    clock: type[SetClock], turns: Counter[str], scheduler: Scheduler, step: timedelta
) -> None:
    assert scheduler.jobs
    wait_for_turns(scheduler, turns, 1)
    clock.ahead += step
    wait_for_turns(scheduler, turns, 2)
    time.sleep(0.1)
    assert turns == {"refresh": 1, **dict.fromkeys(turns.keys() - {"refresh"}, 2)}
    # Its time by the clock as it is now.
    clock.set((NOON + step).replace(hour=3, minute=0, second=0) + DAY - timedelta(seconds=0.2))
    wait_for(lambda: turns["rebuild"] == 1, "the rebuild")


def test_a_clock_that_goes_on_makes_nothing_due(
    clock: type[SetClock], turns: Counter[str], scheduler: Scheduler
) -> None:
    """It may go a little faster or more slowly, as a time server has it."""
    wait_for_turns(scheduler, turns, 1)
    with structlog.testing.capture_logs() as said:
        for _ in range(5):
            clock.ahead += timedelta(seconds=main.STEP_SECONDS * 0.9)
            scheduler.check_clock()
    assert (said, set(turns.values())) == ([], {1})


@pytest.mark.parametrize("late", [timedelta(seconds=30), timedelta(minutes=5)])
def test_a_rebuild_is_left_out_where_the_clock_was_set_beyond_its_time(
    clock: type[SetClock],
    turns: Counter[str],
    scheduler: Scheduler,
    monkeypatch: pytest.MonkeyPatch,
    late: timedelta,
) -> None:
    """Also where APScheduler sees the new time before the step of the clock is seen."""
    wait_for_turns(scheduler, turns, 1)
    monkeypatch.setattr(main, "STEP_SECONDS", float("inf"))
    with structlog.testing.capture_logs() as said:
        clock.set(NOON.replace(hour=3) + DAY + late)
        scheduler._apscheduler.wakeup()  # noqa: SLF001  # As any job that is due does.
        wait_for(lambda: turns["rebuild"] or said, "the rebuild, or a line on it")
    assert (turns["rebuild"], [line["event"] for line in said]) == (
        (1, []) if late < timedelta(minutes=1) else (0, ["no rebuild this time"])
    )


def test_a_turn_that_fails_is_logged_without_values_and_the_job_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """So does the refresh, whose job ends with its turn then."""
    monkeypatch.setattr(main, "FAILED_PAUSE_SECONDS", 0.0)
    turns: Counter[str] = Counter()

    def fail(job: Job) -> float:
        turns[job.name] += 1
        raise ValueError("49151000001")

    monkeypatch.setattr(Job, "__call__", fail)
    scheduler = Scheduler(config.load(tmp_path / ".env"))
    with caplog.at_level(logging.DEBUG), structlog.testing.capture_logs() as said, scheduler.running():
        wait_for(lambda: turns["refresh"] > 1 and turns["verify"] > 1, "another turn")
    assert {(line["event"], line["log_level"]) for line in said} == {("unexpected failure", "error")}
    assert {"refresh", "verify"} <= {line["job"] for line in said}
    # APScheduler's own lines would have the error with its values.
    assert caplog.records == []


FAKED = "%Y-%m-%d %H:%M:%S"
SUCCESS = re.compile(
    r'^leads_projector_job_last_success_timestamp_seconds\{name="(\w+)"\} (\S+)$', re.MULTILINE
)


@pytest.mark.faketime
def test_a_scheduler_whose_clock_is_set_goes_on(database: Database, tmp_path: Path) -> None:
    file, port = tmp_path / "clock", free_port()

    def set_clock(moment: datetime) -> None:
        made = tmp_path / "made"
        made.write_text(f"@{moment:{FAKED}}")
        made.replace(file)

    def successes() -> dict[str, datetime]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
            page = answer.read().decode()
        at = {name: datetime.fromtimestamp(float(seconds), UTC) for name, seconds in SUCCESS.findall(page)}
        return defaultdict(lambda: datetime.min.replace(tzinfo=UTC), at)

    set_clock(NOON)
    settings = {
        "LEADS_METRICS_PORT": str(port),
        "LEADS_REBUILD_CRON": "0 3 * * *",
        # A turn of it can wait for the next slice.
        "LEADS_VERIFY_DAYS": "off",
        "LD_PRELOAD": str(FAKE_CLOCK),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_CACHE_DURATION": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "TZ": "UTC",
    }
    with running_scheduler(database.url, tmp_path, **settings) as scheduler:
        scheduler.wait_for_event("the projector runs")
        for number, step in enumerate(STEPS, 1):
            set_clock(NOON + step)
            scheduler.wait_for_event("the clock jumped", times=number)

            def are_done(since: datetime = NOON + step) -> bool:
                done = successes()
                at = [done[name] for name in ("refresh", "upkeep", "verify", "prune")]
                return all(since <= moment < since + timedelta(minutes=1) for moment in at)

            wait_for(are_done, "each job at work by the new clock", sees=successes)
            assert "rebuild" not in successes()
        set_clock(NOON.replace(hour=2, minute=59, second=57))
        wait_for(lambda: "rebuild" in successes(), "the rebuild")
        assert scheduler.terminate() == 0
    assert [line for line in scheduler.logged() if line["level"] in ("warning", "error")] == []
