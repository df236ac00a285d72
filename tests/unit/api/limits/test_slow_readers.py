"""Callers that never read what they asked for hold no thread, and are ended; the others are answered meanwhile."""

import os
import socket
from contextlib import ExitStack
from pathlib import Path

from api.limits.running import server_threads
from api.limits.waiting import MAX_WAITING
from tests.support.patience import PATIENCE
from tests.support.running import wait_for
from tests.unit.api.conftest import Library
from tests.unit.api.serving import Served, served

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
    count = 0
    for file in (process / "fd").iterdir():
        try:
            count += os.readlink(file).startswith("socket:")  # noqa: PTH115  # It is no path.
        except FileNotFoundError:
            continue
    return count


def ask_and_never_read(server: Served, request: bytes) -> socket.socket:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    connection.settimeout(PATIENCE)
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(request)
    return connection


def test_callers_that_do_not_read(library: Library, tmp_path: Path) -> None:
    request = f"GET {library.base}?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n".encode() * REQUESTS_OF_EACH
    with served(library, tmp_path, SETTING, LEADS_EXPORTS="1") as server:
        server.wait_for_line("the listener is bound")
        process = worker(server)
        before = connections(process)
        threads = len(list((process / "task").iterdir()))
        with ExitStack() as stack:
            for _ in range(READERS):
                stack.enter_context(ask_and_never_read(server, request))
            wait_for(lambda: connections(process) >= before + READERS, "all are connected", PATIENCE)
            assert server.get(library.base)[0] == 200
            # One more sweeps the answers in memory.
            most = threads + server_threads(5) + MAX_WAITING + 1
            assert len(list((process / "task").iterdir())) <= most
            # The connections of the database may be more now.
            wait_for(lambda: connections(process) < before + READERS // 2, "they are ended", PATIENCE)
            assert server.get(library.base)[0] == 200
