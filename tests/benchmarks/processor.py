"""The processor time that a request takes from a server and from PostgreSQL."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from tests.benchmarks import load
from tests.benchmarks.fixtures import Fixtures
from tests.benchmarks.servers import Server

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def milliseconds_of_request(
    fixtures: Fixtures, server: Server, path: str, *, connections: int = 1, header: str = ""
) -> float:
    """Milliseconds of a processor that the server and PostgreSQL spend on a request, in the mean of a run."""
    postgres = int((fixtures.server.data / "postmaster.pid").read_text().split()[0])
    pids = (server.process.pid, postgres)
    before = _seconds_of(pids)
    done = load.run(f"{server.url}{path}", connections=connections, seconds=fixtures.size.load, header=header)
    # What has ended meanwhile, such as a worker of autovacuum, served no request.
    seconds = sum(now - before.get(thread, 0.0) for thread, now in _seconds_of(pids).items())
    return 1000 * seconds / done.requests


def _seconds_of(pids: Iterable[int]) -> dict[Path, float]:
    """The processor time of each thread of these processes and of their children."""
    found: dict[Path, float] = {}
    for pid in pids:
        # A process that ends just now has no figures any more.
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                found[thread] = _seconds(thread)
                found |= _seconds_of(int(child) for child in (thread / "children").read_text().split())
    return found


def _seconds(thread: Path) -> float:
    """The processor time of a thread, to the nanosecond where the kernel counts it so."""
    scheduled = thread / "schedstat"
    if scheduled.exists():
        return int(scheduled.read_text().split()[0]) / 1e9
    user, system = (thread / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_SECOND
