"""The processor time and the memory of processes and of their threads, by /proc."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from tests.benchmarks.fixtures import Database, projector

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
_LOOK_EVERY = 0.02


def seconds_of(pids: Iterable[int]) -> dict[Path, float]:
    """Return the processor time of each thread of these processes and of their children."""
    found: dict[Path, float] = {}
    for pid in pids:
        # A process that ends just now has no figures any more.
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                found[thread] = _seconds(thread)
                found |= seconds_of(int(child) for child in (thread / "children").read_text().split())
    return found


def spent(before: dict[Path, float], after: dict[Path, float]) -> float:
    """Return the seconds between two looks. What has ended meanwhile, such as autovacuum, does not count."""
    return sum(now - before.get(thread, 0.0) for thread, now in after.items())


def children(pid: int) -> list[int]:
    """Return the processes that a process has started, and those of them."""
    own = [
        int(child)
        for thread in Path(f"/proc/{pid}/task").iterdir()
        for child in (thread / "children").read_text().split()
    ]
    return [*own, *(grandchild for child in own for grandchild in children(child))]


def _seconds(thread: Path) -> float:
    """Return the processor time of a thread, to the nanosecond where the kernel counts it so."""
    scheduled = thread / "schedstat"
    if scheduled.exists():
        return int(scheduled.read_text().split()[0]) / 1e9
    user, system = (thread / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_SECOND


def memory(pid: int, field: str) -> float:
    """Return megabytes of a process; 0 when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    return _megabytes(lines, field)


def own_memory(pid: int) -> float:
    """Return megabytes of a process, of which it shares each page with those that have it too."""
    return _megabytes(Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines(), "Pss")


def _megabytes(lines: Iterable[str], field: str) -> float:
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{field}:")), 0.0)


@dataclass(frozen=True, slots=True)
class Used:
    """What a command took: megabytes at most, resident in its process and private in its session, and seconds."""

    process_mb: float
    session_mb: float
    processor: float


def of_command(database: Database, *arguments: str) -> Used:
    """Run a command of the projector, and look at what it takes."""
    own = private = 0.0
    times: dict[Path, float] = {}
    with database.connect() as conn, projector(database, *arguments) as process:
        while process.poll() is None:
            own = max(own, memory(process.pid, "VmHWM"))
            sessions = [
                pid
                for (pid,) in conn.execute(
                    "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
                    " AND starts_with(application_name, 'leads-projector')"
                ).fetchall()
            ]
            private = max([private, *(memory(pid, "RssAnon") for pid in sessions)])
            times |= seconds_of([process.pid, *sessions])
            sleep(_LOOK_EVERY)
    return Used(own, private, sum(times.values()))
