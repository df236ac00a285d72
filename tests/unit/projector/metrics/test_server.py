"""The metrics of a scheduler over HTTP, as an operator sets them up."""

import socket
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from projector import config
from projector.observe.metrics.server import serving
from projector.report.errors import ConfigurationError, ProjectorError
from projector.trial.postgres.ports import free_port
from tests.support.commands import projector
from tests.support.running import running_scheduler, wait_for, wait_until, write_message, write_source
from tests.support.server import Database
from tests.unit.projector.scheduler.running import Connection, build


def page(port: int, address: str = "127.0.0.1") -> str:
    with urllib.request.urlopen(f"http://{address}:{port}/metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return str(answer.read().decode())


def value(text: str, name: str) -> float:
    [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[-1])


def test_a_scheduler_prints_what_it_does_and_how_the_read_model_is(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    build(connection)
    port = free_port()
    with running_scheduler(database.url, tmp_path, LEADS_METRICS_PORT=str(port)) as scheduler:
        scheduler.wait_for_event("metrics")
        write_source(connection)
        write_message(connection, "m-secret", text="a text of a customer")
        wait_until(connection, "count(*) = 1 FROM read_model.lead_messages")
        wait_until(connection, "count(*) = 0 FROM projector.changes")
        wait_for(lambda: value(page(port), "leads_projector_queue_changes") == 0, "an empty queue")
        text = page(port)
        assert value(text, "leads_projector_batch_seconds_count") >= 1
        assert value(text, 'leads_projector_refreshed_rows_total{kind="message"}') == 1
        assert value(text, 'leads_projector_capture_state{state="intact"}') == 1
        assert value(text, "process_resident_memory_bytes") > 0
        for secret in ("a text of a customer", "m-secret", "49151000001", "a-u"):
            assert secret not in text
        assert scheduler.terminate() == 0
    with pytest.raises(urllib.error.URLError):
        page(port)


def test_a_port_that_is_taken_and_an_address_that_is_not_ours(
    database: Database, connection: Connection, tmp_path: Path
) -> None:
    build(connection)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = projector(tmp_path, "run", DATABASE_URL=database.url, LEADS_METRICS_PORT=port)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1:{port}" in done.stderr
    done = projector(
        tmp_path, "run", DATABASE_URL=database.url, LEADS_METRICS_PORT=port, LEADS_METRICS_HOST="192.0.2.1"
    )
    assert done.returncode == 2
    assert "Set LEADS_METRICS_HOST to an address of this machine" in done.stderr


def test_a_server_that_could_not_start_leaves_nothing_behind(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    settings = config.load(tmp_path / ".env")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ProjectorError), serving(replace(settings, metrics_port=port)):
            pass
    with (
        pytest.raises(ConfigurationError),
        serving(replace(settings, metrics_port=port, metrics_host="192.0.2.1")),
    ):
        pass
    with serving(replace(settings, metrics_port=port)):
        assert value(page(port), "leads_projector_database_up") == 1
    with pytest.raises(urllib.error.URLError):
        page(port)
