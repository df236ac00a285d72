"""The requests that run at once are bounded, of all and of each tenant; the others wait in turn, without a thread."""

import asyncio
import signal
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Event
from typing import Any
from unittest.mock import Mock

import pytest

from api.config import Config
from api.limits import admission as module
from api.limits.admission import ALL_ARE_BUSY, QUEUE_IS_FULL, TENANT_IS_BUSY, Admission, BusyError, Slots
from api.server.app import create_app
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.running import wait_for
from tests.unit.api.conftest import Library
from tests.unit.api.serving import Asking, environ, locked, served


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
            wait_for(lambda: len(dear.answers) == 36, "all but those that run are refused")
            assert {status for status, _, _ in dear.answers} == {503}
            _, headers, body = dear.answers[0]
            assert headers["retry-after"] == "1"
            assert headers["x-error-code"] == "busy"
            assert b"This tenant has as many requests under way" in body
        assert dear.finish() == [200] * 4 + [503] * 36
        # A signal lets end what is under way.
        with locked(library.database, "lead_messages") as wait_for_readers:
            under_way = Asking(server, messages, 2)
            wait_for_readers(2)
            server.process.send_signal(signal.SIGTERM)
            server.wait_for_line("Stopping worker")
        assert under_way.finish() == [200, 200]
        assert server.process.wait(30) == 0


class Doors:
    """An admission, and requests that run until they may end."""

    def __init__(self, threads: int, **settings: Any) -> None:  # noqa: ANN401
        self.admission = Admission(Config("", threads=threads, **settings))
        self.may_end = Event()
        self.begun: list[str] = []

    def ask(
        self, tenant: str, path: str = "/users/u/leads", address: str = "192.0.2.1", **more: str
    ) -> "Future[bool]":
        """Have a request of a tenant, or of nobody, wait for its turn."""

        def run() -> bool:
            self.begun.append(tenant)
            return self.may_end.wait(PATIENCE)

        return self.admission.turn(environ(path, address, **more), tenant).submit(run)

    def wait_until_begun(self, count: int) -> None:
        wait_for(lambda: len(self.begun) == count, f"{count} have begun", PATIENCE)

    def is_empty(self) -> bool:
        """Memory is given back."""
        counted = [slots for queue in self.admission._queues for slots in (queue.slots, queue.places)]  # noqa: SLF001
        return not any((slots._count, slots._taken, slots._moved) != (0, {}, {}) for slots in counted)  # noqa: SLF001


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Nobody is refused before the test says so; then whoever waits is late."""
    monkeypatch.setattr(module, "WAIT_SECONDS", UNREACHED)
    return lambda: monkeypatch.setattr(module, "WAIT_SECONDS", 0.0)


@pytest.mark.usefixtures("late")
def test_a_tenant_has_four_fifths_of_the_slots() -> None:
    doors = Doors(5)
    first = [doors.ask("a") for _ in range(8)]
    doors.wait_until_begun(4)
    # One slot is left to the others, who do not wait for the tenant that came before them.
    first += [doors.ask("b"), doors.ask("c"), doors.ask("c")]
    doors.wait_until_begun(5)
    assert doors.begun == ["a"] * 4 + ["b"]
    # A probe of the memory takes a slot too, and does not wait for it.
    assert not doors.admission.run_at_once("c", Mock())
    doors.may_end.set()
    assert all(future.result(PATIENCE) for future in first)
    wait_for(doors.is_empty, "nothing is left of them")
    done = Event()
    assert doors.admission.run_at_once("c", done.set)
    assert done.wait(PATIENCE)


def test_a_turn_that_does_not_come_is_refused(late: Callable[[], None]) -> None:
    doors = Doors(2)
    running = [doors.ask("a"), doors.ask("b")]
    doors.wait_until_begun(2)
    waiting = [doors.ask("a"), doors.ask("c")]
    doors.admission._refuse_late()  # noqa: SLF001  # As its timer does.
    assert not any(future.done() for future in waiting)
    late()
    doors.admission._refuse_late()  # noqa: SLF001
    for future, message in zip(waiting, (TENANT_IS_BUSY, ALL_ARE_BUSY), strict=True):
        with pytest.raises(BusyError, match=message):
            future.result(PATIENCE)
    doors.may_end.set()
    assert all(future.result(PATIENCE) for future in running)
    assert doors.begun == ["a", "b"]
    wait_for(doors.is_empty, "nothing is left of them")


def test_a_turn_waits_while_others_end_but_not_for_ever(
    late: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    doors = Doors(2)
    doors.ask("a")
    doors.wait_until_begun(1)
    turn = doors.admission.turn(environ("/", "192.0.2.1"), "a")
    late()
    monkeypatch.setattr(module, "WAIT_SECONDS", 1.0)
    assert turn.is_late(turn.since + 1.5)
    # One of its tenant has ended meanwhile, and the tenant has its share again.
    slots = turn.queue.slots
    slots._moved["a"] = turn.since + 1  # noqa: SLF001
    assert not turn.is_late(turn.since + 1.5)
    assert turn.is_late(turn.since + 2.5)
    slots._moved["a"] = turn.since + module.LONGEST_WAIT_SECONDS  # noqa: SLF001
    assert turn.is_late(turn.since + module.LONGEST_WAIT_SECONDS + 0.5)
    doors.may_end.set()


@pytest.mark.usefixtures("late")
def test_an_address_with_many_tenants_leaves_places_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ANSWERS_OF_THREAD", 5)
    doors = Doors(1)
    waiting = [doors.ask("first")]
    doors.wait_until_begun(1)
    # Four of five places are for one address, and three of those for a tenant.
    waiting += [doors.ask(tenant) for tenant in ("a", "a", "a", "a", "b", "c")]
    refused = [future.done() and str(future.exception()) for future in waiting]
    assert refused == [False] * 4 + [QUEUE_IS_FULL, False, QUEUE_IS_FULL]
    assert not doors.ask("c", address="192.0.2.2").done()
    assert doors.ask("d", address="192.0.2.3").done()
    # Whoever has to be checked waits elsewhere.
    assert not doors.ask("").done()
    doors.may_end.set()
    wait_for(doors.is_empty, "nothing is left of them")


@pytest.mark.usefixtures("late")
def test_exports_and_long_queries_take_no_thread_from_other_requests() -> None:
    doors = Doors(5)
    of_exports = [
        rule for rule in create_app(Config("")).url_map.iter_rules() if rule.endpoint.startswith("exports.")
    ]
    costly = [{"path": rule.rule.replace("<user_id>", "u")} for rule in of_exports]
    costly += [{"path": "/users/u/leads.csv/"}, {"QUERY_STRING": "x" * 30_000}]
    assert len(costly) > 6
    tenants = "abcdefghij"
    for number in range(60):
        doors.ask(tenants[number % 10], **costly[number % len(costly)])
    # Two exports are under way at once, and one thread refuses others; two have long queries.
    doors.wait_until_begun(5)
    answer = doors.ask("u", QUERY_STRING="search=x")
    doors.may_end.set()
    assert answer.result(PATIENCE)
    # It was next, although the costly ones had waited for longer.
    assert doors.begun.index("u") < 10
    wait_for(doors.is_empty, "nothing is left of them", PATIENCE)


@pytest.mark.usefixtures("late")
def test_callers_have_their_turn_one_by_one() -> None:
    doors = Doors(1)
    first = doors.ask("a")
    doors.wait_until_begun(1)
    asked = [first, *map(doors.ask, "aaabc")]
    doors.may_end.set()
    assert all(future.result(PATIENCE) for future in asked)
    assert doors.begun == [*"aabcaa"]


@pytest.mark.usefixtures("late")
def test_a_thread_rests_without_a_slot_while_more_of_its_caller_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    doors, rests = Doors(1), list[float]()
    first = doors.ask("first")
    doors.wait_until_begun(1)
    asked = [first, *(doors.ask("a", QUERY_STRING="x" * 30_000) for _ in range(2)), doors.ask("b")]

    def rest(seconds: float) -> None:
        # Nobody else could be answered if it kept the only slot.
        assert asked[-1].result(PATIENCE)
        rests.append(seconds)

    monkeypatch.setattr(module, "sleep", rest)
    doors.may_end.set()
    assert all(future.result(PATIENCE) for future in asked)
    wait_for(lambda: len(rests) == 1, "a thread has rested")
    assert 0 < rests[0] <= module.LONGEST_REST_SECONDS


@pytest.mark.usefixtures("late")
def test_a_process_whose_requests_do_not_end_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STILL_SECONDS", 0.0)
    doors = Doors(2, statement_timeout_ms=1)

    def stands() -> bool:
        return "No request has ended" in doors.admission.problem()

    # A tenant that has its share keeps itself waiting, and nobody else.
    asked = [doors.ask("a"), doors.ask("a")]
    doors.wait_until_begun(1)
    assert not stands()
    asked += [doors.ask("b"), doors.ask("c")]
    wait_for(stands, "nothing has ended")
    doors.may_end.set()
    assert all(future.result(PATIENCE) for future in asked)
    assert not stands()
    doors = Doors(2, statement_timeout_ms=1)
    nobodies = [doors.ask("") for _ in range(3)]
    wait_for(stands, "nothing has ended")
    doors.may_end.set()
    assert all(future.result(PATIENCE) for future in nobodies)
    assert not stands()


def test_a_request_is_refused_where_the_system_has_no_thread_left(monkeypatch: pytest.MonkeyPatch) -> None:
    doors = Doors(2)
    with monkeypatch.context() as patched:
        patched.setattr("threading.Thread.start", Mock(side_effect=RuntimeError("can't start new thread")))
        with pytest.raises(BusyError, match=ALL_ARE_BUSY):
            doors.ask("a").result(PATIENCE)
    assert doors.is_empty()
    doors.may_end.set()
    assert doors.ask("a").result(PATIENCE)


def test_a_coroutine_of_the_event_loop_has_its_turn_and_comes_back() -> None:
    doors = Doors(1)

    async def ask(call: Callable[[], object]) -> object:
        return await doors.admission.turn(environ("/", "192.0.2.1"), "a").run(call)

    assert asyncio.run(ask(lambda: 8)) == 8
    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask(lambda: 1 // 0))


def test_no_caller_has_all_slots() -> None:
    slots = Slots(10)
    assert [slots.take("a") for _ in range(9)] == [True] * 8 + [False]
    assert [slots.take("b") for _ in range(3)] == [True, True, False]
    slots.give_back("a")
    assert not slots.has_share("a")
    assert slots.take("b")
    assert [Slots(1).take("a"), Slots(0).take("a")] == [True, False]
