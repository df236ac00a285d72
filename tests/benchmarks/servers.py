"""The API as a user starts it, the servers that it is compared with, and what a request takes from a processor."""

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPMessage
from typing import Any
from urllib.parse import urlsplit

from tests.benchmarks import load, usage
from tests.benchmarks.core import Arm
from tests.benchmarks.fixtures import PATIENCE, Bench, Database
from tests.benchmarks.load import Load
from tests.support.commands import started
from tests.support.ports import free_port
from tests.support.running import wait_for

# The limiter counts and never refuses.
LIMIT = "1000000000 per minute"


@dataclass(frozen=True, slots=True)
class Server:
    bench: Bench
    process: "subprocess.Popen[bytes]"
    url: str

    def load(self, path: str, **how: Any) -> Load:  # noqa: ANN401  # As `load.run` takes it.
        """Return one run of the load, of one connection that asks again and again unless there are more."""
        return load.run(f"{self.url}{path}", seconds=self.bench.size.load, **how)

    def rate(self, path: str, **how: Any) -> Arm:  # noqa: ANN401
        """Return an arm: requests a second of 8 connections."""
        return lambda: self.load(path, connections=8, **how).rate

    def mean(self, path: str) -> Arm:
        """Return an arm: milliseconds of a request."""
        return lambda: 1000 / self.load(path).rate

    def p50(self, path: str) -> Arm:
        """Return an arm: the median of the milliseconds of a request."""
        return lambda: self.load(path).p50

    def processor_time(self, path: str, **how: Any) -> Arm:  # noqa: ANN401
        """Return an arm: milliseconds of a processor that it and PostgreSQL spend on a request."""
        postgres = int((self.bench.server.data / "postmaster.pid").read_text().split()[0])
        pids = (self.process.pid, postgres)

        def measure() -> float:
            before = usage.seconds_of(pids)
            done = self.load(path, **how)
            return 1000 * usage.spent(before, usage.seconds_of(pids)) / done.requests

        return measure

    def get(self, path: str) -> tuple[bytes, HTTPMessage]:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
            return answer.read(), answer.headers

    def connection(self) -> HTTPConnection:
        return HTTPConnection(urlsplit(self.url).netloc, timeout=PATIENCE)


@contextmanager
def serving(bench: Bench, database: Database, *command: str, probe: str, **settings: str) -> Iterator[Server]:
    """Start `python -m` with this command on a port of its own, and give the server once it answers."""
    port = free_port()
    chosen = {"DATABASE_URL": database.url, "PORT": str(port), "LEADS_RATE_LIMIT": LIMIT}
    with started(["-m", *command], **chosen, **settings) as process:
        server = Server(bench, process, f"http://127.0.0.1:{port}")
        wait_for(lambda: _answers(server, probe), f"{probe} is answered", PATIENCE)
        yield server


@contextmanager
def api(bench: Bench, database: Database, **settings: str) -> Iterator[Server]:
    with serving(bench, database, "api", probe="/health/ready", **settings) as server:
        yield server


@contextmanager
def plain(bench: Bench, database: Database, kind: str) -> Iterator[Server]:
    command, probe = ("tests.benchmarks.plain", kind), "/plain/nobody/list"
    # A baseline that answers from memory is none.
    with serving(bench, database, *command, probe=probe, LEADS_ANSWERS_MB="0") as server:
        yield server


def require_same(path: str, plain_path: str, api: Server, *others: Server) -> None:
    """Raise AssertionError unless all print the same, but for the timestamp and the correlation id."""
    ours = api.get(path)[0].rpartition(b'"timestamp"')[0]
    for other in others:
        theirs = other.get(plain_path)[0].rpartition(b'"timestamp"')[0]
        if ours != theirs:
            raise AssertionError(
                f"{plain_path} does not print what {path} prints: {theirs[:300]!r} {ours[:300]!r}"
            )


def _answers(server: Server, probe: str) -> bool:
    try:
        server.get(probe)
    except OSError as error:
        if server.process.poll() is not None:
            raise RuntimeError(f"{server.url}{probe} does not answer: {error}") from error
        return False
    return True
