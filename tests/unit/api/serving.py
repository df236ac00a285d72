"""A real server of the API with limits that a test can reach, and raw connections to it."""

import http.client
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from socket import create_connection, socket
from types import MappingProxyType
from typing import Any

from tests.support.commands import started
from tests.support.patience import PATIENCE
from tests.support.ports import free_port
from tests.support.running import wait_for, wait_until
from tests.support.server import Database

Answer = tuple[int, dict[str, str], bytes]


def get(
    port: int,
    path: str,
    method: str = "GET",
    body: bytes | None = None,
    headers: Mapping[str, str] = MappingProxyType({}),
) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def wait_until_it_answers(port: int, process: "subprocess.Popen[Any]") -> None:
    def answers() -> bool:
        try:
            return bool(get(port, "/health/live"))
        except ConnectionError:
            assert process.poll() is None
            return False

    wait_for(answers, f"port {port} answers")


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE) == 0


def program(patches: str) -> str:
    """`python -m api` with constants that these lines change."""
    return f"import api.__main__, api.limits.connections\n{patches}\napi.__main__.main()"


@dataclass(frozen=True)
class Served:
    """A running server."""

    port: int
    process: "subprocess.Popen[bytes]"
    log: Path

    def get(self, path: str, method: str = "GET", body: bytes | None = None) -> Answer:
        return get(self.port, path, method, body)

    def connect(self, sent: bytes = b"") -> socket:
        """A connection that has sent these bytes."""
        connection = create_connection(("127.0.0.1", self.port), timeout=PATIENCE)
        connection.sendall(sent)
        return connection

    def wait_for_line(self, text: str) -> None:
        wait_for(lambda: text in self.log.read_text(), text, PATIENCE)


@contextmanager
def served(database: Database, folder: Path, patches: str = "", **settings: str) -> Iterator[Served]:
    """A server whose constants `patches` changes; ended at the end, if it still runs."""
    port, log = int(settings.get("PORT") or free_port()), folder / "log"
    chosen = {
        "DATABASE_URL": database.url,
        "PORT": str(port),
        "LEADS_RATE_LIMIT": "off",
        "LEADS_STATEMENT_TIMEOUT_MS": "600000",
        **settings,
    }
    with started(["-c", program(patches)], folder, log, **chosen) as process:
        wait_until_it_answers(port, process)
        yield Served(port, process, log)


def environ(path: str, address: str, **more: str) -> dict[str, Any]:
    """The environment of a request of an address, as far as its admission looks at it."""
    return {"PATH_INFO": path, "REMOTE_ADDR": address, "REQUEST_METHOD": "GET", "QUERY_STRING": "", **more}


class Asking:
    """Requests that run at the same time, and their answers."""

    def __init__(self, server: Served, path: str, count: int) -> None:
        self.answers: list[Answer] = []
        self._threads = [
            threading.Thread(target=lambda: self.answers.append(server.get(path)), daemon=True)
            for _ in range(count)
        ]
        for thread in self._threads:
            thread.start()

    def finish(self) -> list[int]:
        """Wait until all are answered. Returns their statuses."""
        for thread in self._threads:
            thread.join(PATIENCE)
        return sorted(status for status, _, _ in self.answers)


@contextmanager
def locked(database: Database, table: str) -> Iterator[Callable[[int], None]]:
    """A table that nobody can read, as a rewrite of it would do, and what waits until so many readers wait."""
    with database.connect() as looking, database.connect() as conn, conn.transaction():
        conn.execute(f"LOCK TABLE read_model.{table}".encode())
        yield partial(
            wait_until,
            looking,
            "(SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND application_name = 'leads-api' AND wait_event_type = 'Lock') >= %s",
        )
