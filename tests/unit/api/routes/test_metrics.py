"""The page for Prometheus, and the port of its own that an operator may give it."""

import re
import socket
from datetime import UTC, datetime
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.__main__ import serve
from api.config import Config
from api.routes import metrics
from projector.trial.postgres.embedded import free_port
from tests.support.commands import logging_as_before
from tests.support.patience import PATIENCE
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.observe.test_metrics import BASE, samples
from tests.unit.api.serving import get, served


def test_the_age_of_the_read_model(client: FlaskClient, make_app: MakeApp) -> None:
    text = client.get("/metrics").get_data(as_text=True)
    assert re.search(r"^leads_api_data_age_seconds -?[0-9.e+]+$", text, re.MULTILINE)
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", "")
    answer = make_app(nowhere, log_level="ERROR").test_client().get("/metrics")
    assert answer.status_code == 200
    assert "leads_api_data_age_seconds" not in answer.get_data(as_text=True)
    assert "leads_verify" not in answer.get_data(as_text=True)


def test_how_far_the_verify_is_and_what_it_found(database: Database, make_app: MakeApp) -> None:
    def metrics() -> dict[str, float]:
        text = make_app(database).test_client().get("/metrics").get_data(as_text=True)
        return {
            name: float(number)
            for name, number in re.findall(r"^(leads_verify_\w+) (\S+)$", text, re.MULTILINE)
        }

    found = metrics()
    assert found["leads_verify_open_differences"] == found["leads_verify_found_differences_total"] == 0
    assert "leads_verify_proved_timestamp_seconds" not in found
    with database.connect() as conn:
        conn.execute(
            "UPDATE read_model.projection SET proved_at = '2026-11-25 01:00:00+00', round_done = 0.25,"
            " open_differences = 2, found_differences = 5"
        )
    found = metrics()
    assert found["leads_verify_proved_timestamp_seconds"] == datetime(2026, 11, 25, 1, tzinfo=UTC).timestamp()
    assert found["leads_verify_round_done_ratio"] == 0.25
    assert found["leads_verify_open_differences"] == 2
    assert found["leads_verify_found_differences_total"] == 5


def test_the_counts_of_all_workers_are_on_the_other_port_and_not_on_the_first(
    library: Library, tmp_path: Path
) -> None:
    port = free_port()
    with served(library, tmp_path, LEADS_API_METRICS_PORT=str(port), LEADS_API_WORKERS="2") as server:
        assert [server.get(library.base)[0] for _ in range(12)] == [200] * 12
        assert server.get("/metrics")[0] == 404
        # It answers on while somebody says nothing.
        with socket.create_connection(("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
            status, headers, page = get(port, "/metrics")
    assert status == 200
    assert headers["content-type"].startswith("text/plain; version=")
    found = samples(page.decode())
    assert found[f'leads_api_request_seconds_count{{route="{BASE}",status="2xx"}}'] == 12
    assert found['leads_api_responses_total{code="200"}'] >= 12
    assert found["leads_api_requests_in_flight"] == found["leads_api_pool_connections_in_use"] == 0
    assert found["leads_api_data_age_seconds"] > 0
    assert found["leads_verify_open_differences"] == 0


def test_a_port_that_is_taken(
    library: Library, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, logging_as_before():
        port = str(taken.getsockname()[1])
        address = {"DATABASE_URL": library.database.url, "PORT": str(free_port())}
        # `serve` sets the last, and nothing else takes that back.
        settings = {**address, "LEADS_API_METRICS_PORT": port, "PROMETHEUS_MULTIPROC_DIR": "set by serve"}
        for name, text in settings.items():
            monkeypatch.setenv(name, text)
        with pytest.raises(SystemExit) as ended:
            serve()
    assert ended.value.code == 1
    said, names = capfd.readouterr().err, "LEADS_METRICS_HOST and LEADS_API_METRICS_PORT"
    assert f"{names}: cannot listen on 127.0.0.1:{port}" in said
    assert f"Stop the process that listens there, or set {names} differently." in said


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
