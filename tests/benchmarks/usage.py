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


def threads_of(pid: int) -> list[Path]:
    """Return the threads of a process and of all that it has started, and those have; none once it has ended."""
    threads: list[Path] = []
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            children = (thread / "children").read_text().split()
            threads += [thread, *(descendant for child in children for descendant in threads_of(int(child)))]
    return threads


def seconds_of(pids: Iterable[int]) -> dict[Path, float]:
    """Return the processor time of each thread of these processes and of their children."""
    seconds: dict[Path, float] = {}
    for thread in (thread for pid in pids for thread in threads_of(pid)):
        # One that ends just now has no figures any more.
        with suppress(FileNotFoundError, ProcessLookupError):
            seconds[thread] = _seconds(thread)
    return seconds


def spent(before: dict[Path, float], after: dict[Path, float]) -> float:
    """Return the seconds between two looks. What has ended meanwhile, such as autovacuum, does not count."""
    return sum(now - before.get(thread, 0.0) for thread, now in after.items())


def _seconds(thread: Path) -> float:
    """Return the processor time of a thread, to the nanosecond where the kernel counts it so."""
    scheduled = thread / "schedstat"
    if scheduled.exists():
        return int(scheduled.read_text().split()[0]) / 1e9
    user, system = (thread / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_SECOND


def memory(pid: int, field: str) -> float:
    """Return megabytes of a process; 0 when it has ended.

    `Pss` shares each page with those that have it too.
    """
    try:
        text = Path(f"/proc/{pid}/{'smaps_rollup' if field == 'Pss' else 'status'}").read_text()
    except OSError:
        return 0.0
    return next(
        (int(line.split()[1]) / 1024 for line in text.splitlines() if line.startswith(f"{field}:")), 0.0
    )


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
    query = (
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        " AND starts_with(application_name, 'leads-projector')"
    )
    with database.connect() as conn, projector(database, *arguments) as process:
        while process.poll() is None:
            own = max(own, memory(process.pid, "VmHWM"))
            sessions = [pid for (pid,) in conn.execute(query).fetchall()]
            private = max([private, *(memory(pid, "RssAnon") for pid in sessions)])
            times |= seconds_of([process.pid, *sessions])
            sleep(_LOOK_EVERY)
    return Used(own, private, sum(times.values()))
