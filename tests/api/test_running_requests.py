"""The requests of one tenant that run at once are bounded, so that the others are answered meanwhile."""

import signal
import threading
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from api.database.errors import UnavailableError
from api.running_requests import MAX_WAITING, RunningRequests, most_of_tenant, server_threads
from tests.api.conftest import Library, MakeApp
from tests.api.serving import Asking, locked, served
from tests.support.running import wait_for


def test_alive_and_other_tenants_while_the_dearest_of_one_wait(library: Library, tmp_path: Path) -> None:
    messages = f"{library.base}/{library.phone}/messages"
    with served(library, tmp_path, "api.running_requests.MAX_WAITING = 8") as server:
        with locked(library, "lead_messages") as wait_for_readers:
            dear = Asking(server, messages, 24)
            wait_for_readers(3)
            # None of these could be answered before the lock is gone, if they had to wait for the dear ones.
            assert server.get("/health/live")[0] == 200
            assert server.get("/users/another/leads/stats")[0] == 200
            wait_for(lambda: len(dear.answers) == 21, "all but those that run are refused")
            assert {status for status, _, _ in dear.answers} == {503}
            _, headers, body = dear.answers[0]
            assert headers["retry-after"] == "1"
            assert b"This tenant has as many requests under way" in body
        assert dear.finish() == [200] * 3 + [503] * 21
        assert server.get(messages)[0] == 200


def test_alive_while_readiness_waits(library: Library, tmp_path: Path) -> None:
    with served(library, tmp_path) as server:
        # What has no tenant is bound too.
        with locked(library, "projection") as wait_for_readers:
            ready = Asking(server, "/health/ready", 12)
            wait_for_readers(3)
            assert server.get("/health/live")[0] == 200
        assert set(ready.finish()) <= {200, 503}


def test_a_signal_lets_end_what_is_under_way(library: Library, tmp_path: Path) -> None:
    with served(library, tmp_path) as server:
        with locked(library, "lead_messages") as wait_for_readers:
            under_way = Asking(server, f"{library.base}/{library.phone}/messages", 2)
            wait_for_readers(2)
            server.process.send_signal(signal.SIGTERM)
            server.wait_for_line("Stopping worker")
        assert under_way.finish() == [200, 200]
        assert server.process.wait(30) == 0


def test_further_requests_wait_for_their_turn_in_order() -> None:
    running = RunningRequests(1)
    running.enter("a")
    order: list[int] = []

    def run(number: int) -> None:
        running.enter("a")
        order.append(number)
        running.leave("a")

    threads = [threading.Thread(target=run, args=(number,)) for number in range(3)]
    for number, thread in enumerate(threads, start=1):
        thread.start()
        wait_for(lambda number=number: len(running._waiting["a"]) == number, "it waits")  # type: ignore[misc]  # noqa: SLF001
    running.enter("b")
    running.leave("b")
    running.leave("a")
    for thread in threads:
        thread.join()
    assert order == [0, 1, 2]
    assert (running._all, running._running, running._waiting) == (0, {}, {})  # noqa: SLF001  # Memory is given back.


def test_one_that_waits_too_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.running_requests.WAIT_SECONDS", 0.01)
    running = RunningRequests(2)
    running.enter("a")
    running.enter("a")
    with pytest.raises(UnavailableError, match="This tenant"):
        running.enter("a")
    running.leave("a")
    running.enter("a")
    running.leave("a")
    running.leave("a")
    assert (running._all, running._running, running._waiting) == (0, {}, {})  # noqa: SLF001


def test_all_tenants_together_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.running_requests.MAX_AT_ONCE", 2)
    running = RunningRequests(1)
    running.enter("a")
    running.enter("b")
    with pytest.raises(UnavailableError, match="The API"):
        running.enter("c")


def test_a_request_that_fails_gives_its_turn_back(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, threads=1).test_client()
    for path in ("?x=1", "/nobody", "", "/nobody/messages?limit=0"):
        for _ in range(MAX_WAITING):
            assert client.get(f"{library.base}{path}").status_code in (200, 400, 404)
    nowhere = type(library.database)("postgresql://nobody@127.0.0.1:1/nothing", "")
    client = make_app(nowhere, threads=1).test_client()
    messages = {client.get("/users/a/leads").get_json()["message"] for _ in range(3)}
    assert messages == {"The database cannot be reached"}


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 3), (8, 6), (256, 192)])
def test_some_connections_are_left_to_others(threads: int, most: int) -> None:
    assert most_of_tenant(threads) == most
    assert server_threads(threads) > threads


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/users/{long}/leads", "user_id"),
        ("/users/{long}/leads/stats", "user_id"),
        ("/users/a/leads/{long}", "customer_phone"),
        ("/users/a/leads/{long}/messages", "customer_phone"),
    ],
)
def test_ids_that_are_too_long(client: FlaskClient, path: str, name: str, method: str) -> None:
    answer = client.open(path.format(long="ä" * 256), method=method)
    assert answer.status_code == (405 if method == "DELETE" else 400)
    if method == "GET":
        assert answer.get_json()["message"] == f"{name} is longer than 255 characters"
    assert client.get(path.format(long="ä" * 255)).status_code in (200, 404)


def test_a_phone_that_is_too_long_for_the_filter(client: FlaskClient, library: Library) -> None:
    assert client.get(f"{library.base}?customer_phone={'1' * 255}").status_code == 200
    answer = client.get(f"{library.base}?customer_phone={'1' * 256}")
    assert answer.status_code == 400
    assert "at most 255 characters" in answer.get_json()["message"]
