"""Tells an operator which lock a command waits for, and which session holds it."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import psycopg

from projector.database import locks, rows
from projector.database.connect import connect_beside
from projector.database.rows import Connection
from projector.database.sql import query
from projector.report.errors import ProjectorError

TELL_AFTER_SECONDS = 2.0
"""A wait is told when it has lasted this long; the pauses between attempts with a short lock timeout count."""

WATCHER_NAME = "leads-projector: watching"

_LOOK_EVERY_SECONDS = 0.1
# A lock that was not awaited for this long is a new wait. It is longer than the longest pause between two attempts.
_FORGET_AFTER_SECONDS = 4.0


@contextmanager
def telling_waits(conn: Connection, tell: Callable[[str], None]) -> Iterator[None]:
    """Call `tell` with a sentence when the connection has waited for a lock for two seconds in this block.

    A thread looks from a second connection: the one that waits cannot say so, and the lock timeouts of its attempts are
    too short to ask afterwards. Each holder is told once. Where there is no second connection to be had, nothing is.
    """
    ended = threading.Event()
    watcher = threading.Thread(target=_watch, args=(conn, tell, ended), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


@dataclass(frozen=True, slots=True)
class AwaitedLock:
    """A lock that a session waits for, the session that has it, and for how long that can be, all in words."""

    lock_name: str
    holder: str
    age: str


def find_awaited_lock(conn: Connection, pid: int) -> AwaitedLock | None:
    """Return in words which lock the session of a process waits for; None while it waits for none."""
    parameters = {"pid": pid, "migration": locks.MIGRATION, "shard": locks.SHARD}
    return rows.row(conn, AwaitedLock, query("database", "find_awaited_lock"), parameters)


def _watch(waiting: Connection, tell: Callable[[str], None], ended: threading.Event) -> None:
    """Look until the block has ended, and tell of each lock that its session awaits for long."""
    waits: dict[tuple[str, str], tuple[float, float]] = {}
    told: set[tuple[str, str]] = set()
    # A command that ends at once needs no second connection.
    if ended.wait(_LOOK_EVERY_SECONDS):
        return
    with suppress(psycopg.Error, ProjectorError), connect_beside(waiting, WATCHER_NAME) as conn:
        while not ended.wait(_LOOK_EVERY_SECONDS):
            awaited = find_awaited_lock(conn, waiting.info.backend_pid)
            if awaited is None:
                continue
            now = time.monotonic()
            wait = (awaited.lock_name, awaited.holder.partition(" (")[0])
            since, last = waits.get(wait, (now, now))
            if now - last > _FORGET_AFTER_SECONDS:
                since = now
            waits[wait] = (since, now)
            if now - since >= TELL_AFTER_SECONDS and wait not in told:
                told.add(wait)
                tell(f"Waiting for {awaited.lock_name}: {awaited.holder} holds it, and {awaited.age}.")
