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
"""A wait is reported after this time, which includes the pauses between attempts with a short lock timeout."""

WATCHER_NAME = "leads-projector: watching"

_CHECK_EVERY_SECONDS = 0.1
# After this time without a wait for the lock, a new wait begins. It is longer than any pause between two attempts.
_FORGET_AFTER_SECONDS = 4.0


@contextmanager
def telling_waits(conn: Connection, tell: Callable[[str], None]) -> Iterator[None]:
    """Call `tell` with a sentence when the connection has waited for a lock for two seconds in this block.

    A thread checks from a second connection: the waiting one cannot report it, and the lock timeouts of its attempts
    are too short to ask afterwards. Each holder is reported once. Without a free connection, nothing is reported.
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
    """A lock that a session waits for, the session that holds it, and for how long, all in words."""

    lock_name: str
    holder: str
    age: str


def find_awaited_lock(conn: Connection, pid: int) -> AwaitedLock | None:
    """Return in words the lock that the session of a process waits for, or None."""
    parameters = {"pid": pid, "migration": locks.MIGRATION, "shard": locks.SHARD}
    return rows.row(conn, AwaitedLock, query("database", "find_awaited_lock"), parameters)


def _watch(waiting: Connection, tell: Callable[[str], None], ended: threading.Event) -> None:
    """Check until the block has ended, and report each lock for which its session waits long."""
    waits: dict[tuple[str, str], tuple[float, float]] = {}
    reported: set[tuple[str, str]] = set()
    # A command that ends at once needs no second connection.
    if ended.wait(_CHECK_EVERY_SECONDS):
        return
    with suppress(psycopg.Error, ProjectorError), connect_beside(waiting, WATCHER_NAME) as conn:
        while not ended.wait(_CHECK_EVERY_SECONDS):
            awaited = find_awaited_lock(conn, waiting.info.backend_pid)
            if awaited is None:
                continue
            now = time.monotonic()
            wait = (awaited.lock_name, awaited.holder.partition(" (")[0])
            since, last = waits.get(wait, (now, now))
            if now - last > _FORGET_AFTER_SECONDS:
                since = now
            waits[wait] = (since, now)
            if now - since >= TELL_AFTER_SECONDS and wait not in reported:
                reported.add(wait)
                tell(f"Waiting for {awaited.lock_name}: {awaited.holder} holds it, and {awaited.age}.")
