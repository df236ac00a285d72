"""Admission of requests: each waits in a queue for its turn, then holds a slot and a thread until it ends.

A waiting request holds no thread. A request of an authorized caller is queued under its tenant and its address. Before
authorization it is queued under its address alone, so a stranger who writes a tenant into a path takes nothing from it.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Generator
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread, Timer
from time import monotonic, sleep
from typing import Any, TypeVar
from wsgiref.types import WSGIEnvironment

import structlog

from api.config import Config
from api.database.errors import UnavailableError
from api.limits.caller import caller_address

WAIT_SECONDS = 1.0
"""How long a request waits for its turn while no slot that it could take is freed."""

LONGEST_WAIT_SECONDS = 10.0
"""How long a request waits at most, even while slots are freed."""

STILL_SECONDS = 30.0
"""A process counts as dead once no request has ended for this long, plus the statement timeout."""

LONGEST_REST_SECONDS = 0.05
"""The longest rest of a thread, in which others have the interpreter and the database."""

# A process answers about a thousand requests a second, so the last one in a full queue waits for about a second.
ANSWERS_OF_THREAD = 256
COSTLY_OF_THREAD = 64
# For requests without a tenant, and for callers whose credentials have to be checked: as many places as browsers load
# files at once. The interpreter runs one thread at a time, so there are few threads, and each rests as long as it ran.
OPEN_THREADS = 2
OPEN_PLACES = 64
# One thread more than exports may run at once: it refuses the exports that find no slot.
SPARE_EXPORT_THREADS = 1
EXPORT_ENDINGS = (".csv", ".ndjson")
# A longer query takes milliseconds of the interpreter, and no client needs one, so its threads rest longer.
LONG_QUERY = 4096
LONG_QUERY_THREADS = 2
LONG_QUERY_REST = 3.0

TENANT_IS_BUSY = "This tenant has as many requests under way as it may have: try again in a second"
ALL_ARE_BUSY = "The API has as many requests under way as it takes: try again in a second"
QUEUE_IS_FULL = "The API has more requests waiting than it takes: try again in a second"

Result = TypeVar("Result")


class BusyError(UnavailableError):
    """The request was not admitted."""


def most_of_caller(most: int) -> int:
    """Return how many of `most` slots one caller may hold at once. The rest is left to other callers."""
    return max(1, most * 4 // 5)


class Slots:
    """Limits what runs at once, in total and for each caller. No caller may hold every slot.

    The last name of a caller may hold four fifths of the slots, and the name before it four fifths of those: behind a
    shared address, no tenant can shut out another.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._shares = (most_of_caller(most), most_of_caller(most_of_caller(most)))
        self._lock = Lock()
        self._count = 0
        self._taken = Counter[str]()
        # When a slot was last taken or given back: by anyone, and by each name that holds one.
        self._moved_at = monotonic()
        self._moved: dict[str, float] = {}

    def take(self, *names: str) -> bool:
        """Take a slot for a caller of at most two names. Returns whether one was free."""
        with self._lock:
            return self._take(*names)

    def give_back(self, *names: str) -> None:
        """Give a slot back."""
        with self._lock:
            self._move(-1, names)

    def has_share(self, *names: str) -> bool:
        """Return whether a caller holds as many slots as it may."""
        return any(
            self._taken[name] >= most for name, most in zip(reversed(names), self._shares, strict=False)
        )

    def moved_at(self, *names: str) -> float:
        """Return when a slot that a caller waits for was last taken or given back, by the monotonic clock."""
        return self._moved.get(names[0], 0.0) if self.has_share(*names) else self._moved_at

    def stand_still(self, seconds: float) -> bool:
        """Return whether all slots are taken and none was given back for this long."""
        return self._count >= self._most and monotonic() - self._moved_at > seconds

    def _take(self, *names: str) -> bool:
        if self._count >= self._most or self.has_share(*names):
            return False
        self._move(1, names)
        return True

    def _move(self, more: int, names: tuple[str, ...]) -> None:
        self._count += more
        self._moved_at = monotonic()
        for name in names:
            self._taken[name] += more
            self._moved[name] = self._moved_at
            # Callers choose their names, so a name without a slot is forgotten.
            if not self._taken[name]:
                del self._taken[name], self._moved[name]


@dataclass(eq=False, slots=True)
class Queue:
    """The waiting requests of one kind, and how many of them may run at once.

    If the caller of a request has more in the queue, the thread then rests for `rest` times as long as it ran.
    """

    threads: int
    slots: Slots
    places: Slots
    rest: float = 0.0
    running: int = 0
    # The turns of each caller. The caller who is next comes first.
    lines: "dict[str, deque[Turn]]" = field(default_factory=dict)


class Turn(Executor):
    """A place in a queue. A coroutine that awaits it continues in a thread, with a slot, when its turn comes."""

    def __init__(
        self, admission: "Admission", queue: Queue, names: tuple[str, ...], slot: tuple[str, ...]
    ) -> None:
        self._admission = admission
        self.queue = queue
        self.names = names
        self.slot = slot
        self.since = monotonic()
        self.call: Callable[[], object]
        self.refusal = ""
        self.has_followers = False

    def __await__(self) -> "Generator[Turn, None, None]":
        """Yield to Loop, which enqueues the rest of the coroutine. Raises BusyError if it is not admitted."""
        yield self
        self._require()

    async def run(self, call: Callable[[], Result]) -> Result:
        """Return the result of a call, made when its turn comes. A coroutine of the event loop then continues there.

        Raises BusyError if the call is not admitted.
        """
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            await self
            return call()
        return await loop.run_in_executor(self, call)

    def enter(self, call: Callable[[], object]) -> None:
        """Enqueue a call. If it is refused, it is called too, and `refusal` says why."""
        self.call = call
        self._admission.enter(self)

    def come(self) -> None:
        """Make the call whose turn has come."""
        try:
            self.call()
        except Exception:  # noqa: BLE001  # Whatever it is, the thread continues.
            structlog.get_logger().exception("a request has ended without an answer")

    def submit(self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any) -> "Future[Result]":  # noqa: ANN401
        """Enqueue a call, and return the future of its result."""
        future: Future[Result] = Future()
        self.enter(partial(self._fulfil, future, partial(fn, *args, **kwargs)))
        return future

    def _fulfil(self, future: "Future[Result]", call: Callable[[], Result]) -> None:
        if future.set_running_or_notify_cancel():
            try:
                self._require()
                future.set_result(call())
            except BaseException as error:  # noqa: BLE001  # Whoever waits for the result gets it.
                future.set_exception(error)

    def _require(self) -> None:
        if self.refusal:
            raise BusyError(self.refusal)

    def is_late(self, now: float) -> bool:
        """Return whether the turn is overdue."""
        moved_at = self.queue.slots.moved_at(*self.slot)
        return now - max(self.since, moved_at) > WAIT_SECONDS or now - self.since > LONGEST_WAIT_SECONDS


class Admission:
    """The queues of a process. Requests of tenants share the slots, one for each connection to the database.

    Requests that cost much more than a list have a queue of their own with few threads, which rest: a tenant that
    repeats them leaves the interpreter and the database to others. Another queue is for requests without a tenant and
    for callers whose credentials have to be checked; it takes no slots from tenants.
    """

    def __init__(self, config: Config) -> None:
        self._proxies = config.proxies
        self._still_seconds = STILL_SECONDS + config.statement_timeout_ms / 1000
        slots, opening = Slots(config.threads), config.exports + SPARE_EXPORT_THREADS
        self._answers = Queue(config.threads, slots, Slots(config.threads * ANSWERS_OF_THREAD))
        self._exports = Queue(opening, slots, Slots(opening * COSTLY_OF_THREAD), rest=1.0)
        self._long = Queue(
            LONG_QUERY_THREADS, slots, Slots(LONG_QUERY_THREADS * COSTLY_OF_THREAD), rest=LONG_QUERY_REST
        )
        self._others = Queue(OPEN_THREADS, Slots(OPEN_THREADS), Slots(OPEN_PLACES), rest=1.0)
        # The queue that was served last comes last.
        self._queues = [self._answers, self._exports, self._long, self._others]
        self._lock = Lock()
        # Idle threads, most recently used last; each waits for its next turn in a queue of its own.
        self._idle: list[SimpleQueue[Turn]] = []
        self._threads = 0
        self._refusing: Timer | None = None

    def turn(self, environ: WSGIEnvironment, tenant: str) -> Turn:
        """Return the turn of a request. `tenant` is the one that its caller may read, or an empty text."""
        address = f"from {caller_address(environ, self._proxies)}"
        if not tenant:
            return Turn(self, self._others, (address,), ())
        if environ["PATH_INFO"].rstrip("/").endswith(EXPORT_ENDINGS):
            queue = self._exports
        else:
            queue = self._long if len(environ["QUERY_STRING"]) > LONG_QUERY else self._answers
        return Turn(self, queue, (tenant, address), (tenant,))

    def enter(self, turn: Turn) -> None:
        """Enqueue a turn, or refuse it."""
        queue = turn.queue
        with self._lock:
            if queue.places.take(*turn.names):
                queue.lines.setdefault(turn.names[0], deque()).append(turn)
                started = self._next()
                if started is not turn:
                    self._refuse_later()
            else:
                turn.refusal, started = QUEUE_IS_FULL, None
        if turn.refusal:
            turn.come()
        elif started is not None:
            self._start(started)

    def run_at_once(self, tenant: str, call: Callable[[], object]) -> bool:
        """Run a call in a thread, with a slot of a tenant. Returns false if no thread or slot is free now."""
        turn = Turn(self, self._answers, (), (tenant,))
        with self._lock:
            if self._answers.running >= self._answers.threads or not self._answers.slots.take(tenant):
                return False
            self._answers.running += 1
        turn.call = call
        self._start(turn)
        return True

    def problem(self) -> str:
        """Return a sentence if requests are no longer answered, and otherwise an empty text."""
        stand = any(queue.slots.stand_still(self._still_seconds) for queue in (self._answers, self._others))
        return f"No request has ended for {self._still_seconds:g} seconds" if stand else ""

    def _next(self) -> Turn | None:
        """Take a slot for the next turn, and return the turn; None if none can start now."""
        for queue in self._queues:
            if queue.running < queue.threads:
                for name, line in queue.lines.items():
                    if queue.slots.take(*line[0].slot):
                        queue.running += 1
                        self._queues.remove(queue)
                        self._queues.append(queue)
                        return self._leave(queue, name)
        return None

    def _leave(self, queue: Queue, name: str) -> Turn:
        """Take the first turn of a caller out of the queue. The other turns of the caller move to its end."""
        line = queue.lines.pop(name)
        turn = line.popleft()
        turn.has_followers = bool(line)
        if line:
            queue.lines[name] = line
        queue.places.give_back(*turn.names)
        return turn

    def _start(self, turn: Turn) -> None:
        with suppress(IndexError):
            self._idle.pop().put(turn)
            return
        self._threads += 1
        try:
            Thread(target=self._work, args=(turn,), name=f"answers_{self._threads}", daemon=True).start()
        except RuntimeError:
            # The system has no thread left.
            turn.refusal = ALL_ARE_BUSY
            self._run(turn)

    def _work(self, turn: Turn | None) -> None:
        handed = SimpleQueue[Turn]()
        while True:
            self._run(turn or handed.get())
            with self._lock:
                turn = self._next()
                if turn is None:
                    self._idle.append(handed)

    def _run(self, turn: Turn) -> None:
        began, queue = monotonic(), turn.queue
        turn.come()
        rest = min(queue.rest * (monotonic() - began), LONGEST_REST_SECONDS) if turn.has_followers else 0.0
        queue.slots.give_back(*turn.slot)
        if rest:
            with self._lock:
                other = self._next()
            if other is not None:
                self._start(other)
            sleep(rest)
        with self._lock:
            queue.running -= 1

    def _refuse_later(self) -> None:
        if self._refusing is None:
            timer = Timer(WAIT_SECONDS / 2, self._refuse_late)
            timer.name, timer.daemon = "refusals", True
            # The system may have no thread left; the next turn that waits tries again.
            with suppress(RuntimeError):
                timer.start()
                self._refusing = timer

    def _refuse_late(self) -> None:
        """Refuse the turns that are overdue, and check again while others wait."""
        late, now = list[Turn](), monotonic()
        with self._lock:
            self._refusing = None
            for queue in self._queues:
                for name in [*queue.lines]:
                    while name in queue.lines and queue.lines[name][0].is_late(now):
                        late.append(self._leave(queue, name))
            if any(queue.lines for queue in self._queues):
                self._refuse_later()
        for turn in late:
            turn.refusal = TENANT_IS_BUSY if turn.queue.slots.has_share(*turn.slot) else ALL_ARE_BUSY
            turn.come()
