"""The process of the scheduler, from outside: source rows in, read model out, signals and kills."""

import signal
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from marshmallow import ValidationError

from projector.config import read_cron
from projector.operate.install import migrate
from projector.scheduler import main
from projector.scheduler.cron import cron_trigger
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.commands import run_command
from tests.support.running import (
    running_scheduler,
    wait_until,
    write_message,
    write_source,
)
from tests.support.server import Database, connect


def test_it_does_not_start_where_nothing_is_installed(source_database: Database, tmp_path: Path) -> None:
    done = run_command(tmp_path, "--database-url", source_database.url, "run")
    assert done.returncode == 1
    assert "run migrate" in done.stderr
    # What this process starts can be ended by a signal.
    assert not main.ENDING & signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_cron_expressions_are_cron_s() -> None:
    # 2026-11-25 is a Wednesday, and cron's week begins with Sunday.
    for expression, after, expected in (
        ("23 * * * *", "2026-11-25T01:24", "2026-11-25T02:23"),
        ("0 3 * * sat-sun", "2026-11-28T12:00", "2026-11-29T03:00"),
        ("0 3 * * 0-2", "2026-11-25T00:00", "2026-11-29T03:00"),
        ("0 3 * * */3", "2026-11-25T04:00", "2026-11-28T03:00"),
        ("0 3 * * mon,4", "2026-11-24T04:00", "2026-11-26T03:00"),
        ("*/15 3 1 jan *", "2026-11-25T00:00", "2027-01-01T03:00"),
    ):
        found = cron_trigger(expression).get_next_fire_time(None, datetime.fromisoformat(f"{after}:00+00:00"))
        assert found == datetime.fromisoformat(f"{expected}:00+00:00"), expression
    for valid in ("0,30 8-18/2 1 jan,jul 1", "0 3 * * FRI-mon"):
        read_cron(valid)
    for other in (
        "0 3 * * 7",
        "0 3 * * 1/2",
        "0 3 * * foo",
        "0 3 last * *",
        "0 3 * * 1-2-3",
        "60 3 * * *",
        "*/0 * * * *",
        ", * * * *",
        "0 3 * *",
        "0 3 * * * *",
    ):
        with pytest.raises(ValidationError, match="has to be a cron expression"):
            read_cron(other)


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
