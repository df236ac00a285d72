"""Sessions that work step by step, each with a thread and a connection that serve for many schedules."""

import threading
from collections.abc import Callable
from enum import Enum, auto

from projector.core.pipeline import AT_POINT
from projector.database.rows import Connection
from tests.support.patience import PATIENCE
from tests.support.server import Database

AGAIN = "again"
"""The point at which a batch that collided begins again."""

_current = threading.local()


class State(Enum):
    """READY at a point, RUNNING on the way to the next one or waiting for a lock there, or DONE."""

    READY = auto()
    RUNNING = auto()
    DONE = auto()


class AbandonedError(BaseException):
    """Ends the work of a session whose schedule is given up, whatever it catches."""


class Session:
    """Some work in its own thread, which stops at each point except those that it `passes`; `step` is the last."""

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.conn: Connection = database.connect(application_name=f"schedule {name}")
        # A deadlock of a projector without a rule is found at once.
        self.conn.execute("SET deadlock_timeout = '20ms'")
        self.pid = self.conn.info.backend_pid
        self.state, self.step = State.DONE, ""
        self.passes: frozenset[str] = frozenset()
        self.error: BaseException | None = None
        self._work: Callable[[Session], object] = lambda _: None
        self._changed = threading.Condition()
        self._may_go = self._is_abandoned = self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"schedule {name}", daemon=True)
        self._thread.start()

    def begin(self, work: "Callable[[Session], object]") -> None:
        """Stand before the first step of some work."""
        self._work = work
        self.step, self.state, self.error = "begun", State.READY, None
        self._may_go = self._is_abandoned = False

    def go(self) -> None:
        """Take the next step. It has ended when the state is no longer RUNNING."""
        with self._changed:
            self.state, self._may_go = State.RUNNING, True
            self._changed.notify_all()

    def stands(self, timeout: float) -> bool:
        """Wait until the step has ended, for some seconds; whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self.state is not State.RUNNING, timeout)

    def abandon(self) -> None:
        """Roll back, from the present or the next point of the work."""
        with self._changed:
            self._is_abandoned = self._may_go = True
            if self.state is State.READY:
                self.state = State.RUNNING
            self._changed.notify_all()

    def close(self) -> None:
        with self._changed:
            self._is_closed = self._may_go = True
            self._changed.notify_all()
        self._thread.join(PATIENCE)
        self.conn.close()

    def point(self, point: str) -> None:
        """Stand at a point until the schedule lets the work go on."""
        if point == "leads":
            # An erasure stands from here on: its leads are recomputed.
            self.passes = frozenset({"written"})
            return
        if point in self.passes:
            return
        with self._changed:
            if not self._is_abandoned:
                self.step, self.state, self._may_go = point.removesuffix(" of an erasure"), State.READY, False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._may_go)
            if self._is_abandoned:
                raise AbandonedError

    def _run(self) -> None:
        _current.session = self
        AT_POINT.set(self.point)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._may_go)
            if self._is_closed:
                return
            try:
                if not self._is_abandoned:
                    self._work(self)
            except AbandonedError:
                pass
            except BaseException as error:  # noqa: BLE001  # The schedule is broken, and says so.
                self.error = error
            with self._changed:
                self.state, self._may_go = State.DONE, False
                self._changed.notify_all()


def begin_again(_seconds: float) -> None:
    """Stand where a batch that collided would sleep before it begins again."""
    _current.session.point(AGAIN)
