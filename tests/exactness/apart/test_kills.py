"""A projector that is killed at every point of its work with two databases: what comes after makes both exact."""

from random import Random

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.report.progress import QUIET
from projector.sides import both, on_read_model
from projector.sweep import recovery
from tests.exactness.crash_worker import NAME, kill_at
from tests.exactness.interleaving import FIRST_BUILD_POINTS, IN_PLACE_POINTS, REFRESH_POINTS
from tests.exactness.platform import assert_exact, forget_build, rebuild_now, refresh_now, value
from tests.support import edge_cases
from tests.support.mutations import mutate
from tests.support.running import wait_for
from tests.support.server import Database

BETWEEN = "between the commits"
POINTS = (
    *(("refresh", point) for point in (*REFRESH_POINTS, BETWEEN)),
    *(("first_build", point) for point in (*FIRST_BUILD_POINTS, BETWEEN)),
    *(("in_place", point) for point in (*IN_PLACE_POINTS, BETWEEN)),
)
# On Citus the first build goes lead by lead, as a rebuild in place does.
POINTS_ON_CITUS = (
    *(("refresh", point) for point in (*REFRESH_POINTS, BETWEEN)),
    ("first_build", "written"),
    ("in_place", BETWEEN),
)
CASES = (
    *(("postgresql", *case) for case in POINTS),
    *(("citus", *case) for case in POINTS_ON_CITUS),
    *(pytest.param("coordinator", *case, marks=pytest.mark.citus) for case in POINTS_ON_CITUS),
)
# What follows the read model's commit is what one database does not know: there the process dies three times.
TIMES = {BETWEEN: 3}


def change(database: Database, rng: Random, count: int = 15) -> None:
    with Database(database.url, database.name).connect() as platform:
        for _ in range(count):
            mutate(rng, platform, replica=True)


def has_killed_session(side: psycopg.Connection[TupleRow]) -> bool:
    """Whether its server has yet to notice that the process is dead."""
    return bool(
        value(
            side,
            "SELECT count(*) > 0 FROM pg_stat_activity"
            " WHERE application_name = %s AND datname = current_database()",
            NAME,
        )
    )


@pytest.mark.parametrize(("engine", "work", "point"), CASES, indirect=["engine"])
def test_a_projector_may_be_killed_at_any_point(database: Database, work: str, point: str) -> None:
    rng = Random(f"{work} {point}")
    with database.connect() as conn:
        edge_cases.write(conn, edge_cases.generate(rng, 30))
        rebuild_now(conn)
        change(database, rng)
        died = 0
        for number in range(1, TIMES.get(point, 1) + 1):
            if work == "first_build":
                forget_build(conn)
            if work == "in_place":
                on_read_model(conn).execute("UPDATE read_model.leads SET document = 'wrong'")
            died += kill_at(database.url, work, point, number, database.read_model_url)
            change(database, rng, 5)
        assert died
        wait_for(
            lambda: not any(map(has_killed_session, both(conn))), "the end of the sessions of the killed"
        )
        recovery.refresh_and_heal(conn, retry_failed=True, progress=QUIET)
        refresh_now(conn)
        if work == "in_place":
            rebuild_now(conn)
        assert_exact(conn)
