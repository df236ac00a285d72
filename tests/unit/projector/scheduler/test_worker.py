"""A database that goes away and comes back."""

from collections.abc import Callable
from pathlib import Path

from projector.operate.install import migrate
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.running import (
    running_scheduler,
    wait_until,
    write_message,
    write_source,
)
from tests.support.server import connect


def test_it_waits_for_a_database_that_goes_away_and_says_so_once(
    start_server: Callable[..., EmbeddedServer], tmp_path: Path
) -> None:
    server = start_server()
    with connect(server.url()) as conn:
        migrate(conn, create_source=True)
        write_source(conn)
    with running_scheduler(server.url(), tmp_path) as scheduler:
        with connect(server.url()) as conn:
            wait_until(conn, "count(*) = 1 FROM read_model.leads")
        server.stop(mode="immediate")
        scheduler.wait_for_event("the database is gone; trying again until it is back")
        server.start()
        scheduler.wait_for_event("the database is back")
        with connect(server.url()) as conn:
            write_message(conn, "m1")
            wait_until(conn, "count(*) = 1 FROM read_model.lead_messages")
        assert scheduler.terminate() == 0
        told = [line["event"] for line in scheduler.logged() if line["level"] in ("warning", "error")]
        assert told == ["the database is gone; trying again until it is back"]


def test_it_starts_before_its_database_and_ends_without_it(
    start_server: Callable[..., EmbeddedServer], tmp_path: Path
) -> None:
    server = start_server(fast=True)
    with connect(server.url()) as conn:
        migrate(conn, create_source=True)
    server.stop()
    with running_scheduler(server.url(), tmp_path) as scheduler:
        scheduler.wait_for_event("the database is gone; trying again until it is back")
        scheduler.wait_for_event("the projector runs")
        server.start()
        with connect(server.url()) as conn:
            wait_until(conn, "built_at IS NOT NULL FROM read_model.projection")
        server.stop()
        scheduler.wait_for_event("the database is gone; trying again until it is back", times=2)
        assert scheduler.terminate() == 0
