"""The counters, as the modules that use them set them."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from prometheus_client import REGISTRY

from api.plan.projection import FRESHNESS
from tests.support.commands import environment
from tests.support.running import wait_for
from tests.support.server import Database
from tests.unit.api.conftest import MakeApp

IN_USE, WAITING = "leads_api_pool_connections_in_use", "leads_api_pool_waiting"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


# prometheus_client looks for the folder of the workers when it is imported.
IMPORTS = """
import sys, api.__main__
assert "prometheus_client" not in sys.modules
from api.app import Config, create_app
create_app(Config("postgresql://x"))
assert "opentelemetry" not in sys.modules
"""


def test_what_is_not_asked_for_is_not_imported() -> None:
    subprocess.run([sys.executable, "-c", IMPORTS], env=environment(), check=True)


def test_the_pool_is_counted_while_a_statement_runs_and_while_one_waits(
    database: Database, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.database.pool.POOL_TIMEOUT_SECONDS", 60)
    reader = make_app(database, threads=1, statement_timeout_ms=60_000).extensions["leads"].database
    before = value(IN_USE), value(WAITING)
    with database.connect() as conn, ThreadPoolExecutor(4) as threads:
        with conn.transaction():
            conn.execute("LOCK TABLE read_model.freshness IN ACCESS EXCLUSIVE MODE")
            # One thread has three connections: two keys may have to be looked up while a statement waits.
            asked = [threads.submit(reader.fetch, FRESHNESS) for _ in range(4)]
            wait_for(lambda: (value(IN_USE), value(WAITING)) == (before[0] + 3, before[1] + 1), "all wait")
        assert [one.result(60).as_of is None for one in asked] == [False] * 4
    assert (value(IN_USE), value(WAITING)) == before
