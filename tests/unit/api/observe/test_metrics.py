"""What is counted of the requests."""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from unittest.mock import Mock

from flask.testing import FlaskClient
from prometheus_client import generate_latest

from api.database.errors import UnavailableError
from api.routes.metrics import AllMetrics
from tests.support.commands import environment
from tests.unit.api.conftest import Library

BASE = "/users/<user_id>/leads"


def samples(text: str) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}


def counted(client: FlaskClient, route: str, status: str) -> float:
    found = samples(client.get("/metrics").get_data(as_text=True))
    return found.get(f'leads_api_request_seconds_count{{route="{route}",status="{status}"}}', 0)


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
    nowhere = Mock(fetch=Mock(side_effect=UnavailableError))
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
            found = samples(generate_latest(AllMetrics(lambda: nullcontext(nowhere), str(tmp_path))).decode())
            return found["leads_api_requests_in_flight"], found["leads_api_rate_limited_total"]

        assert told() == (2, 2)
        workers[0].kill()
        workers[0].wait()
        assert told() == (1, 2)
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    assert not os.environ.get("PROMETHEUS_MULTIPROC_DIR")
