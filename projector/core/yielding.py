"""Long reads of the platform's tables yield to whoever waits for one of them.

A read holds ACCESS SHARE to the end of its transaction. An ALTER TABLE of the platform waits for that, and everybody
else who wants the table waits behind the ALTER TABLE. So while a read takes longer than a moment, a thread looks from a
connection of its own whether a session waits for a table that the read holds. It cancels the read then, and the read
begins again later.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from weakref import WeakKeyDictionary, ref

import psycopg
import structlog

from projector.database import connect as db
from projector.database import rows
from projector.database.rows import Connection, Row
from projector.database.sql import query
from projector.report.errors import ProjectorError, YieldedError

LOOK_AFTER_SECONDS = 1.0
"""A read that is over by then is not looked after: a moment is what every statement may take."""

LOOK_EVERY_SECONDS = 0.5

WATCHER_NAME = "leads-projector: giving way"

_log = structlog.get_logger(__name__)


class _Watcher:
    """Looks after the reads of one connection; its thread ends with the connection.

    A read that is short costs two assignments: the thread notices it only if it is there at two looks.
    """

    def __init__(self, conn: Connection) -> None:
        self._conn = ref(conn)
        self._lock = threading.Lock()
        self._began_at: float | None = None
        self._waiter: Row | None = None
        threading.Thread(target=self._watch, name="yielding", daemon=True).start()

    def begin(self) -> bool:
        """Begin to look after a read; return False if it is a part of one that is looked after."""
        with self._lock:
            if self._began_at is not None:
                return False
            self._began_at, self._waiter = time.monotonic(), None
            return True

    def end(self) -> Row | None:
        """Return for whom the read was cancelled, if it was. What comes after this is not cancelled any more."""
        with self._lock:
            self._began_at = None
            return self._waiter

    def _watch(self) -> None:
        looking: Connection | None = None
        while True:
            time.sleep(LOOK_EVERY_SECONDS)
            conn = self._conn()
            if conn is None or conn.closed:
                break
            began_at = self._began_at
            is_long = began_at is not None and time.monotonic() - began_at >= LOOK_AFTER_SECONDS
            # The server may have no connection left, or go away: then it is tried again.
            with suppress(psycopg.Error, ProjectorError):
                if is_long and (looking is None or looking.closed):
                    looking = db.connect_beside(conn, WATCHER_NAME)
                if is_long and looking is not None:
                    self._look(looking, conn.info.backend_pid, began_at)
                elif looking is not None:
                    looking.close()
            # So that it can be deleted.
            del conn
        if looking is not None:
            looking.close()

    def _look(self, looking: Connection, pid: int, began_at: float | None) -> None:
        waiter = rows.row(looking, Row, query("core", "find_waiter"), {"pid": pid})
        if waiter is None:
            return
        with self._lock:
            # PostgreSQL ignores it between two statements. Then the next look does it again.
            if self._began_at == began_at:
                self._waiter = waiter
                looking.execute("SELECT pg_cancel_backend(%s)", (pid,))


_watchers: "WeakKeyDictionary[Connection, _Watcher]" = WeakKeyDictionary()
_watchers_lock = threading.Lock()


@contextmanager
def yielding(conn: Connection) -> Iterator[None]:
    """Cancel what this connection does in the block, if a session waits for a table of the platform that it holds.

    Nothing after the block is cancelled. A block within another one is a part of that. Raises YieldedError, which says
    for whom, where a statement was cancelled for that reason.
    """
    with _watchers_lock:
        watcher = _watchers.get(conn)
        if watcher is None:
            watcher = _watchers[conn] = _Watcher(conn)
    if not watcher.begin():
        yield
        return
    try:
        yield
    except (psycopg.errors.QueryCanceled, psycopg.errors.PipelineAborted) as error:
        waiter = watcher.end()
        if waiter is None:
            raise
        _log.warning("gave way to a session that waits", table=waiter.table_name, session=waiter.session_name)
        raise YieldedError(
            f"This gave way to {waiter.session_name}, which waits for {waiter.table_name}: try again when it has ended."
        ) from error
    finally:
        watcher.end()
