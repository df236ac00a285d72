"""The embedded server, from its start to its removal."""

import os
import signal
from pathlib import Path

import psycopg
import pytest

from projector.report.errors import EmbeddedServerError
from projector.trial.postgres.embedded import EmbeddedServer
from projector.trial.postgres.ports import port_is_free
from tests.unit.projector.postgres.asking import StartServer, one, postmaster


def test_keeps_data_and_port_between_runs(start_server: StartServer) -> None:
    server = start_server(fast=True)
    url = server.url()
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1")
    assert server.stop()
    assert not server.is_running()
    assert server.start() == url
    assert one(server, "SELECT count(*) FROM kept") == 1


def test_a_second_start_finds_it_running(start_server: StartServer) -> None:
    server = start_server(fast=True)
    before = postmaster(server)
    assert EmbeddedServer(server.state, server.bin_folder).start() == server.url()
    assert postmaster(server) == before


def test_starts_again_after_its_postmaster_was_killed(start_server: StartServer) -> None:
    server = start_server()
    with psycopg.connect(server.url()) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1")
    os.kill(postmaster(server), signal.SIGKILL)
    server.start()
    assert one(server, "SELECT count(*) FROM kept") == 1


def test_listens_on_loopback_and_wants_the_password(start_server: StartServer) -> None:
    server = start_server(fast=True)
    assert one(server, "SHOW listen_addresses") == "127.0.0.1"
    password = (server.folder / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url().replace(password, "wrong"))
    assert server.folder.stat().st_mode & 0o077 == 0


def test_survives_a_crash_unless_it_is_made_fast(start_server: StartServer) -> None:
    assert one(start_server(), "SHOW fsync") == "on"
    assert one(start_server(fast=True), "SHOW fsync") == "off"


def test_says_why_it_does_not_start(start_server: StartServer) -> None:
    server = start_server(fast=True)
    server.stop()
    server.settings = {"shared_buffers": "nonsense"}
    with pytest.raises(EmbeddedServerError, match=r"did not start: .*leads\.conf"):
        server.start()


def test_says_that_there_is_none(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path)
    assert not server.is_running()
    assert not server.stop()
    with pytest.raises(EmbeddedServerError, match="server start"):
        server.url()


def test_removes_everything(start_server: StartServer) -> None:
    server = start_server(fast=True)
    port = int((server.folder / "port").read_text())
    folder = server.folder
    server.remove()
    assert not folder.exists()
    assert port_is_free("127.0.0.1", port)
