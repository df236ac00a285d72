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
from tests.support.server import Database


def page(port: int, address: str = "127.0.0.1") -> str:
    with urllib.request.urlopen(f"http://{address}:{port}/metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        return str(answer.read().decode())


def value(text: str, name: str) -> float:
    [line] = [line for line in text.splitlines() if line.startswith(f"{name} ")]
    return float(line.split()[-1])


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
