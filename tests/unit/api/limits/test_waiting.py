"""Those that wait are bounded, both kinds together, and who waits for a moment goes before who waits for long."""

import threading
from contextlib import ExitStack
from time import monotonic

import pytest

from api.database.errors import UnavailableError
from api.limits.waiting import MAX_WAITING, Place, Waiting
from tests.support.cases import cases
from tests.support.patience import PATIENCE


@pytest.fixture
def waiters() -> Waiting:
    return Waiting()


def take(stack: ExitStack, waiters: Waiting, tenant: str, *, gives_way: bool) -> Place | None:
    return stack.enter_context(waiters.place(tenant, gives_way=gives_way))


def may_wait_on(place: Place | None) -> bool:
    assert place is not None
    return not place.is_lost.is_set()


@cases("tenant", ["u0", "another"])
def test_the_longest_wait_for_a_change_gives_way_to_one_for_fresh_data(waiters: Waiting, tenant: str) -> None:
    with ExitStack() as stack:
        places = [take(stack, waiters, f"u{n}", gives_way=True) for n in range(MAX_WAITING)]
        assert take(stack, waiters, tenant, gives_way=False) is not None
        assert [may_wait_on(place) for place in places] == [False] + [True] * (MAX_WAITING - 1)
        # It does not lose what it was given, not even to another of its kind.
        assert take(stack, waiters, "late", gives_way=True) is None
    # Each place was given back.
    with ExitStack() as stack:
        assert take(stack, waiters, "late", gives_way=True) is not None


def test_one_question_at_a_time(waiters: Waiting) -> None:
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
