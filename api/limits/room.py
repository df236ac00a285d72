"""Threads that callers share: what waits for one of them is bounded, and the callers have their turn one by one."""

from collections import Counter, deque
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from functools import partial
from sys import maxsize
from threading import Lock, Thread
from time import monotonic, sleep
from typing import Any, TypeVar

import structlog

from api.limits.places import most_of_tenant

LONGEST_REST_SECONDS = 0.05
"""How long one rests at most that leaves the interpreter and the database to others."""

Result = TypeVar("Result")
_Call = tuple[tuple[str, ...], Callable[[], object]]


class Room:
    """Some threads, and the places of the calls that wait for them.

    A thread that has run a call of a caller of whom more wait rests for `rest` times as long, and so leaves the
    interpreter and the database to others.
    """

    def __init__(self, name: str, threads: int, places: int = maxsize, *, rest: float = 0.0) -> None:
        self._name = name
        self._most_threads = threads
        self._places = places
        # The last name of a caller has four fifths of the places at most, and each before it four fifths of those: so
        # no caller fills the room, and no tenant keeps another one from the address of both.
        self._shares = (most_of_tenant(places), most_of_tenant(most_of_tenant(places)))
        self._rest = rest
        self._lock = Lock()
        self._threads = 0
        # By what each thread is woken that has nothing to do. The one that has worked last is the last.
        self._idle: list[Lock] = []
        # Of each caller whose calls wait. The one whose turn comes next is the first.
        self._lines: dict[str, deque[_Call]] = {}
        self._waiting: Counter[str] = Counter()
        self._all_waiting = 0
        self._moved_at = monotonic()

    def line(self, *names: str) -> "Line | None":
        """Return where a caller waits, who has a turn by the first of its one or two names; None if it may not."""
        with self._lock:
            if self._all_waiting >= self._places:
                return None
            for name, most in zip(reversed(names), self._shares, strict=False):
                if self._waiting[name] >= most:
                    return None
        return Line(self, names)

    def stands_still(self, seconds: float) -> bool:
        """Return whether a call waits, and no thread has taken one for so long."""
        with self._lock:
            return bool(self._lines) and monotonic() - self._moved_at > seconds

    def wait(self, names: tuple[str, ...], call: Callable[[], object]) -> None:
        """Have a call wait for its turn. Line calls this."""
        with self._lock:
            if not self._lines:
                self._moved_at = monotonic()
            self._lines.setdefault(names[0], deque()).append((names, call))
            self._all_waiting += 1
            for name in names:
                self._waiting[name] += 1
            if self._idle:
                self._idle.pop().release()
                return
            if self._threads == self._most_threads:
                return
            self._threads += 1
        try:
            Thread(target=self._work, name=f"{self._name}_{self._threads}", daemon=True).start()
        except RuntimeError:
            # The system has no thread left. The next call tries again.
            with self._lock:
                self._threads -= 1
            raise

    def _work(self) -> None:
        woken = Lock()
        woken.acquire()
        while True:
            taken = self._take(woken)
            if taken is None:
                woken.acquire()
                continue
            call, goes_on = taken
            began = monotonic()
            try:
                call()
            except Exception:  # noqa: BLE001  # Whatever it is, the thread goes on.
                structlog.get_logger().exception("a request has ended without an answer")
            if goes_on and self._rest:
                sleep(min(self._rest * (monotonic() - began), LONGEST_REST_SECONDS))

    def _take(self, woken: Lock) -> tuple[Callable[[], object], bool] | None:
        """Return the call whose turn it is, and whether more of its caller wait; None if there is none.

        The thread is then woken by that lock.
        """
        with self._lock:
            if not self._lines:
                self._idle.append(woken)
                return None
            caller = next(iter(self._lines))
            line = self._lines.pop(caller)
            names, call = line.popleft()
            if line:
                self._lines[caller] = line
            self._all_waiting -= 1
            for name in names:
                self._waiting[name] -= 1
                # Anybody may bring a new name.
                if not self._waiting[name]:
                    del self._waiting[name]
            self._moved_at = monotonic()
            return call, bool(line)


class Line(Executor):
    """The place of a caller in a room. A coroutine that awaits it goes on in a thread, when it is the caller's turn."""

    def __init__(self, room: Room, names: tuple[str, ...]) -> None:
        self._room = room
        self._names = names

    def __await__(self) -> "Generator[Line, None, None]":
        """Yield to Loop, which runs the rest there."""
        yield self

    def run(self, call: Callable[[], object]) -> None:
        """Have a call wait for its turn. Nobody waits for what it returns."""
        self._room.wait(self._names, call)

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> "Future[Result]":  # noqa: ANN401
        """Have a call wait for its turn, and somebody for its result."""
        future: Future[Result] = Future()
        self.run(partial(_fulfil, future, partial(fn, *args, **kwargs)))
        return future


def _fulfil(future: "Future[Result]", call: Callable[[], Result]) -> None:
    if future.set_running_or_notify_cancel():
        try:
            future.set_result(call())
        except BaseException as error:  # noqa: BLE001  # Whoever waits for the result gets it.
            future.set_exception(error)
