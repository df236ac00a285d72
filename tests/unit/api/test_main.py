"""`python -m api`, over real HTTP."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from api.__main__ import checked_address
from projector.trial.postgres.embedded import free_port
from tests.support.cases import cases
from tests.support.commands import environment
from tests.support.patience import PATIENCE
from tests.unit.api.conftest import Library
from tests.unit.api.serving import run, served, wait_until_it_answers


@contextmanager
def in_session(folder: Path, **settings: str) -> Iterator["subprocess.Popen[str]"]:
    """A server in a session of its own, as a terminal has it; nobody of it is left at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "api"],
        cwd=folder,
        env=environment(**settings),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def test_bytes_on_the_wire(library: Library, tmp_path: Path) -> None:
    with served(library, tmp_path, LEADS_LOG_FORMAT="text", LEADS_AUTH="none", HOST="0.0.0.0") as server:
        said = server.log.read_text()
        assert "superuser: its role and row security are no wall against injected SQL" in said
        assert (
            "LEADS_AUTH is none: the leads of all tenants are open to everybody who reaches 0.0.0.0:" in said
        )
        status, headers, body = server.get(library.base)
        assert (status, headers["content-type"]) == (200, "application/json")
        assert int(headers["content-length"]) == len(body)
        assert headers["x-data-as-of"]
        status, headers, empty = server.get(library.base, "HEAD")
        assert (status, int(headers["content-length"]), empty) == (200, len(body), b"")
        leads = library.model.of_tenant(library.tenant)
        phones = [phone for phone in leads if not phone.isdigit() and "/" not in phone][:10]
        assert phones
        for path, expected in (
            ("/users/%00/leads", 400),
            ("/users/%FF/leads", 400),
            (f"{library.base}?search=%FF", 400),
            (f"{library.base}?_=%00", 400),
            (f"{library.base}/a%2Fb", 404),
            (f"{library.base}/", 200),
            (f"{library.base}?search={quote('Ümit %_')}", 200),
            *((f"{library.base}/{quote(phone, safe='')}", 200) for phone in phones),
        ):
            assert server.get(path)[0] == expected, path
        assert server.get(library.base, "POST", b"{}")[0] == 405
        assert server.get(library.base, "POST", b"x" * 100_000)[0] in (405, 413)
        names = sorted(lead.name for lead in leads.values() if lead.name)
        name = next(name for name in names if not name.isascii() and len(name) > 2)
        assert name.encode() in server.get(f"{library.base}?limit=100&search={quote(name)}")[2]


def parsed(said: str) -> list[dict[str, Any]]:
    """The lines that a server has said, each of them JSON."""
    return [json.loads(line) for line in said.splitlines()]


@cases(
    ("form", "settings", "named"),
    [
        ("text", {"DATABASE_URL": "", "PORT": "x"}, ["DATABASE_URL", "PORT: 'x'", "from 1 to 65535"]),
        ("json", {"LEADS_API_WORKERS": "2", "LEADS_RATE_LIMIT": "1 per day"}, ["LEADS_RATE_LIMIT_STORAGE"]),
        # Nobody has decided who may read what other machines reach.
        ("text", {"HOST": "0.0.0.0"}, ["LEADS_AUTH", "0.0.0.0", "jwt (", "key (", "jwt,key (", "none ("]),
    ],
)
def test_settings_that_cannot_be_used(
    library: Library, tmp_path: Path, form: str, settings: dict[str, str], named: list[str]
) -> None:
    chosen = {
        "DATABASE_URL": library.database.url,
        "PORT": str(free_port()),
        "LEADS_LOG_FORMAT": form,
        **settings,
    }
    ended = run(tmp_path, **chosen)
    assert ended.returncode == 2
    assert ended.stdout == ""
    said = ended.stderr if form == "text" else parsed(ended.stderr)[0]["event"]
    assert [name for name in named if name not in said] == []
    assert "Traceback" not in said


@cases(
    ("number", "code"),
    [(socket.EAI_NONAME, 2), (socket.EAI_AGAIN, 1), (errno.EADDRNOTAVAIL, 2), (errno.EACCES, 1)],
)
def test_an_address_that_never_works_is_a_bad_setting(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int, code: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, "the reason")

    monkeypatch.setenv("LEADS_LOG_FORMAT", "text")
    monkeypatch.setattr("socket.getaddrinfo", refuse)
    with pytest.raises(SystemExit) as ended:
        checked_address("api.example", 4000, ("HOST", "PORT"))
    assert ended.value.code == code
    assert "api.example:4000: the reason." in capsys.readouterr().err


def test_a_port_that_is_taken(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(SystemExit) as ended:
        checked_address("127.0.0.1", taken.getsockname()[1], ("HOST", "PORT"))
    assert ended.value.code == 1
    said = capsys.readouterr()
    assert "Stop the process that listens there, or set HOST and PORT differently." in said.out + said.err


# A thread fails, Python warns, a library says something, and readiness has a mistake.
MISTAKES = """
import logging, threading, warnings
import api.routes.health

def mistake(*_):
    threading.Thread(target=lambda: 1 / 0).start()
    warnings.warn("of Python")
    logging.getLogger("library").error("of a library")
    logging.getLogger("library").info("is not shown")
    raise OverflowError

api.routes.health.why_not_built = mistake
api.__main__.main()
"""


def test_each_line_of_a_server_is_json(library: Library, tmp_path: Path) -> None:
    settings = {
        "LEADS_LOG_FORMAT": "json",
        "LEADS_LOG_LEVEL": "DEBUG",
        "LEADS_LOG_LEVL": "DEBUG",
        "LEADS_RATE_LIMIT": "5 per minute",
        "PYTHONWARNINGS": "always",
    }
    with served(library, tmp_path, MISTAKES, **settings) as server:
        statuses = [server.get(f"{library.base}{path}")[0] for path in ("", "?page=1", "/1", "/a%00", "", "")]
        assert server.get("/health/ready")[0] == 500
        assert server.get(library.base, "POST")[0] == 429
    assert statuses == [200, 400, 404, 400, 200, 429]
    found = parsed(server.log.read_text())
    assert all({"event", "level", "timestamp"} <= set(line) for line in found)
    events = [line["event"] for line in found]
    for expected in (
        "LEADS_LOG_LEVL", "Starting granian", "Spawning worker", "Stopped worker", "of Python", "of a library",
    ):  # fmt: skip
        assert [event for event in events if expected in event], expected
    assert "is not shown" not in events
    assert {"_granian", "library", "py.warnings"} <= {line.get("logger") for line in found}
    requests = [line for line in found if line["event"] == "answered" and line["route"] != "/health/live"]
    assert [line["status"] for line in requests] == [*statuses, 500, 429]
    failed = [line["exception"][0]["exc_type"] for line in found if "exception" in line]
    assert sorted(failed) == ["OverflowError", "ZeroDivisionError"]


def test_a_worker_that_cannot_start_is_a_line_too(library: Library, tmp_path: Path) -> None:
    patches = (
        "import api.app\nfrom unittest import mock\n"
        "mock.patch('api.app.create_app', side_effect=RuntimeError).start()"
    )
    address = {"DATABASE_URL": library.database.url, "PORT": str(free_port())}
    ended = run(tmp_path, patches, LEADS_LOG_FORMAT="json", **address)
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "a worker cannot start" in [line["event"] for line in parsed(ended.stderr)]


def test_a_signal_while_it_starts_ends_it_with_its_workers(library: Library, tmp_path: Path) -> None:
    with in_session(tmp_path, DATABASE_URL=library.database.url, PORT=str(free_port())) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "Spawning worker" in line:
                break
        process.send_signal(signal.SIGTERM)
        # The end of its output is the end of its workers too, who share it.
        process.communicate(timeout=PATIENCE)
    assert process.returncode == 0


def test_ctrl_c_at_a_terminal_reaches_its_worker_too_and_kills_it_not(
    library: Library, tmp_path: Path
) -> None:
    port = free_port()
    with in_session(tmp_path, DATABASE_URL=library.database.url, PORT=str(port)) as process:
        wait_until_it_answers(port, process)
        os.killpg(process.pid, signal.SIGINT)
        said, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0
    assert "Killing" not in said
