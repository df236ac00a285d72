"""Everything on one machine: what `make run` starts, and how it ends."""

import dataclasses
import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import sysconfig
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

import projector as projector_package
from projector import config
from projector.trial.postgres import local
from projector.trial.postgres.embedded import EmbeddedServer
from projector.trial.postgres.ports import free_port
from tests.support.commands import ROOT, environment, projector
from tests.support.patience import PATIENCE
from tests.support.running import write_conversations, write_source
from tests.support.server import Database
from tests.unit.projector.recovering import Connection, healed

TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"
LAST_LINE = "Ctrl-C stops all of it."


@dataclass
class Running:
    """A started `projector local`, in a process group of its own as at a terminal."""

    process: subprocess.Popen[str]
    port: int
    output: Path

    def said(self) -> str:
        return self.output.read_text()

    def wait_for(self, words: str) -> None:
        deadline = time.monotonic() + PATIENCE
        while words not in self.said():
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.05)

    def get(self, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=PATIENCE) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code

    def children(self) -> dict[int, str]:
        """The command lines of the other processes of its group; of those that run, not of any that has just ended."""
        listed = subprocess.run(
            ["ps", "-e", "-o", "pid=,pgid=,stat=,args="], check=True, capture_output=True, text=True
        ).stdout
        rows = [line.split(None, 3) for line in listed.splitlines()]
        group = str(self.process.pid)
        return {
            int(pid): args
            for pid, of_group, state, args in rows
            if of_group == group and pid != group and not state.startswith("Z")
        }


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Running]:
    port = free_port()
    output = folder / f"output-{port}"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "projector", "local"],
            cwd=folder,
            env=environment(PORT=str(port), **settings),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    started = Running(process, port, output)
    try:
        yield started
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait(PATIENCE)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; the database that is made in it is deleted afterwards."""
    # The user who runs PostgreSQL passes through these.
    for path in (tmp_path, *tmp_path.parents[:2]):
        path.chmod(0o755)
    yield tmp_path
    EmbeddedServer(tmp_path / ".leads").remove()


def hinted(started: Running, name: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the line for a command that it suggests, in another folder and in a shell of its own."""
    [line] = [line for line in started.said().splitlines() if line.rstrip(")").endswith(f" {name}")]
    folder.mkdir(exist_ok=True)
    plain = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return subprocess.run(
        line, check=False, shell=True, cwd=folder, env=plain, capture_output=True, text=True
    )


def test_starts_everything_stops_all_on_ctrl_c_and_keeps_the_data(folder: Path) -> None:
    server = EmbeddedServer(folder / ".leads")
    with running(folder) as first:
        first.wait_for(LAST_LINE)
        assert f"curl 'http://localhost:{first.port}/users/{TENANT}/leads/918979556941'" in first.said()
        assert first.get(f"/users/{TENANT}/leads/918979556941") == 200
        # The first thing that is to be looked at.
        told = first.said().rpartition("\n\nPage ")[2]
        assert told.strip().startswith(f"http://localhost:{first.port}/ ")
        assert first.get("/") == 200
        assert hinted(first, "status", folder / "elsewhere").returncode == 0
        password = (server.folder / "password").read_text()
        assert password not in first.said()
        assert server.is_running()
        # As a terminal does it: to the whole group, and once more while it stops.
        os.killpg(first.process.pid, signal.SIGINT)
        first.wait_for("Stopping ...")
        os.killpg(first.process.pid, signal.SIGINT)
        assert first.process.wait(PATIENCE) == 0
        assert "Traceback" not in first.said()
        assert first.children() == {}
        assert not server.is_running()
    with running(folder) as second:
        second.wait_for(LAST_LINE)
        assert "Loaded demo data" not in second.said()
        assert second.get(f"/users/{TENANT}/leads/918979556941") == 200
        second.process.terminate()
        assert second.process.wait(PATIENCE) == 0
        assert second.children() == {}
        assert not server.is_running()


@pytest.mark.parametrize(("module", "name"), [("projector run", "projector"), ("api", "API")])
def test_stops_all_when_a_part_ends_by_itself(folder: Path, module: str, name: str) -> None:
    with running(folder) as started:
        started.wait_for(LAST_LINE)
        # The workers of the API have the same command line; the first is the one that we started.
        pid = min(pid for pid, line in started.children().items() if line.endswith(f"-m {module}"))
        os.kill(pid, signal.SIGKILL)
        assert started.process.wait(PATIENCE) == 1
        assert f"Error: The {name} ended by signal 9." in started.said()
        assert not EmbeddedServer(folder / ".leads").is_running()
        deadline = time.monotonic() + PATIENCE
        while started.children():
            assert time.monotonic() < deadline, started.children()
            time.sleep(0.05)


def test_what_cannot_start_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = projector(tmp_path, "local", PORT=str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: Port {port} of 127.0.0.1 is in use: stop what listens there, or set PORT to another.\n"
    )
    done = projector(tmp_path, "local", PORT=str(free_port()), HOST="192.0.2.1")
    assert done.returncode == 1
    assert "set HOST and PORT to others" in done.stderr
    for url in ("postgresql://user:secret@127.0.0.1:1/db", "mysql://user:secret@127.0.0.1/db"):
        done = projector(tmp_path, "local", PORT=str(free_port()), DATABASE_URL=url)
        assert done.returncode == 1
        assert "secret" not in done.stderr + done.stdout
        assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_the_platform_is_left_as_it_is(tmp_path: Path, empty_database: Database) -> None:
    done = projector(tmp_path, "local", PORT=str(free_port()), DATABASE_URL=empty_database.url)
    assert done.returncode == 1
    assert "users" in done.stderr
    with psycopg.connect(empty_database.url) as conn:
        query = "SELECT count(*) FROM pg_namespace WHERE nspname IN ('projector', 'read_model')"
        assert conn.execute(query).fetchone() == (0,)


def test_the_curl_lines_are_for_a_tenant_and_a_lead_of_the_database(
    tmp_path: Path, source_database: Database
) -> None:
    with psycopg.connect(source_database.url, autocommit=True) as conn:
        write_source(conn, "small")
        write_source(conn, "it's large")
        write_conversations(conn, 1, "it's large", first=2)
    with running(tmp_path, DATABASE_URL=source_database.url, LEADS_LOG_FORMAT="json") as started:
        started.wait_for(LAST_LINE)
        assert TENANT not in started.said()
        lines = re.findall(r"^  (curl .*)$", started.said(), re.MULTILINE)
        assert len(lines) == 3
        for line in lines:
            done = subprocess.run(f"{line} -sf", check=False, shell=True, capture_output=True, text=True)
            assert done.returncode == 0, line
        assert "/users/it%27s%20large/leads/49151000001'" in lines[2]
        # The password is not repeated: the line says what to set.
        assert "(with DATABASE_URL set as here)" in started.said()
        assert source_database.url not in started.said()
        logged = [line for line in started.said().splitlines() if '"event"' in line]
        assert any(json.loads(line)["event"] == "the projector runs" for line in logged)


def test_a_database_of_the_platform_gets_no_demo_data(tmp_path: Path, source_database: Database) -> None:
    with running(tmp_path, DATABASE_URL=source_database.url, LEADS_PAGE="off") as started:
        started.wait_for(LAST_LINE)
        assert "\nPage " not in started.said()
        assert "curl" not in started.said()
        assert "There is no lead to try yet." in started.said()
        assert started.get(f"/users/{TENANT}/leads/stats") == 200
        assert started.get(f"/users/{TENANT}/leads/918979556941") == 404
        started.process.terminate()
        assert started.process.wait(PATIENCE) == 0
    with psycopg.connect(source_database.url) as conn:
        assert conn.execute("SELECT count(*) FROM users").fetchone() == (0,)
    assert not (tmp_path / ".leads").exists()


def test_a_hint_runs_in_any_folder_and_repeats_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    settings = config.load(Path("there is no such file"))
    python = shlex.quote(sys.executable)
    assert local.hint("status", settings, is_embedded=True) == f"(cd {ROOT} && {python} -m projector status)"
    elsewhere = dataclasses.replace(settings, state_dir=Path("/srv/my leads"))
    assert local.hint("status", elsewhere, is_embedded=True) == (
        f"(cd {ROOT} && LEADS_STATE_DIR='/srv/my leads' {python} -m projector status)"
    )
    for url in ("postgresql://host/db", "host=h dbname=d"):
        named = dataclasses.replace(settings, database_url=url)
        assert f"--database-url {shlex.quote(url)} status" in local.hint("status", named, is_embedded=False)
    for url in ("postgresql+psycopg://u:secret@host/db", "host=h password=secret"):
        named = dataclasses.replace(settings, database_url=url)
        assert local.needs_url(named)
        assert "secret" not in local.hint("status", named, is_embedded=False)
    # An installed program needs no folder.
    monkeypatch.setattr(projector_package, "__file__", str(tmp_path / "projector" / "__init__.py"))
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    line = local.hint("status", settings, is_embedded=True)
    assert line == f"LEADS_STATE_DIR={ROOT}/.leads {python} -m projector status"


def test_the_example_is_the_lead_of_the_documents_else_one_of_the_largest_tenant(
    built: Connection, other: Connection
) -> None:
    write_source(other, "a")
    write_conversations(other, 1, "a", first=2)
    healed(built)
    assert local.find_example(built) == local.ExampleLead("a", "49151000001")
    write_source(other, TENANT)
    healed(built)
    found = local.find_example(built)
    assert found is not None
    assert found.user_id == TENANT
    assert local.requests("http://host", local.ExampleLead("it's a/b", "web 1/2"))[2] == (
        "curl 'http://host/users/it%27s%20a%2Fb/leads/web%201%2F2'"
    )
