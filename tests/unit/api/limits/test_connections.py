"""Connections that say nothing, or whose callers never read, hold no thread and are closed; very many are told of."""

import os
import resource
import socket
from contextlib import ExitStack
from pathlib import Path
from unittest.mock import Mock

import pytest

from api.limits import connections as connections_of_process
from api.limits.admission import OPEN_THREADS
from api.limits.connections import end_beyond, look, most
from api.observe.log import configure
from tests.support.cases import cases
from tests.support.patience import PATIENCE
from tests.support.running import wait_for
from tests.unit.api.conftest import Library
from tests.unit.api.serving import Served, served


def test_silent_connections_are_closed_and_told_of(library: Library, tmp_path: Path) -> None:
    patches = (
        "api.__main__.SILENT_SECONDS = 4; api.limits.connections.MAX_CONNECTIONS = 20;"
        " api.limits.connections.LOOK_SECONDS = 0.1"
    )
    with served(library.database, tmp_path, patches, LEADS_LOG_FORMAT="json") as server, ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(30)]
        server.wait_for_line("nearly as many open connections as it takes")
        # Its turn comes when they are closed.
        assert server.get("/health/live")[0] == 200
        assert silent[0].recv(1) == b""
        server.wait_for_line("room for connections again")


@cases(("limit", "expected"), [(resource.RLIM_INFINITY, 4096), (1024, 956), (1_048_576, 4096), (10, 1)])
def test_connections_leave_files_for_the_rest(
    monkeypatch: pytest.MonkeyPatch, limit: int, expected: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    assert most(4) == expected


def test_the_limit_is_raised_to_what_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
        most(4)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_that_can_open_no_file_is_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_path: object) -> None:
        raise OSError(24, "Too many open files")

    configure("INFO", "json", personal_data=False)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "iterdir", fail)
        assert look(100, is_full=False)
        assert look(100, is_full=True)
    said = capsys.readouterr()
    assert (said.out + said.err).count("nearly as many open connections") == 1
    assert not look(10_000, is_full=True)


def test_a_look_at_the_connections_leaves_no_file_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:
        caller = stack.enter_context(socket.create_connection(server.getsockname(), timeout=PATIENCE))
        stack.enter_context(server.accept()[0])
        files = Path("/proc/self/fd")
        before = len([*files.iterdir()])
        end_beyond(1, server.getsockname()[1], ())
        end_beyond(0, server.getsockname()[1], ())
        assert caller.recv(1) == b""
        # Most of a process are no sockets.
        assert len([*files.iterdir()]) == before


def test_a_connection_that_got_the_number_of_another_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as stack:
        port = server.getsockname()[1]

        def connect() -> tuple[socket.socket, socket.socket]:
            caller = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=PATIENCE))
            return caller, stack.enter_context(server.accept()[0])

        (_, old), (caller, new) = connect(), connect()
        # Between the look and the end the old one is closed, and its number is that of the new one.
        log = Mock(warning=lambda *_, **__: os.dup2(new.fileno(), old.fileno()))
        monkeypatch.setattr(connections_of_process, "log", log)
        monkeypatch.setattr(os, "listdir", lambda _: [str(old.fileno())])
        end_beyond(0, port, ())
        new.sendall(b"x")
        assert caller.recv(1) == b"x"


# What connects before the listener is bound is not ended.
SETTING = """
import sys, api.limits.connections
bind = api.limits.connections._bound_listener
def say_when_bound():
    bind()
    print("the listener is bound", file=sys.stderr, flush=True)
api.limits.connections._bound_listener = say_when_bound
api.limits.connections.UNREAD_SECONDS = 3
"""
READERS = 60
# The system buffers some 100 kB of answers for a caller.
REQUESTS_OF_EACH = 30


def worker(server: Served) -> Path:
    """The process that answers, in /proc."""
    [child] = [
        number
        for task in Path(f"/proc/{server.process.pid}/task").iterdir()
        for number in (task / "children").read_text().split()
        if b"resource_tracker" not in Path(f"/proc/{number}/cmdline").read_bytes()
    ]
    return Path("/proc", child)


def connections(process: Path) -> int:
    return sum(file.is_socket() for file in (process / "fd").iterdir())


def ask_and_never_read(server: Served, request: bytes) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(PATIENCE)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(request)
    return connection


def test_callers_that_do_not_read(library: Library, tmp_path: Path) -> None:
    request = f"GET {library.base}?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * REQUESTS_OF_EACH
    with served(library.database, tmp_path, SETTING, LEADS_EXPORTS="1") as server:
        server.wait_for_line("the listener is bound")
        process = worker(server)
        before = connections(process)
        threads = len(list((process / "task").iterdir()))
        with ExitStack() as stack:
            for _ in range(READERS):
                stack.enter_context(ask_and_never_read(server, request))
            wait_for(lambda: connections(process) >= before + READERS, "all are connected", PATIENCE)
            assert server.get(library.base)[0] == 200
            # Five answer, two have callers who are not known, one refuses who waits, one sweeps the answers in memory.
            most = threads + 5 + OPEN_THREADS + 2
            assert len(list((process / "task").iterdir())) <= most
            # The connections of the database may be more now.
            wait_for(lambda: connections(process) < before + READERS // 2, "they are ended", PATIENCE)
            assert server.get(library.base)[0] == 200
