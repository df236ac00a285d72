"""Long reads of the platform's tables yield to sessions that wait for one of them.

A read holds ACCESS SHARE to the end of its transaction. An ALTER TABLE of the platform waits for that, and every other
session that wants the table waits behind the ALTER TABLE. So while a read takes longer than a moment, a thread checks
from another connection whether a session waits for a table that the read holds. If so, it cancels the read, and the
read begins again later. One thread watches all reads of the process.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

import psycopg
import structlog

from projector.database import connect as db
from projector.database import rows
from projector.database.rows import Connection
from projector.database.sql import query
from projector.report.errors import ProjectorError, YieldedError
from projector.report.log import quoting

WATCH_AFTER_SECONDS = 1.0
"""A read that ends within this time is not watched."""

CHECK_EVERY_SECONDS = 0.5

WATCHER_NAME = "leads-projector: giving way"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiter:
    """A session that waits for a table of the platform, both in words."""

    table_name: str
    session_name: str


class _Read:
    """The reads of a connection in a block, and the waiter for whom they were cancelled, if any."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.began_at = time.monotonic()
        self._lock = threading.Lock()
        self._is_over = False
        self._waiter: Waiter | None = None

    def end(self) -> Waiter | None:
        """Return the waiter for whom it was cancelled, if any. Later statements are not cancelled."""
        with self._lock:
            self._is_over = True
            return self._waiter

    def check(self, watching: Connection) -> None:
        """Cancel the read if a session waits for a table that it holds."""
        pid = self.conn.info.backend_pid
        waiter = rows.row(watching, Waiter, query("core", "find_waiter"), {"pid": pid})
        if waiter is None:
            return
        with self._lock:
            # PostgreSQL ignores it between two statements. Then the next check repeats it.
            if not self._is_over:
                self._waiter = waiter
                watching.execute("SELECT pg_cancel_backend(%s)", (pid,))


_reads: dict[Connection, _Read] = {}
"""The reads in progress. A short one only costs an entry here."""


@cache
def _watch() -> None:
    """Start the thread that watches all reads, once."""
    threading.Thread(target=_watch_reads, name="blocking", daemon=True).start()


def _watch_reads() -> None:
    watching: dict[_Read, Connection] = {}
    while True:
        time.sleep(CHECK_EVERY_SECONDS)
        oldest = time.monotonic() - WATCH_AFTER_SECONDS
        long = [read for read in list(_reads.values()) if read.began_at <= oldest]
        for ended in watching.keys() - {*long}:
            watching.pop(ended).close()
        for read in long:
            try:
                if read not in watching or watching[read].closed:
                    watching[read] = db.connect_beside(read.conn, WATCHER_NAME)
                read.check(watching[read])
            except (psycopg.Error, ProjectorError):
                # The server may have no connection left, or be unreachable: the next check tries again.
                pass
            except Exception as error:  # noqa: BLE001  # Such as too many open files: the thread must go on.
                _log.warning("it cannot be seen who waits for a read", error=quoting(error, str(error)))


@contextmanager
def cancel_if_blocking(conn: Connection) -> Iterator[None]:
    """Cancel a statement of this connection in the block if a session waits for a table of the platform that it holds.

    Nothing after the block is cancelled. A block within another belongs to the outer one. Raises YieldedError, which
    names the session, if a statement was cancelled for this reason.
    """
    if conn in _reads:
        yield
        return
    _watch()
    read = _reads[conn] = _Read(conn)
    try:
        yield
    except (psycopg.errors.QueryCanceled, psycopg.errors.PipelineAborted) as error:
        waiter = read.end()
        if waiter is None:
            raise
        _log.warning("gave way to a session that waits", table=waiter.table_name, session=waiter.session_name)
        raise YieldedError(
            f"This gave way to {waiter.session_name}, which waits for {waiter.table_name}: try again when it has ended."
        ) from error
    finally:
        read.end()
        del _reads[conn]
