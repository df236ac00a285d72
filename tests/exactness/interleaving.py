"""Work in threads that a test moves from point to point: no schedule depends on time."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from projector.core.batch import refresh_batch
from projector.core.pipeline import InjectionPoint, no_injection_point, prepare_session
from projector.core.refresh import refresh
from projector.database.rows import Connection
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support.patience import PATIENCE
from tests.support.server import Database

REFRESH_POINTS = ("taken", "tenants_found", "locked", "recomputed", "written")
"""The points of a batch of a refresh, in their order."""

FIRST_BUILD_POINTS = ("built", "indexed")
"""The points of a first build."""

IN_PLACE_POINTS = ("compared", "locked", "recomputed", "written")
"""The points of a rebuild in place: of a piece, and of the transactions that write its leads."""


class Stepped:
    """Some work in a thread with a connection of its own, which stands still at points, in their order."""

    def __init__(
        self, database: Database, work: Callable[[Connection, InjectionPoint], Any], *stops: str
    ) -> None:
        self._stops = list(stops)
        self._database = database
        self._work = work
        self._at: str | None = None
        self._may_go = False
        self._changed = threading.Condition()
        self._connected = threading.Event()
        self._ended = threading.Event()
        self.result: Any = None
        self.error: BaseException | None = None
        self.pid = 0
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._connected.wait(PATIENCE)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.go_on_freely()
        self._thread.join(PATIENCE)
        if error is None:
            assert not self._thread.is_alive(), "the work did not end"

    def _run(self) -> None:
        try:
            with self._database.connect(application_name="stepped") as conn:
                self.pid = conn.info.backend_pid
                self._connected.set()
                self.result = self._work(conn, self._point)
        except BaseException as error:  # noqa: BLE001  # The test that waits for it gets it.
            self.error = error
        finally:
            self._connected.set()
            self._ended.set()
            with self._changed:
                self._changed.notify_all()

    def _point(self, point: str) -> None:
        with self._changed:
            if self._stops[:1] != [point]:
                return
            self._stops.pop(0)
            self._at, self._may_go = point, False
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self._may_go, PATIENCE), f"nobody went on from {point}"

    def reach(self, point: str) -> None:
        """Wait until the work stands at a point."""
        if not self.reaches(point):
            raise self.error or AssertionError(f"the work ended before {point}")

    def reaches(self, point: str) -> bool:
        """Wait until the work stands at a point, or has ended; whether it stands there."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._at == point or self._ended.is_set(), PATIENCE), (
                f"{point} was not reached"
            )
        return self._at == point

    def go_on(self) -> None:
        """Let the work go on from where it stands."""
        with self._changed:
            self._at, self._may_go = None, True
            self._changed.notify_all()

    def go_on_freely(self) -> None:
        """Let the work go on, and stop nowhere any more."""
        with self._changed:
            self._stops.clear()
            self._at, self._may_go = None, True
            self._changed.notify_all()

    def finish(self) -> Any:  # noqa: ANN401  # Whatever the work answers.
        """Let the work go on to its end; the answer is its answer."""
        self.go_on_freely()
        assert self._ended.wait(PATIENCE), "the work did not end"
        if self.error is not None:
            raise self.error
        return self.result

    def ends(self) -> bool:
        """Whether the work has ended."""
        return self._ended.is_set()

    def waits(self, watcher: Connection) -> None:
        """Wait until the work waits for a lock, or has ended."""
        wait_for(lambda: self._ended.is_set() or waits_for_lock(watcher, self.pid))
        assert not self._ended.is_set(), "the work ended instead of waiting"


def wait_for(fact: Callable[[], Any]) -> None:
    """Look until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not fact():
        assert time.monotonic() < deadline, "it did not come to be so"
        time.sleep(0.002)


def waits_for_lock(watcher: Connection, pid: int) -> bool:
    """Whether a session waits for a lock of another."""
    row = watcher.execute("SELECT cardinality(pg_blocking_pids(%s)) > 0", (pid,)).fetchone()
    return bool(row and row[0])


@contextmanager
def refreshing(database: Database, *stops: str, shard: int | None = None) -> Iterator[Stepped]:
    """A refresh in a thread: of everything, or one batch of one shard."""

    def work(conn: Connection, point: InjectionPoint) -> Any:  # noqa: ANN401  # A report or a batch.
        if shard is None:
            return refresh(conn, retry_failed=False, progress=QUIET, point=point)
        return batch_of(conn, shard, point)

    with Stepped(database, work, *stops) as stepped:
        yield stepped


def batch_of(conn: Connection, shard: int, point: InjectionPoint = no_injection_point) -> Any:  # noqa: ANN401
    """One batch of one shard."""
    prepare_session(conn)
    return refresh_batch(conn, [shard], point=point)


@contextmanager
def rebuilding(database: Database, *stops: str, **options: Any) -> Iterator[Stepped]:  # noqa: ANN401
    """A rebuild in a thread, in place unless the read model was never built."""
    options = {"tenants": None, **options}
    with Stepped(
        database,
        lambda conn, point: rebuild(conn, progress=QUIET, point=point, **options),
        *stops,
    ) as stepped:
        yield stepped
