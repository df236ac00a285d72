"""Sessions whose work goes on step by step, each in a thread and with a connection that are kept for many schedules."""

import threading
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from enum import Enum, auto

from projector.core.batch import refresh_batch
from projector.core.pipeline import AT_POINT
from projector.database.rows import Connection
from tests.exactness.interleaving import REFRESH_POINTS
from tests.exactness.schedules.steps import Statement
from tests.support.patience import PATIENCE
from tests.support.server import Database

REFRESH_STEPS = ("take", "find", "lock", "recompute", "merge", "commit")
"""The steps of a batch. All but the last end at the point of their place in REFRESH_POINTS."""

AGAIN, NEXT_BATCH = "again", "next batch"
"""The points at which a batch that collided begins again, and at which a refresh begins its next batch."""

_STEP_AFTER = {
    **dict(zip(REFRESH_POINTS, REFRESH_STEPS[1:], strict=True)),
    AGAIN: REFRESH_STEPS[0],
    NEXT_BATCH: REFRESH_STEPS[0],
}
_current = threading.local()


class State(Enum):
    """READY at a point, RUNNING on the way to the next one or waiting for a lock there, or DONE."""

    READY = auto()
    RUNNING = auto()
    DONE = auto()


class Mode(Enum):
    """How the writer goes on: a commit after each statement, or one of all of them."""

    STATEMENTS = "statements"
    TRANSACTION = "transaction"

    @property
    def most_batches(self) -> int:
        """Batches of a refresh at most: one that spread a mass change would go on with its pieces.

        With three writing steps, further batches would make twenty times as many schedules. With the transaction, they
        are there.
        """
        return 1 if self is Mode.STATEMENTS else 3


class AbandonedError(BaseException):
    """Ends the work of a session whose schedule is given up, whatever it catches."""


class Session:
    """Some work in a thread of its own. `step` is the step that comes next, or that is under way."""

    def __init__(self, name: str, database: Database) -> None:
        self.name = name
        self.conn: Connection = database.connect(application_name=f"schedule {name}")
        # A deadlock of a projector without a rule is found at once.
        self.conn.execute("SET deadlock_timeout = '20ms'")
        self.pid = self.conn.info.backend_pid
        self.state, self.step = State.DONE, ""
        self.error: BaseException | None = None
        self.began_again = False
        self._work: Callable[[Session], None] = lambda _: None
        self._changed = threading.Condition()
        self._may_go = self._is_abandoned = self._is_closed = False
        self._thread = threading.Thread(target=self._run, name=f"schedule {name}", daemon=True)
        self._thread.start()

    def begin(self, first_step: str, work: "Callable[[Session], None]") -> None:
        """Stand before the first step of some work."""
        self._work = work
        self.step, self.state, self.error = first_step, State.READY, None
        self._may_go = self._is_abandoned = self.began_again = False

    def go(self) -> None:
        """Take the next step. It has ended when the state is another one than RUNNING."""
        with self._changed:
            self.state, self._may_go = State.RUNNING, True
            self._changed.notify_all()

    def stands(self, timeout: float) -> bool:
        """Wait until the step has ended, for some seconds; whether it has."""
        with self._changed:
            return self._changed.wait_for(lambda: self.state is not State.RUNNING, timeout)

    def abandon(self) -> None:
        """Roll back, from the point where the work stands or to which it comes next."""
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
        self.stop(_STEP_AFTER[point], began_again=point == AGAIN)

    def stop(self, step: str, *, began_again: bool = False) -> None:
        """Stand before a step until the schedule lets the work go on."""
        with self._changed:
            if not self._is_abandoned:
                self.began_again = self.began_again or began_again
                self.step, self.state, self._may_go = step, State.READY, False
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


Work = tuple[str, Callable[[Session], None]]
"""The name of the first step of a session in a schedule, and what the session does."""


def refresh_of(shard: int, *, waits: bool, most_batches: int) -> Work:
    """A refresh of one shard, until nothing is left there or another refresh owns it; of so many batches at most."""

    def run(session: Session) -> None:
        for number in range(most_batches):
            if number > 0:
                session.point(NEXT_BATCH)
            done = refresh_batch(session.conn, [shard], wait=waits)
            # Mass changes have their own tests.
            if done.drained or done.has_mass_changes or not done.owned:
                return

    return REFRESH_STEPS[0], run


def writer_of(statements: Sequence[Statement], mode: Mode) -> Work:
    """The writer. Its steps are the numbers of its statements, or the transaction."""

    def run(session: Session) -> None:
        with nullcontext() if mode is Mode.STATEMENTS else session.conn.transaction():
            for number, (query, values) in enumerate(statements, 1):
                if number > 1 and mode is Mode.STATEMENTS:
                    session.stop(str(number))
                session.conn.execute(query.encode(), values)

    return "1" if mode is Mode.STATEMENTS else "transaction", run
