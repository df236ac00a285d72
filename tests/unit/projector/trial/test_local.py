"""Everything on one machine: what `make run` starts, and how it ends."""

import dataclasses
import os
import shlex
import signal
import socket
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import projector as projector_package
from projector import config
from projector.database.rows import Connection
from projector.operate.install import migrate
from projector.trial.demo import SHOWCASE_USER_ID
from projector.trial.postgres import local
from projector.trial.postgres.embedded import EmbeddedServer
from tests.support.commands import ROOT, run_command, started
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.running import value, wait_until, write_message, write_source
from tests.support.server import connect
from tests.unit.projector.recovering import healed

TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"


@pytest.fixture(autouse=True)
def _signals_as_before() -> Iterator[None]:
    """A run ignores signals while it ends; the programs that a test starts would ignore them too."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


def test_what_cannot_start_is_told_in_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_command(tmp_path, "local", PORT=str(port))
    assert done.returncode == 1
    assert done.stderr == (
        f"Error: Port {port} of 127.0.0.1 is in use: stop what listens there, or set PORT to another.\n"
    )
    done = run_command(tmp_path, "local", PORT=str(free_port()), HOST="192.0.2.1")
    assert done.returncode == 1
    assert "set HOST and PORT to others" in done.stderr
    for url in ("postgresql://user:secret@127.0.0.1:1/db", "mysql://user:secret@127.0.0.1/db"):
        done = run_command(tmp_path, "local", PORT=str(free_port()), DATABASE_URL=url)
        assert done.returncode == 1
        assert "secret" not in done.stderr + done.stdout
        assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_hint_runs_in_any_folder_and_repeats_no_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(ROOT)
    settings = dataclasses.replace(config.load(Path("nothing")), database_url="postgresql://u:secret@host/db")
    elsewhere = dataclasses.replace(settings, state_dir=Path("/srv/my leads"))
    python, folder = shlex.quote(sys.executable), shlex.quote(str(ROOT))
    for chosen, is_embedded, set_before in (
        (settings, True, ""),
        (elsewhere, True, "LEADS_STATE_DIR='/srv/my leads' "),
        (elsewhere, False, ""),
    ):
        line = local.hint("status", chosen, is_embedded=is_embedded)
        assert line == f"(cd {folder} && {set_before}{python} -m projector status)"
    # An installed program needs no folder.
    monkeypatch.setattr(projector_package, "__file__", str(tmp_path / "projector" / "__init__.py"))
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    line = local.hint("status", settings, is_embedded=True)
    state = shlex.quote(f"{ROOT}/.leads")
    assert line == f"LEADS_STATE_DIR={state} {python} -m projector status"


def test_the_example_is_the_lead_of_the_documents_else_the_last_active_one(
    built: Connection, other: Connection
) -> None:
    write_source(other, "a")
    write_message(other, "m", tenant="a")
    healed(built)
    assert local.find_example(built) == ("a", "49151000001")
    write_source(other, TENANT)
    healed(built)
    example = local.find_example(built)
    assert example is not None
    assert example[0] == TENANT
    assert local.requests("http://host", "it's a/b", "web 1/2")[2] == (
        "curl 'http://host/users/it%27s%20a%2Fb/leads/web%201%2F2'"
    )


def test_somebody_writes_into_the_demo_of_the_embedded_server_alone(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    for settings, is_talking in (
        ("", True),
        ("LEADS_TRIAL_STILL=1", False),
        ("DATABASE_URL=postgresql://u@host/db", False),
    ):
        file.write_text(settings)
        assert local.is_talking(config.load(file)) is is_talking


def test_a_run_shares_the_server_and_goes_on_with_the_demo(
    start_server: Callable[..., EmbeddedServer], tmp_path: Path
) -> None:
    server = start_server(fast=True)
    # As another run in this folder would.
    server.join()
    with connect(server.url()) as conn:
        migrate(conn, create_source=True)
        write_source(conn, SHOWCASE_USER_ID)
        write_message(conn, "m", text="thanks a lot, that was quick!", tenant=SHOWCASE_USER_ID)
        log = tmp_path / "log"
        settings = {"LEADS_STATE_DIR": str(server.state), "PORT": str(free_port())}
        with started(["-m", "projector", "local"], tmp_path, log, **settings) as run:
            wait_until(conn, "sum(total_messages) = 2 FROM read_model.leads")
            # As a terminal does: to all that is in the foreground.
            os.killpg(run.pid, signal.SIGINT)
            assert run.wait(PATIENCE) == 0
        said = log.read_text()
        assert "It runs already: another run in this folder shares it." in said
        assert "LEADS_TRIAL_STILL=1 stops that" in said
        # Its children get one signal. Two at once can keep the API from ending.
        assert '"signal": "SIGTERM"' in said
        assert "SIGINT" not in said
        assert said.endswith("PostgreSQL goes on for the other run in this folder; the last one stops it.\n")
        assert value(conn, "SELECT count(*) FROM messages WHERE sender = 'agent'") == 1
    assert not server.leave()
