"""Long reads of the platform's tables yield to whoever waits for one of them.

A read holds ACCESS SHARE to the end of its transaction. An ALTER TABLE of the platform waits for that, and everybody
else who wants the table waits behind the ALTER TABLE. So while a read takes longer than a moment, the thread of the
process that looks after all reads looks from another connection whether a session waits for a table that the read
holds. It cancels the read then, and the read begins again later.
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

LOOK_AFTER_SECONDS = 1.0
"""A read that is over by then is not looked after: a moment is what every statement may take."""

LOOK_EVERY_SECONDS = 0.5

WATCHER_NAME = "leads-projector: giving way"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Waiter:
    """A session that waits for a table of the platform, both in words."""

    table_name: str
    session_name: str


class _Read:
    """What a connection does in a block, and for whom it was cancelled, if it was."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.began_at = time.monotonic()
        self._lock = threading.Lock()
        self._is_over = False
        self._waiter: Waiter | None = None

    def end(self) -> Waiter | None:
        """Return for whom it was cancelled, if it was. What comes after this is not cancelled any more."""
        with self._lock:
            self._is_over = True
            return self._waiter

    def look(self, looking: Connection) -> None:
        """Cancel it where a session waits for it."""
        pid = self.conn.info.backend_pid
        waiter = rows.row(looking, Waiter, query("core", "find_waiter"), {"pid": pid})
        if waiter is None:
            return
        with self._lock:
            # PostgreSQL ignores it between two statements. Then the next look does it again.
            if not self._is_over:
                self._waiter = waiter
                looking.execute("SELECT pg_cancel_backend(%s)", (pid,))


_reads: dict[Connection, _Read] = {}
"""The reads in progress. One that is short costs an entry: the thread notices it only if it is there at two looks."""


@cache
def _watch() -> None:
    """Start the thread that looks after all reads, once."""
    threading.Thread(target=_look_after_reads, name="blocking", daemon=True).start()


def _look_after_reads() -> None:
    looking: dict[_Read, Connection] = {}
    while True:
        time.sleep(LOOK_EVERY_SECONDS)
        oldest = time.monotonic() - LOOK_AFTER_SECONDS
        long = [read for read in list(_reads.values()) if read.began_at <= oldest]
        for ended in looking.keys() - {*long}:
            looking.pop(ended).close()
        for read in long:
            try:
                if read not in looking or looking[read].closed:
                    looking[read] = db.connect_beside(read.conn, WATCHER_NAME)
                read.look(looking[read])
            except (psycopg.Error, ProjectorError):
                # The server may have no connection left, or go away: then it is tried again.
                pass
            except Exception as error:  # noqa: BLE001  # Such as too many open files: no other thread looks after reads.
                _log.warning("it cannot be seen who waits for a read", error=quoting(error, str(error)))


@contextmanager
def cancel_if_blocking(conn: Connection) -> Iterator[None]:
    """Cancel what this connection does in the block, if a session waits for a table of the platform that it holds.

    Nothing after the block is cancelled. A block within another one is a part of that. Raises YieldedError, which says
    for whom, where a statement was cancelled for that reason.
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
