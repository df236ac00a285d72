"""Everything on one machine: what `make run` starts, and how it ends."""

import dataclasses
import shlex
import socket
import sys
import sysconfig
from pathlib import Path

import pytest

import projector as projector_package
from projector import config
from projector.database.rows import Connection
from projector.trial.postgres import local
from projector.trial.postgres.embedded import free_port
from tests.support.commands import ROOT, run_command
from tests.support.running import write_message, write_source
from tests.unit.projector.recovering import healed

TENANT = "789895c8-4bd6-43e9-bfea-a4171ec47197"


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
    python = shlex.quote(sys.executable)
    for chosen, is_embedded, set_before in (
        (settings, True, ""),
        (elsewhere, True, "LEADS_STATE_DIR='/srv/my leads' "),
        (elsewhere, False, ""),
    ):
        line = local.hint("status", chosen, is_embedded=is_embedded)
        assert line == f"(cd {ROOT} && {set_before}{python} -m projector status)"
    # An installed program needs no folder.
    monkeypatch.setattr(projector_package, "__file__", str(tmp_path / "projector" / "__init__.py"))
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
    line = local.hint("status", settings, is_embedded=True)
    assert line == f"LEADS_STATE_DIR={ROOT}/.leads {python} -m projector status"


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
