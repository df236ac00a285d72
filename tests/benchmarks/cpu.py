"""The processor time of processes and of their threads, by /proc."""

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def seconds_of(pids: Iterable[int]) -> dict[Path, float]:
    """The processor time of each thread of these processes and of their children."""
    found: dict[Path, float] = {}
    for pid in pids:
        # A process that ends just now has no figures any more.
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in Path(f"/proc/{pid}/task").iterdir():
                found[thread] = _seconds(thread)
                found |= seconds_of(int(child) for child in (thread / "children").read_text().split())
    return found


def spent(before: dict[Path, float], after: dict[Path, float]) -> float:
    """The seconds between two looks. What has ended meanwhile, such as a worker of autovacuum, does not count."""
    return sum(now - before.get(thread, 0.0) for thread, now in after.items())


def _seconds(thread: Path) -> float:
    """The processor time of a thread, to the nanosecond where the kernel counts it so."""
    scheduled = thread / "schedstat"
    if scheduled.exists():
        return int(scheduled.read_text().split()[0]) / 1e9
    user, system = (thread / "stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / _TICKS_PER_SECOND
