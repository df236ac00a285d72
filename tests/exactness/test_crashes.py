"""Death of a projector and of the server at every point: then recovery without a person."""

import signal
from collections.abc import Callable
from random import Random

import psycopg
import pytest

from projector.database.rows import values
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep import recovery
from projector.trial.postgres.embedded import EmbeddedServer
from tests.exactness import crash_worker
from tests.exactness.interleaving import (
    FIRST_BUILD_POINTS,
    IN_PLACE_POINTS,
    REFRESH_POINTS,
    rebuilding,
    refreshing,
)
from tests.exactness.platform import assert_verified, forget_build, rebuild_now
from tests.support import edge_cases
from tests.support.cases import repeated
from tests.support.mutations import mutate
from tests.support.patience import PATIENCE
from tests.support.running import wait_until
from tests.support.server import Database

POINTS = (
    *(("refresh", point) for point in REFRESH_POINTS),
    *(("first_build", point) for point in FIRST_BUILD_POINTS),
    *(("in_place", point) for point in IN_PLACE_POINTS),
)
SHORT = (
    ("refresh", "recomputed"),
    ("refresh", "written"),
    ("first_build", "keys"),
    ("first_build", "written"),
    ("first_build", "indexed"),
    ("first_build", "statistics"),
    ("in_place", "compared"),
    ("in_place", "written"),
)
LONG = 20
"""Kills at each point in the long mode: with the short ones, 226."""


def _fill(database: Database, rng: Random) -> None:
    with database.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(rng, 20))
        rebuild_now(conn)
        _change(database, rng)


def _change(database: Database, rng: Random, count: int = 10) -> None:
    with database.connect() as conn:
        for _ in range(count):
            mutate(rng, conn, replica=True)


def recover(database: Database, *, by_cron: bool = True) -> None:
    """Do what `refresh` from cron does next; or a scheduler, which goes on with a rebuild in place as well."""
    with database.connect() as conn:
        # The server notices the death of a client a moment later.
        ours = "datname = current_database() AND application_name IN ('killed', 'stepped')"
        wait_until(conn, f"count(*) = 0 FROM pg_stat_activity WHERE {ours}")
        if not by_cron:
            recovery.heal(conn, progress=QUIET)
            outcomes = values(conn, "SELECT outcome FROM projector.runs")
            assert "interrupted" in outcomes
            assert "running" not in outcomes
        recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
        assert_verified(conn)
        left = conn.execute(
            "SELECT name FROM projector.settings"
            " WHERE name NOT IN"
            " ('source_schemas', 'projection_version', 'installed_version', 'definitions', 'read_model_tables',"
            " 'mapping')"
            " UNION SELECT version FROM projector.sweep_positions"
        ).fetchall()
        assert left == []


@pytest.mark.parametrize(
    ("work", "point", "seed"),
    [
        *((work, point, 0) for work, point in SHORT[1::2]),
        *repeated(*((work, point, 0) for work, point in SHORT[::2])),
        *(
            pytest.param(work, point, seed, marks=pytest.mark.long)
            for work, point in POINTS
            for seed in range(1, LONG + 1)
        ),
    ],
)
def test_a_projector_killed_anywhere_loses_nothing(
    database: Database, work: str, point: str, seed: int
) -> None:
    rng = Random(f"{work} {point} {seed}")
    _fill(database, rng)
    if work == "first_build":
        with database.connect() as conn:
            forget_build(conn)
    count = 1 if work == "in_place" else rng.randint(1, 3)
    # If there was less work, it ended before.
    assert crash_worker.kill_at(database.url, work, point, count) or count > 1
    _change(database, rng, 3)
    recover(database, by_cron=work != "in_place")


KILLS = (("taken", 2), ("locked", 1), ("recomputed", 3), ("written", 2), ("written", 5))


@pytest.mark.parametrize(
    ("point", "count", "seed"),
    [
        *((point, count, 0) for point, count in KILLS[:2]),
        *repeated(*((point, count, 0) for point, count in KILLS[2:])),
        *(
            pytest.param(point, count, seed, marks=pytest.mark.long)
            for point, count in KILLS
            for seed in range(1, 21)
        ),
    ],
)
def test_of_two_projectors_that_share_a_queue_one_is_killed_and_nothing_is_lost(
    database: Database, point: str, count: int, seed: int
) -> None:
    rng = Random(f"{point} {count} {seed}")
    _fill(database, rng)
    _change(database, rng, 25)
    workers = [crash_worker.start(database.url, "share", point, dies_at) for dies_at in (count, 10**6)]
    _change(database, rng)
    for worker in workers:
        worker.join(PATIENCE)
    # The first one may have ended before it came to the point.
    assert workers[0].exitcode in {-signal.SIGKILL, 0}
    assert workers[1].exitcode == 0
    recover(database)


StartServer = Callable[..., EmbeddedServer]


@pytest.mark.parametrize(
    "crashes",
    [
        [("refresh", "written"), ("first_build", "indexed")],
        pytest.param([*POINTS] * 2, marks=pytest.mark.long),
    ],
)
def test_a_server_that_stops_at_once_anywhere_loses_nothing(
    start_server: StartServer, crashes: list[tuple[str, str]]
) -> None:
    server = start_server()
    rng = Random("server")
    database = Database(server.url(), "leads")
    with database.connect() as conn:
        database = Database(server.url(), str(conn.info.dbname))
        migrate(conn, create_source=True)
    _fill(database, rng)
    for work, point in crashes:
        _change(database, rng)
        if work == "first_build":
            with database.connect() as conn:
                forget_build(conn)
        run = refreshing if work == "refresh" else rebuilding
        with run(database, point) as stepped:
            server.stop(mode="immediate")
            with pytest.raises(psycopg.OperationalError):
                stepped.finish()
        server.start()
        recover(database, by_cron=work != "in_place")
