"""`python -m api`, over real HTTP, and what it says of itself."""

import errno
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from flask.testing import FlaskClient

from api.__main__ import Server, cli, listen, serve
from api.config.names import all_settings
from api.response.openapi import document
from tests.support.cases import cases
from tests.support.commands import ROOT, environment, logging_as_before, started
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.ports import free_port
from tests.support.running import wait_for
from tests.unit.api.conftest import Library
from tests.unit.api.serving import Served, program, served, wait_until_it_answers

# After so long a worker that does not end is killed.
STOP_SECONDS = PATIENCE // 2


@pytest.fixture(scope="module")
def running(library: Library, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server of the tests that only ask it; the last one ends it."""
    folder = tmp_path_factory.mktemp("server")
    patches = f"api.__main__.STOP_SECONDS = {STOP_SECONDS}"
    with served(
        library.database, folder, patches, LEADS_LOG_FORMAT="text", LEADS_AUTH="none", HOST="0.0.0.0"
    ) as started:
        yield started


def test_bytes_on_the_wire(running: Served, library: Library) -> None:
    said = running.log.read_text()
    assert "superuser: its role and row security are no wall against injected SQL" in said
    assert "LEADS_AUTH is none: the leads of all tenants are open to everybody who reaches 0.0.0.0:" in said
    status, headers, body = running.get(library.base)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert int(headers["content-length"]) == len(body)
    assert headers["x-data-as-of"]
    status, headers, empty = running.get(library.base, "HEAD")
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
        assert running.get(path)[0] == expected, path
    assert running.get(library.base, "POST", b"{}")[0] == 405
    assert running.get(library.base, "POST", b"x" * 100_000)[0] in (405, 413)
    names = sorted(lead.name for lead in leads.values() if lead.name)
    name = next(name for name in names if not name.isascii() and len(name) > 2)
    assert name.encode() in running.get(f"{library.base}?limit=100&search={quote(name)}")[2]


def test_a_request_names_one_host(running: Served, library: Library) -> None:
    host = b"Host: 127.0.0.1\r\n"
    # HTTP/1.0 knows no Host, and its answers stay in memory for nobody else.
    for version, hosts, status in (
        *((b"1.1", host, 200), (b"1.0", b"", 200)) * 3,
        (b"1.1", b"", 400),
        (b"1.1", host * 2, 400),
        (b"1.1", host + b"Host: evil.example\r\n", 400),
        (b"1.0", host * 2, 400),
    ):
        head = b"GET %s HTTP/%s\r\n%sConnection: close\r\n\r\n" % (library.base.encode(), version, hosts)
        with running.connect(head) as connection:
            said = connection.makefile("rb").read()
        assert said.startswith(b"HTTP/%s %d " % (version, status)), head
        assert (b"one Host header" in said) == (status == 400)


HALF_SENT = (
    b"",
    b"GET /health/li",
    b"GET /users/a/leads HTTP/1.1\r\nHost: x\r\n",
    b"GET /users/a/leads HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\nonly a part",
    b"POST /users/a/leads HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\nonly a part",
)


# A server of HTTP/2 would answer the first with its settings; the heads of the others are too long.
REFUSED = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0",
    b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: x\r\n" + b"".join(b"A%d: b\r\n" % n for n in range(500)) + b"\r\n",
)


def test_half_sent_requests_keep_nobody_waiting_and_broken_ones_are_refused(
    running: Served, library: Library
) -> None:
    with ExitStack() as stack:
        for sent in HALF_SENT * 20:
            stack.enter_context(running.connect(sent))
        for path in ("/health/live", "/health/ready", library.base, f"{library.base}/stats"):
            assert running.get(path)[0] == 200
        for number, sent in enumerate(REFUSED):
            with running.connect() as connection:
                try:
                    connection.sendall(sent)
                    said = connection.recv(100)
                except ConnectionError:
                    said = b""
            assert said == b"" or said.startswith(b"HTTP/1.")
            assert said == b"" or number == 0 or said.split()[1] in (b"414", b"431")
            assert running.get("/health/live")[0] == 200


def test_ctrl_c_at_a_terminal_reaches_its_worker_too_and_kills_it_not(running: Served) -> None:
    begun = monotonic()
    os.killpg(running.process.pid, signal.SIGINT)
    assert running.process.wait(PATIENCE) == 0
    # The log is no proof: Granian may say that it kills a worker that has just ended.
    assert monotonic() - begun < STOP_SECONDS


def test_a_signal_within_the_handler_of_another_is_not_handled_too() -> None:
    """As `make run` sends them: Ctrl-C of a terminal, and SIGTERM. The lock of the event would wait for itself."""
    server, handled = Server("x"), []

    def set_event() -> None:
        handled.append(server.interrupt_signal)
        server.signal_handler_interrupt(signal.SIGTERM, None)

    server.main_loop_interrupt.set = set_event
    server.signal_handler_interrupt(signal.SIGINT, None)
    assert handled == [True]


def test_two_servers_that_start_together_do_not_share_a_port(library: Library, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": library.database.url, "PORT": str(free_port())}
    with ExitStack() as stack:
        logs = [tmp_path / "first", tmp_path / "second"]
        both = [stack.enter_context(started(["-m", "api"], tmp_path, log, **settings)) for log in logs]
        wait_for(lambda: any(one.poll() is not None for one in both), "one of them ends")
        loser = next(place for place, one in enumerate(both) if one.poll() is not None)
        assert both[loser].returncode == 1
        assert "Address already in use. Stop the process that listens there" in logs[loser].read_text()
        wait_until_it_answers(int(settings["PORT"]), both[1 - loser])


def parsed(said: str) -> list[dict[str, Any]]:
    """The lines that a server has said, each of them JSON."""
    return [json.loads(line) for line in said.splitlines()]


METRICS = "LEADS_METRICS_HOST and LEADS_API_METRICS_PORT"


@cases(
    ("form", "settings", "named"),
    [
        ("text", {"DATABASE_URL": "", "PORT": "x"}, ["DATABASE_URL", "PORT: 'x'", "from 1 to 65535"]),
        ("json", {"LEADS_API_WORKERS": "2", "LEADS_RATE_LIMIT": "1 per day"}, ["LEADS_RATE_LIMIT_STORAGE"]),
        # Nobody has decided who may read what other machines reach.
        ("text", {"HOST": "0.0.0.0"}, ["LEADS_AUTH", "0.0.0.0", "jwt (", "key (", "jwt,key (", "none ("]),
        (
            "text",
            {"LEADS_API_METRICS_PORT": "taken"},
            [f"{METRICS}: cannot", f"or set {METRICS} differently."],
        ),
    ],
)
def test_settings_that_cannot_be_used(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], form: str, settings: dict[str, str], named: list[str]
) -> None:
    with (
        pytest.MonkeyPatch.context() as patch,
        logging_as_before(),
        socket.create_server(("127.0.0.1", 0)) as taken,
    ):
        patch.chdir(tmp_path)
        # `serve` sets it, and nothing else takes that back.
        patch.setenv("PROMETHEUS_MULTIPROC_DIR", "set by serve")
        chosen = {"DATABASE_URL": "host=127.0.0.1 port=1", "PORT": str(free_port()), "LEADS_LOG_FORMAT": form}
        for name, text in {**chosen, **settings}.items():
            patch.setenv(name, text.replace("taken", str(taken.getsockname()[1])))
        with pytest.raises(SystemExit) as ended:
            serve()
    assert ended.value.code == (1 if "taken" in settings.values() else 2)
    printed, told = capfd.readouterr()
    assert printed == ""
    said = told if form == "text" else parsed(told)[0]["event"]
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
        listen("api.example", 4000, ("HOST", "PORT"))
    assert ended.value.code == code
    assert "api.example:4000: the reason." in capsys.readouterr().err


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

api.routes.health.require_built = mistake
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
    with served(library.database, tmp_path, MISTAKES, **settings) as server:
        statuses = [server.get(f"{library.base}{path}")[0] for path in ("", "?page=1", "/1", "/a%00", "", "")]
        assert server.get("/health/ready")[0] == 500
        assert server.get(library.base, "POST")[0] == 429
    assert statuses == [200, 400, 404, 400, 200, 429]
    lines = parsed(server.log.read_text())
    assert all({"event", "level", "timestamp"} <= set(line) for line in lines)
    events = [line["event"] for line in lines]
    for expected in (
        "LEADS_LOG_LEVL", "Starting granian", "Spawning worker", "Stopped worker", "of Python", "of a library",
    ):  # fmt: skip
        assert [event for event in events if expected in event], expected
    assert "is not shown" not in events
    assert {"_granian", "library", "py.warnings"} <= {line.get("logger") for line in lines}
    requests = [line for line in lines if line["event"] == "answered" and line["route"] != "/health/live"]
    assert [line["status"] for line in requests] == [*statuses, 500, 429]
    failed = [line["exception"][0]["exc_type"] for line in lines if "exception" in line]
    assert sorted(failed) == ["OverflowError", "ZeroDivisionError"]


def test_a_worker_that_cannot_start_is_a_line_too(library: Library, tmp_path: Path) -> None:
    patches = (
        "import api.server.app\nfrom unittest import mock\n"
        "mock.patch('api.server.app.create_app', side_effect=RuntimeError).start()"
    )
    address = {"DATABASE_URL": library.database.url, "PORT": str(free_port())}
    ended = subprocess.run(
        [sys.executable, "-c", program(patches)],
        check=False,
        cwd=tmp_path,
        env=environment(LEADS_LOG_FORMAT="json", **address),
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 1
    assert ended.stdout == ""
    assert "a worker cannot start" in [line["event"] for line in parsed(ended.stderr)]


def test_a_signal_while_it_starts_ends_it_with_its_workers(library: Library, tmp_path: Path) -> None:
    # A worker that misses the signal is killed after that time.
    with subprocess.Popen(
        [sys.executable, "-c", program("api.__main__.STOP_SECONDS = 1")],
        cwd=tmp_path,
        env=environment(DATABASE_URL=library.database.url, PORT=str(free_port())),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout is not None
            for line in process.stdout:
                if "Spawning worker" in line:
                    break
            process.send_signal(signal.SIGTERM)
            # The end of its output is the end of its workers too, who share it.
            process.communicate(timeout=UNREACHED)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 0


def printed(capsys: pytest.CaptureFixture[str], option: str) -> str:
    with pytest.raises(SystemExit) as ended:
        cli.main([option])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_the_version_is_that_of_the_project(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert printed(capsys, "--version") == f"leads-api {project['version']}\n"


def test_the_help_names_endpoints_documents_and_settings(
    capsys: pytest.CaptureFixture[str], client: FlaskClient
) -> None:
    text = printed(capsys, "--help")
    assert max(map(len, text.splitlines())) <= 100
    named = dict(re.findall(r"^  (?:GET |POST) (\S+) +(\S.*)$", text, re.MULTILINE))
    for path, operations in orjson.loads(document())["paths"].items():
        assert [named.pop(path)] == [operation["summary"] for operation in operations.values()]
    assert set(named) == {"/docs/", "/"}
    assert [client.get(path).status_code for path in named] == [200, 200]
    pages = re.findall(r"^  (docs/\S+\.md) ", text, re.MULTILINE)
    assert len(pages) == 5
    assert all((ROOT / page).is_file() for page in pages)
    expected = [(name, default) for name, default, of, _ in all_settings() if of in ("API", "both")]
    assert re.findall(r"^  ([A-Z_]+)=(.*)$", text, re.MULTILINE) == expected
    assert "DATABASE_URL" in dict(expected)
    about = {name: description for name, *_, description in all_settings()}
    assert about["LEADS_AUTH"] in " ".join(text.split())
