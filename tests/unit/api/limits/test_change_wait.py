"""Requests wait for a change without holding anything, and give way to those that wait for fresh data."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from time import monotonic

import pytest

from api.database.errors import UnavailableError
from api.limits import waiting as waiting_module
from api.limits.waiting import MAX_WAITING, MAX_WAITING_OF_TENANT, Place, Waiting
from tests.support.cases import cases
from tests.support.patience import PATIENCE
from tests.support.running import wait_for


@pytest.fixture(autouse=True)
def _short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_module, "CHANGE_EVERY_SECONDS", 0.01)


class Versions:
    """The versions of tenants, as a look sees them; counts the looks."""

    def __init__(self) -> None:
        self.version = b"1"
        self.looks = 0

    def __call__(self, _tenant: str) -> bytes:
        self.looks += 1
        return self.version


class Requests:
    """Requests that wait in threads."""

    def __init__(self, look: Callable[[str], bytes], is_over: Callable[[], bool]) -> None:
        self._look, self._is_over, self.room = look, is_over, Waiting()
        self.ended = 0
        self._lock = threading.Lock()

    def start(self, count: int) -> None:
        for _ in range(count):
            threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self.room.for_change("u", PATIENCE, self._look, self._is_over)
        with self._lock:
            self.ended += 1


@pytest.fixture
def over() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


def test_a_change_between_the_look_and_the_question_is_seen() -> None:
    """The version moves while `is_over` is asked for the first time, which does not see it yet."""
    versions = Versions()
    answers = iter((False, True))

    def is_over() -> bool:
        versions.version = b"2"
        return next(answers)

    Waiting().for_change("u", PATIENCE, versions, is_over)
    assert next(answers, None) is None


def test_no_more_wait_than_may_and_one_that_loses_its_place_ends_at_once(over: threading.Event) -> None:
    versions = Versions()
    waiting = Requests(versions, over.is_set)
    waiting.start(MAX_WAITING_OF_TENANT + 1)
    wait_for(lambda: waiting.ended == 1, "one has no place")
    with waiting.room.place("u", gives_way=False) as place:
        assert place is not None
        wait_for(lambda: waiting.ended == 2, "one loses its place")
    # None goes on waiting while other tests run.
    over.set()
    versions.version = b"2"
    wait_for(lambda: waiting.ended == MAX_WAITING_OF_TENANT + 1, "all end")


def test_a_database_that_is_away_ends_it() -> None:
    def look(_tenant: str) -> bytes:
        raise UnavailableError

    Waiting().for_change("u", PATIENCE, look, lambda: False)


@cases("tenant", ["u0", "another"])
def test_the_longest_wait_for_a_change_gives_way_to_one_for_fresh_data(tenant: str) -> None:
    room = Waiting()
    with ExitStack() as stack:

        def take(tenant: str, *, gives_way: bool) -> Place | None:
            return stack.enter_context(room.place(tenant, gives_way=gives_way))

        places = [take(f"u{n}", gives_way=True) for n in range(MAX_WAITING)]
        assert take(tenant, gives_way=False) is not None
        lost = [place is None or place.is_lost.is_set() for place in places]
        assert lost == [True] + [False] * (MAX_WAITING - 1)
        # It does not lose what it was given, not even to another of its kind.
        assert take("late", gives_way=True) is None
    # Each place was given back.
    with room.place("late", gives_way=True) as place:
        assert place is not None


def test_one_question_at_a_time() -> None:
    waiters = Waiting()
    asking, answering = threading.Event(), threading.Event()

    def ask() -> int:
        asking.set()
        assert answering.wait(PATIENCE)
        return 7

    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(waiters.ask(ask, monotonic() + PATIENCE)))
    thread.start()
    assert asking.wait(PATIENCE)
    with pytest.raises(UnavailableError):
        waiters.ask(lambda: pytest.fail("two at once"), monotonic() + 0.01)
    answering.set()
    thread.join(PATIENCE)
    assert answers == [7]
    assert waiters.ask(lambda: 8, monotonic() + PATIENCE) == 8
