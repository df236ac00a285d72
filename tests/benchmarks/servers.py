"""The API as a user starts it, and the servers that it is compared with."""

import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, sleep

from projector.trial.postgres.ports import free_port
from tests.benchmarks.fixtures import Database
from tests.support.commands import ROOT, environment

# The limiter counts and never refuses.
LIMIT = "1000000000 per minute"
# So long that only a fault takes it.
_SECONDS = 300


@dataclass(frozen=True, slots=True)
class Server:
    """A server under way."""

    process: subprocess.Popen[bytes]
    url: str


@contextmanager
def serving(
    database: Database, module: str, *arguments: str, probe: str, settings: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """`python -m <module>` on a port of its own, once it answers."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env=environment(
            DATABASE_URL=database.url, PORT=str(port), LEADS_RATE_LIMIT=LIMIT, **(settings or {})
        ),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, f"{url}{probe}")
        yield Server(process, url)
    finally:
        process.terminate()
        try:
            process.wait(_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def api(database: Database, **settings: str) -> Iterator[Server]:
    """`python -m api`."""
    with serving(database, "api", probe="/health/ready", settings=settings) as server:
        yield server


@contextmanager
def limited(database: Database) -> Iterator[Server]:
    """The API with plain routes added."""
    with serving(database, "tests.benchmarks.baseline_server", "limited", probe="/health/ready") as server:
        yield server


@contextmanager
def bare(database: Database) -> Iterator[Server]:
    """Plain routes on bare Flask."""
    with serving(database, "tests.benchmarks.baseline_server", "bare", probe="/plain/nobody/empty") as server:
        yield server


@contextmanager
def plain_flask(database: Database) -> Iterator[Server]:
    """Plain Flask with a pool of psycopg's."""
    with serving(database, "tests.benchmarks.peers", "flask", probe="/plain/nobody/list") as server:
        yield server


@contextmanager
def plain_asyncpg(database: Database) -> Iterator[Server]:
    """Uvicorn with asyncpg."""
    with serving(database, "tests.benchmarks.peers", "asyncpg", probe="/plain/nobody/list") as server:
        yield server


def tag_of(url: str) -> str:
    """The `ETag` of an answer."""
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
        return str(answer.headers["ETag"])


def require_same(url: str, *others: str) -> None:
    """Raises AssertionError unless all print the same, but for the timestamp and the correlation id."""
    ours = get(url).rpartition(b'"timestamp"')[0]
    for other in others:
        theirs = get(other).rpartition(b'"timestamp"')[0]
        if ours != theirs:
            raise AssertionError(f"{other} does not print what {url} prints: {theirs[:300]!r} {ours[:300]!r}")


def get(url: str) -> bytes:
    """The body of one answer."""
    with urllib.request.urlopen(url, timeout=_SECONDS) as answer:
        body: bytes = answer.read()
        return body


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = monotonic() + _SECONDS
    while True:
        try:
            get(url)
        except OSError as error:
            if process.poll() is not None or monotonic() > deadline:
                raise RuntimeError(f"{url} does not answer: {error}") from error
            sleep(0.05)
        else:
            return
