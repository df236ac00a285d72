"""Work in threads that a test moves from point to point, so that no schedule depends on time."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from projector.core.batch import Batch, refresh_batch
from projector.core.late import LateKeys
from projector.core.pipeline import AT_POINT, prepare_session
from projector.core.refresh import refresh
from projector.database.rows import Connection
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support import running
from tests.support.patience import PATIENCE
from tests.support.server import Database

REFRESH_POINTS = ("taken", "tenants_found", "locked", "recomputed", "written")
"""The points of a batch of a refresh, in their order."""

FIRST_BUILD_POINTS = ("keys", "recomputed", "written", "indexed", "statistics")
"""The points of a first build: of the keys of a kind, of a piece of leads, and of its end."""

IN_PLACE_POINTS = ("compared", "locked", "recomputed", "written")
"""The points of a rebuild in place: of a piece, and of the transactions that write its leads."""


class Stepped:
    """Some work in a thread with its own connection, which stops at each of these points in turn."""

    def __init__(self, database: Database, work: Callable[[Connection], Any], *points: str) -> None:
        self._database, self._work, self._points = database, work, [*points]
        self._stands, self._may_go, self._ended = threading.Event(), threading.Event(), threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.pid = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        """Begin, and wait until the work stands at its point; if it has none, until it is connected."""
        self._thread.start()
        assert self._stands.wait(PATIENCE), f"{self._points} was not reached"
        if self._points and self._ended.is_set():
            raise self.error or AssertionError(f"the work ended before {self._points}")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._may_go.set()
        self._thread.join(PATIENCE)
        if error is None:
            assert not self._thread.is_alive(), "the work did not end"

    def _run(self) -> None:
        AT_POINT.set(self._point)
        try:
            with self._database.connect(application_name="stepped") as conn:
                self.pid = conn.info.backend_pid
                if not self._points:
                    self._stands.set()
                self.result = self._work(conn)
        except BaseException as error:  # noqa: BLE001  # The test that waits for it gets it.
            self.error = error
        finally:
            self._ended.set()
            self._stands.set()

    def _point(self, point: str) -> None:
        if self._points[:1] == [point]:
            del self._points[0]
            if self._points:
                return
            self._stands.set()
            assert self._may_go.wait(PATIENCE), f"nobody went on from {point}"

    def go_on(self) -> None:
        self._may_go.set()

    def finish(self) -> Any:  # noqa: ANN401  # Whatever the work answers.
        """Let the work continue to its end, and return its result."""
        self._may_go.set()
        assert self._ended.wait(PATIENCE), "the work did not end"
        if self.error is not None:
            raise self.error
        return self.result

    def ends(self) -> bool:
        return self._ended.is_set()

    def waits(self, watcher: Connection) -> None:
        """Wait until the work waits for a lock, or has ended."""
        wait_for(lambda: self._ended.is_set() or waits_for_lock(watcher, self.pid))
        assert not self._ended.is_set(), "the work ended instead of waiting"


def wait_for(fact: Callable[[], Any]) -> None:
    running.wait_for(fact, "it comes to be so", PATIENCE, pause=0.002)


def waits_for_lock(watcher: Connection, pid: int) -> bool:
    row = watcher.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,)).fetchone()
    return bool(row and row[0])


def refreshing(database: Database, *points: str, shard: int | None = None) -> Stepped:
    """Return a refresh in a thread: of everything, or one batch of one shard."""

    def work(conn: Connection) -> Any:  # noqa: ANN401  # A report or a batch.
        if shard is None:
            return refresh(conn, retry_failed=False, progress=QUIET)
        return batch_of(conn, shard)

    return Stepped(database, work, *points)


def batch_of(conn: Connection, shard: int) -> Any:  # noqa: ANN401
    prepare_session(conn)
    return refresh_batch(conn, [shard])


def piece(database: Database, *points: str, size: int = 100) -> Stepped:
    """Return a piece of late keys in a thread."""

    def work(conn: Connection) -> Batch | None:
        prepare_session(conn)
        late = LateKeys()
        late._size = size  # noqa: SLF001
        return late.take_piece(conn)

    return Stepped(database, work, *points)


def rebuilding(database: Database, *points: str) -> Stepped:
    """Return a rebuild in a thread, in place unless the read model was never built."""
    return Stepped(database, lambda conn: rebuild(conn, tenants=None, progress=QUIET), *points)
