"""The requests of one tenant that run at once are bounded, so that the others are answered meanwhile."""

import signal
import threading
from pathlib import Path

import pytest

from api.database.errors import UnavailableError
from api.limits.places import most_of_tenant
from api.limits.running import MAX_WAITING, RunningRequests
from tests.support.running import wait_for
from tests.unit.api.conftest import Library
from tests.unit.api.serving import Asking, locked, served


def test_alive_and_other_tenants_while_the_dearest_of_one_wait(library: Library, tmp_path: Path) -> None:
    messages = f"{library.base}/{library.phone}/messages"
    # From memory they would be answered at once.
    with served(library.database, tmp_path, LEADS_ANSWERS_MB="0") as server:
        with locked(library.database, "lead_messages") as wait_for_readers:
            dear = Asking(server, messages, 40)
            wait_for_readers(4)
            # None of these could be answered before the lock is gone, if they had to wait for the dear ones.
            assert server.get("/health/live")[0] == 200
            assert server.get("/users/another/leads/stats")[0] == 200
            wait_for(
                lambda: len(dear.answers) >= 36 - MAX_WAITING, "all but those that run and wait are refused"
            )
            assert {status for status, _, _ in dear.answers} == {503}
            _, headers, body = dear.answers[0]
            assert headers["retry-after"] == "1"
            assert b"This tenant has as many requests under way" in body
        statuses = dear.finish()
        assert len(statuses) == 40
        assert set(statuses) == {200, 503}
        # A signal lets end what is under way.
        with locked(library.database, "lead_messages") as wait_for_readers:
            under_way = Asking(server, messages, 2)
            wait_for_readers(2)
            server.process.send_signal(signal.SIGTERM)
            server.wait_for_line("Stopping worker")
        assert under_way.finish() == [200, 200]
        assert server.process.wait(30) == 0


@pytest.fixture
def running() -> RunningRequests:
    """Two at once, one of a tenant."""
    return RunningRequests(2)


def empty(running: RunningRequests) -> bool:
    """Memory is given back."""
    return (running._all.count, running._tenants, list(running._waiting)) == (0, {}, [])  # noqa: SLF001


def waiting(running: RunningRequests, count: int) -> None:
    wait_for(lambda: len(running._waiting) == count, f"{count} wait")  # noqa: SLF001


def one_that_waits(running: RunningRequests) -> threading.Thread:
    """A request of the tenant a, which ends when it has its turn."""
    thread = threading.Thread(target=running.enter, args=("a",))
    thread.start()
    waiting(running, 1)
    return thread


def test_further_requests_wait_for_their_turn_in_order(running: RunningRequests) -> None:
    running.enter("a")
    order: list[int] = []

    def run(number: int) -> None:
        running.enter("a")
        order.append(number)
        running.give_back("a")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        waiting(running, number)
    running.enter("b")
    running.give_back("b")
    running.give_back("a")
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]
    assert empty(running)


def test_one_that_has_waited_long_goes_before_those_that_come(monkeypatch: pytest.MonkeyPatch) -> None:
    running = RunningRequests(10)
    assert most_of_tenant(10) == 8
    for _ in range(8):
        running.enter("a")
    # It finds a place that was left without a word.
    thread = one_that_waits(running)
    running.give_back("a")
    thread.join()
    monkeypatch.setattr("api.limits.places.TURN_SECONDS", 3600)
    thread = one_that_waits(running)
    # It has not waited for long: its place is for whoever comes.
    running.give_back("a")
    running.enter("a")
    assert thread.is_alive()
    monkeypatch.setattr("api.limits.places.TURN_SECONDS", 0)
    running.give_back("a")
    thread.join()
    for _ in range(8):
        running.give_back("a")
    assert empty(running)


def test_one_that_waits_too_long_is_refused(
    running: RunningRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.limits.running.WAIT_SECONDS", 0.11)
    running.enter("a")
    with pytest.raises(UnavailableError, match="This tenant"):
        running.enter("a")
    running.give_back("a")
    running.enter("a")
    running.give_back("a")
    assert empty(running)


def test_beyond_those_that_wait_one_is_refused_at_once_where_nothing_ends(
    running: RunningRequests, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.limits.running.MAX_WAITING", 0)
    monkeypatch.setattr("api.limits.running.WAIT_SECONDS", 3600)
    running.enter("a")
    # It waits as long as requests might end soon.
    thread = one_that_waits(running)
    running.give_back("a")
    thread.join()
    monkeypatch.setattr("api.limits.running.STILL_SECONDS", 0)
    with pytest.raises(UnavailableError, match="This tenant"):
        running.enter("a")
    # All tenants together are bounded too.
    monkeypatch.setattr("api.limits.running.MAX_WAITING", MAX_WAITING)
    monkeypatch.setattr("api.limits.running.MAX_ALL_WAITING", 0)
    running.enter("b")
    with pytest.raises(UnavailableError, match="The API"):
        running.enter("c")
    for tenant in "ab":
        running.give_back(tenant)
    assert empty(running)
