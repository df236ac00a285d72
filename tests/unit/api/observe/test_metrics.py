"""What is counted of requests and connections, the page for Prometheus, and the port that an operator may give it."""

import os
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path
from subprocess import PIPE
from threading import Semaphore
from unittest.mock import Mock
from urllib.request import urlopen

import pytest
from flask.testing import FlaskClient
from prometheus_client import REGISTRY, generate_latest

from api.config import Config
from api.database.errors import UnavailableError
from api.database.pool import Database as Reader
from api.observe import shared_folder as folders
from api.observe.shared_folder import shared_folder
from api.plan.projection import FRESHNESS
from api.request.error_codes import ErrorCode
from api.routes import metrics
from api.routes.metrics import AllMetrics
from tests.support.commands import environment
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.running import wait_for
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.serving import get, served

BASE = "/users/<user_id>/leads"


def samples(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def counted(client: FlaskClient, route: str, status: str) -> float:
    values = samples(client.get("/metrics").get_data(as_text=True))
    return values.get(f'leads_api_request_seconds_count{{route="{route}",status="{status}"}}', 0)


def test_requests_are_counted_by_the_pattern_of_their_path_and_the_class_of_their_status(
    client: FlaskClient, library: Library
) -> None:
    asked = {
        (BASE, "2xx"): library.base,
        (BASE, "4xx"): f"{library.base}?limit=0",
        (f"{BASE}/stats", "2xx"): f"{library.base}/stats",
        (f"{BASE}/<customer_phone>", "4xx"): f"{library.base}/1",
        (f"{BASE}/<customer_phone>/messages", "2xx"): f"{library.base}/{library.phone}/messages",
        ("/health/live", "2xx"): "/health/live",
        ("none", "4xx"): "/nothing",
    }
    before = {key: counted(client, *key) for key in asked}
    for path in asked.values():
        client.get(path)
    assert {key: counted(client, *key) - before[key] for key in asked} == dict.fromkeys(asked, 1)
    client.get(f"/nothing/{library.tenant}/{library.phone}")
    text = client.get("/metrics").get_data(as_text=True)
    assert library.tenant not in text
    assert library.phone not in text


def test_what_a_dead_worker_had_in_hand_is_forgotten_and_what_it_counted_is_not(tmp_path: Path) -> None:
    """Two workers, of which one was killed in the middle of a request."""
    nowhere = Mock(fetch=Mock(side_effect=UnavailableError("", ErrorCode.BUSY)))
    work = (
        "import os, sys; from api.observe import meters; meters.IN_FLIGHT.inc(); meters.RATE_LIMITED.inc();"
        " print('ready', flush=True); sys.stdin.read()"
    )
    shared = environment(PROMETHEUS_MULTIPROC_DIR=str(tmp_path))
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", work], env=shared, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for _ in range(2)
    ]
    try:
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"ready\n"

        def told() -> tuple[float, float]:
            values = samples(
                generate_latest(AllMetrics(lambda: nullcontext(nowhere), str(tmp_path))).decode()
            )
            return values["leads_api_requests_in_flight"], values["leads_api_rate_limited_total"]

        assert told() == (2, 2)
        workers[0].kill()
        workers[0].wait()
        assert told() == (1, 2)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert not os.environ.get("PROMETHEUS_MULTIPROC_DIR")


IN_USE, WAITING = "leads_api_pool_connections_in_use", "leads_api_pool_waiting"


def value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


# prometheus_client looks for the folder of the workers when it is imported.
IMPORTS = """
import sys, api.__main__
assert "prometheus_client" not in sys.modules
from api.server.app import Config, create_app
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
        assert [future.result(60).as_of is None for future in asked] == [False] * 4
    assert (value(IN_USE), value(WAITING)) == before


def test_how_far_the_verify_is_and_what_it_found(database: Database, make_app: MakeApp) -> None:
    client = make_app(database).test_client()

    def told() -> dict[str, float]:
        values = samples(client.get("/metrics").get_data(as_text=True))
        return {name: number for name, number in values.items() if name.startswith("leads_verify_")}

    differences = {"leads_verify_open_differences": 0, "leads_verify_found_differences_total": 0}
    assert differences.items() <= told().items()
    assert "leads_verify_proved_timestamp_seconds" not in told()
    with database.connect() as conn:
        conn.execute(
            "UPDATE read_model.projection SET proved_at = '2026-11-25 01:00:00+00', round_done = 0.25,"
            " open_differences = 2, found_differences = 5"
        )
    assert told() == {
        "leads_verify_proved_timestamp_seconds": datetime(2026, 11, 25, 1, tzinfo=UTC).timestamp(),
        "leads_verify_round_done_ratio": 0.25,
        "leads_verify_open_differences": 2,
        "leads_verify_found_differences_total": 5,
    }


def test_the_counts_of_all_workers_are_on_the_other_port_and_not_on_the_first(
    library: Library, tmp_path: Path
) -> None:
    port = free_port()
    with served(
        library.database, tmp_path, LEADS_API_METRICS_PORT=str(port), LEADS_API_WORKERS="2"
    ) as server:
        # One that is still starting would miss the signal to end.
        for number in (1, 2):
            server.wait_for_line(f"Started worker-{number}")
        assert [server.get(library.base)[0] for _ in range(12)] == [200] * 12
        assert server.get("/metrics")[0] == 404
        # It answers on while somebody says nothing.
        with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            status, headers, page = get(port, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    values = samples(page.decode())
    assert values[f'leads_api_request_seconds_count{{route="{BASE}",status="2xx"}}'] == 12
    assert values['leads_api_responses_total{code="200"}'] >= 12
    assert values["leads_api_requests_in_flight"] == values["leads_api_pool_connections_in_use"] == 0
    assert values["leads_api_data_age_seconds"] > 0
    assert values["leads_verify_open_differences"] == 0


def test_a_caller_who_says_nothing_is_let_go(
    library: Library, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(metrics._Handler, "timeout", 0.2)  # noqa: SLF001  # Ten seconds are too long for a test.
    server = metrics.serve(Config(library.database.url), "127.0.0.1", "")
    try:
        with socket.create_connection(("127.0.0.1", server.server_port), PATIENCE) as silent:
            assert silent.recv(1) == b""
    finally:
        server.shutdown()
        server.server_close()
    assert capsys.readouterr().err == ""


def test_scrapes_of_a_port_of_its_own_share_few_sessions(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_at_once, most = Semaphore(metrics.MAX_SESSIONS), 8

    class Counted(Reader):
        def __init__(self, config: Config) -> None:
            assert open_at_once.acquire(blocking=False)
            super().__init__(config)

        def close(self) -> None:
            super().close()
            open_at_once.release()

    monkeypatch.setattr(metrics, "Database", Counted)
    server = metrics.serve(Config(library.database.url), "127.0.0.1", "")
    try:
        address = f"http://127.0.0.1:{server.server_port}/metrics"
        with ThreadPoolExecutor(most) as callers:
            pages = list(callers.map(lambda _: urlopen(address, timeout=PATIENCE).read(), range(most)))
    finally:
        server.shutdown()
        server.server_close()
    assert all(b"leads_api_data_age_seconds" in page for page in pages)


def test_a_pipe_in_place_of_a_shared_folder_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(NotADirectoryError), folders._hold(tmp_path / "pipe"):  # noqa: SLF001
        pass


def test_a_shared_folder_that_a_killed_api_left_is_deleted_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    running = "from api.observe.shared_folder import shared_folder\nwith shared_folder(): print(flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", running], env=environment(TMPDIR=str(tmp_path)), stdin=PIPE, stdout=PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        [theirs] = tmp_path.iterdir()
        (theirs / "counter.db").touch()
        for is_killed in (False, True):
            with shared_folder() as own:
                assert set(tmp_path.iterdir()) == {Path(own)} | (set() if is_killed else {theirs})
            other.kill()
            other.wait()
    assert not [*tmp_path.iterdir()]
