"""The API as a user starts it, the servers that it is compared with, and what a request takes from a processor."""

import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from urllib.parse import urlsplit

from projector.trial.postgres.embedded import free_port
from tests.benchmarks import load, usage
from tests.benchmarks.core import Arm
from tests.benchmarks.fixtures import PATIENCE, Bench, Database, running
from tests.support.running import wait_for

# The limiter counts and never refuses.
LIMIT = "1000000000 per minute"


@dataclass(frozen=True, slots=True)
class Server:
    process: "subprocess.Popen[bytes]"
    url: str

    def rate(
        self, bench: Bench, path: str, connections: int = 8, header: str = "", *, fresh: bool = False
    ) -> Arm:
        url, seconds = f"{self.url}{path}", bench.size.load
        return lambda: (
            load.run(url, connections=connections, seconds=seconds, header=header, fresh=fresh).rate
        )

    def mean(self, bench: Bench, path: str) -> Arm:
        """Return an arm: milliseconds of a request of one connection that asks again and again."""
        return lambda: load.run(f"{self.url}{path}", connections=1, seconds=bench.size.load).mean

    def p50(self, bench: Bench, path: str) -> Arm:
        """Return an arm: the median of the milliseconds of a request."""
        return lambda: load.run(f"{self.url}{path}", connections=1, seconds=bench.size.load).p50

    def processor_time(self, bench: Bench, path: str, connections: int = 1, header: str = "") -> Arm:
        """Return an arm: milliseconds of a processor that it and PostgreSQL spend on a request."""
        postgres = int((bench.server.data / "postmaster.pid").read_text().split()[0])
        pids = (self.process.pid, postgres)

        def measure() -> float:
            before = usage.seconds_of(pids)
            url, length = f"{self.url}{path}", bench.size.load
            done = load.run(url, connections=connections, seconds=length, header=header)
            return 1000 * usage.spent(before, usage.seconds_of(pids)) / done.requests

        return measure

    def get(self, path: str) -> bytes:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
            body: bytes = answer.read()
            return body

    def tag_of(self, path: str) -> str:
        with urllib.request.urlopen(f"{self.url}{path}", timeout=PATIENCE) as answer:
            return str(answer.headers["ETag"])

    def connection(self) -> HTTPConnection:
        parts = urlsplit(self.url)
        return HTTPConnection(parts.hostname or "", parts.port, timeout=PATIENCE)


@contextmanager
def serving(
    database: Database, module: str, *arguments: str, probe: str, **settings: str
) -> Iterator[Server]:
    """Start `python -m <module>` on a port of its own, and give it once it answers."""
    port = free_port()
    known = {"DATABASE_URL": database.url, "PORT": str(port), "LEADS_RATE_LIMIT": LIMIT}
    with running(module, *arguments, **known, **settings) as process:
        server = Server(process, f"http://127.0.0.1:{port}")
        wait_for(lambda: _answers(server, probe), f"{probe} is answered", PATIENCE)
        yield server


@contextmanager
def api(database: Database, **settings: str) -> Iterator[Server]:
    with serving(database, "api", probe="/health/ready", **settings) as server:
        yield server


@contextmanager
def plain(database: Database, kind: str) -> Iterator[Server]:
    # A baseline that answers from memory is none.
    settings = {"LEADS_ANSWERS_MB": "0"}
    with serving(database, "tests.benchmarks.plain", kind, probe="/plain/nobody/list", **settings) as server:
        yield server


def require_same(path: str, plain_path: str, api: Server, *others: Server) -> None:
    """Raise AssertionError unless all print the same, but for the timestamp and the correlation id."""
    ours = api.get(path).rpartition(b'"timestamp"')[0]
    for other in others:
        theirs = other.get(plain_path).rpartition(b'"timestamp"')[0]
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
