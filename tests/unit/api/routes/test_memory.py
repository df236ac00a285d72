"""Answers from memory are those that Flask gives, but for their end; and what may not be kept is not."""

import gzip
import json
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from pathlib import Path
from time import monotonic, sleep, time
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry, Gauge
from werkzeug.test import TestResponse

from api.auth import access, key_check
from api.config.auth import AuthConfig
from api.database.session import Session
from api.database.statement import CompiledStatement
from api.request.record import environ_key
from api.response.compression import OpenBody
from api.routes import memory
from api.routes.memory import FLASKS_HEADERS, KEY_HEADERS, OWN_HEADERS, Answers, CachedAnswer
from tests.exactness.feed_copy import serving
from tests.rules.files import ROOT
from tests.support.server import Database as OwnDatabase
from tests.unit.api.auth.tokens import add_key, bearer, revoke_key
from tests.unit.api.conftest import NOW, Library, MakeApp, endpoints
from tests.unit.api.observe.test_metrics import value

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ORIGIN = "https://a.example"
# Of preflights, and of the change feed, whose answers are not kept; and who waits where, which changes no answer.
OF_OTHERS = {"Access-Control-Request-Method", "Accept", "Last-Event-Id", "X-Forwarded-For"}
DECODERS: dict[str | None, Callable[[bytes], bytes]] = {
    None: bytes,
    "gzip": gzip.decompress,
    "zstd": zstd.decompress,
}


@pytest.fixture
def for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """A probe that is remembered for longer than any test takes."""
    monkeypatch.setattr(memory, "PROBE_SECONDS", 3600.0)


def hits() -> float:
    return value("leads_api_answers_hits_total")


def seen(answer: TestResponse, line: str) -> tuple[object, ...]:
    """What an answer and its line in the log are, but for its moment and its name."""
    body = answer.data and DECODERS[answer.headers.get("Content-Encoding")](answer.data)
    said = json.loads(line)
    assert said.pop("ms") >= 0
    for moving in ("timestamp", "correlation_id"):
        said.pop(moving)
    if body:
        document = json.loads(body)
        assert list(document)[-2:] == ["timestamp", "correlationId"]
        assert document.pop("correlationId") == answer.headers["X-Correlation-Id"]
        document.pop("timestamp")
        body = json.dumps(document).encode()
    own = {"X-Correlation-Id", "X-RateLimit-Remaining", "X-RateLimit-Reset", "RateLimit", "Content-Length"}
    headers = sorted((name, text) for name, text in answer.headers if name not in own)
    return answer.status, body, headers, {name for name, _ in answer.headers}, said


def test_an_answer_from_memory_is_that_of_flask(
    library: Library, make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    settings: dict[str, Any] = {
        "rate_limit": "9999 per hour",
        "log_level": "INFO",
        "log_format": "json",
        "cors_origins": (ORIGIN,),
    }
    kept, plain = (make_app(library.database, answers_mb=size, **settings).test_client() for size in (64, 0))

    def ask(client: FlaskClient, address: str, method: str, headers: dict[str, str]) -> tuple[object, ...]:
        capsys.readouterr()
        answer = client.open(address, method=method, headers=headers)
        return seen(answer, capsys.readouterr().err.splitlines()[-1])

    for address in [*endpoints(library), f"{library.base}?days=7", f"{library.base}/facets"]:
        for encoding in ("", "gzip", "zstd"):
            headers = {"Origin": ORIGIN, **({"Accept-Encoding": encoding} if encoding else {})}
            tag = plain.get(address).headers["ETag"]
            for method in ("GET", "HEAD"):
                expected = ask(plain, address, method, headers)
                before = hits()
                assert [ask(kept, address, method, headers) for _ in range(3)] == [expected] * 3
                assert hits() == before + 2
            for tags in (tag, "*"):
                asked = {**headers, "If-None-Match": tags}
                expected, before = ask(plain, address, "GET", asked), hits()
                assert ask(kept, address, "GET", asked) == expected
                assert (expected[0], hits()) == ("304 NOT MODIFIED", before + 1)
    assert value("leads_api_requests_in_flight") == 0
    assert value("leads_api_answers_bytes") > 0


def test_an_answer_from_memory_has_the_name_of_now(database: OwnDatabase, make_app: MakeApp) -> None:
    client = make_app(database).test_client()
    tag, before = client.get("/users/a/leads").headers["ETag"], hits()
    for command, name in (
        ("INSERT INTO read_model.tenant_names VALUES ('a', 'First')", "First"),
        ("UPDATE read_model.tenant_names SET name = 'Second'", "Second"),
        ("DELETE FROM read_model.tenant_names", None),
    ):
        with database.connect() as conn:
            conn.execute(command.encode())
        sleep(memory.PROBE_SECONDS)
        for headers, status in (({}, 200), ({"If-None-Match": tag}, 304)):
            answer = client.get("/users/a/leads", headers=headers)
            assert (answer.status_code, answer.headers.get("X-Tenant-Name")) == (status, name)
    assert hits() == before + 6


@pytest.mark.usefixtures("for_ever")
def test_nobody_who_was_told_a_name_is_told_an_older_one(database: OwnDatabase, make_app: MakeApp) -> None:
    client = make_app(database).test_client()
    for _ in range(2):
        assert "X-Tenant-Name" not in client.get("/users/a/leads").headers
    with database.connect() as conn:
        conn.execute("INSERT INTO read_model.tenant_names VALUES ('a', 'Acme')")
    # The first is answered by Flask, which reads the tenant.
    for path in ("/users/a/leads?limit=1", "/users/a/leads"):
        assert client.get(path).headers["X-Tenant-Name"] == "Acme"


def test_each_answer_ends_anew(library: Library) -> None:
    now = [NOW]
    before, answers = hits(), []
    with serving(library.database, clock=lambda: now[0]) as app:
        for seconds in range(4):
            now[0] = NOW + timedelta(seconds=seconds)
            answers.append(app.test_client().get(library.base, headers={"Accept-Encoding": "zstd"}))
        named = app.test_client().get(library.base, headers={"X-Correlation-Id": "x" * 128})
    bodies = [json.loads(zstd.decompress(answer.data)) for answer in answers]
    assert len({body["correlationId"] for body in bodies}) == 4
    assert [body["timestamp"][17:19] for body in bodies] == ["11", "12", "13", "14"]
    assert hits() == before + 3
    assert named.get_json()["correlationId"] == named.headers["X-Correlation-Id"] == "x" * 128


def test_messages_of_the_last_days_stand_until_the_oldest_is_none_of_them(library: Library) -> None:
    times = [message.timestamp for message in library.model.of_tenant(library.tenant)[library.phone].messages]
    oldest = min(time for time in times if time.year > 2000)
    days = (NOW - oldest).days + 1
    leaves = oldest + timedelta(hours=24 * days)
    left = sum(time > oldest for time in times)
    path, now = f"{library.base}/{library.phone}/messages?days={days}&limit=1", [NOW]
    with serving(library.database, clock=lambda: now[0]) as app:
        client, tags = app.test_client(), list[str]()
        for moment, total, count in (
            (NOW, left + times.count(oldest), 0),
            (leaves, left + times.count(oldest), 1),
            (leaves + timedelta(milliseconds=1), left, 0),
        ):
            now[0], before = moment, hits()
            answer = client.get(path, headers={"If-None-Match": tags[0]} if total == left else {})
            assert answer.get_json()["data"]["pagination"]["total"] == total
            assert hits() == before + count
            tags.append(answer.headers["ETag"])
    assert tags[0] == tags[1] != tags[2]


def test_what_a_request_has_that_decides_on_its_answer_is_in_the_key(
    library: Library, make_app: MakeApp
) -> None:
    # The tools of an agent are a program of their own.
    files = [path for path in Path(ROOT / "api").rglob("*.py") if path.parent.name != "mcp"]
    read = {
        header.replace("_", "-").title()
        for path in files
        if path.name != "tracing.py"
        for header in re.findall(r'"HTTP_([A-Z_]+)"', path.read_text("utf-8"))
    }
    text = "".join(path.read_text("utf-8") for path in files)
    # Nothing reads headers by another way.
    assert not re.findall(r"request\.(?:headers|accept_\w+|cookies|if_\w+|range|user_agent|referrer)\b", text)
    varies = (
        make_app(library.database, cors_origins=(ORIGIN,), auth=AuthConfig(methods=("key",)))
        .test_client()
        .get("/health/live")
        .headers["Vary"]
    )
    assert read | set(varies.split(", ")) <= {*KEY_HEADERS, *OWN_HEADERS, *FLASKS_HEADERS, *OF_OTHERS}
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/a", "QUERY_STRING": "", "HTTP_HOST": "a"
    }  # fmt: skip
    keys = {memory.key_of({**environ, environ_key(name): "x"}) for name in KEY_HEADERS}
    assert len(keys | {memory.key_of(environ)}) == len(KEY_HEADERS) + 1
    assert "secret" not in str(memory.key_of({**environ, "HTTP_AUTHORIZATION": "Bearer secret"}))
    for name in FLASKS_HEADERS:
        assert memory.key_of({**environ, environ_key(name): "1"}) is None


def test_hits_and_misses_count_under_one_limit(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit="20 per hour").test_client()
    tag, statuses, before = client.get(library.base).headers["ETag"], [], hits()
    for number in range(1, 30):
        # A new address each third time, a refused one each fifth.
        query = f"?limit={number}" if number % 3 == 0 else "?limit=-1" if number % 5 == 0 else ""
        answer = client.get(f"{library.base}{query}")
        statuses.append(answer.status_code)
        assert answer.headers["X-RateLimit-Remaining"] == str(max(0, 19 - number))
        # By the version alone it is not counted.
        unchanged = client.get(library.base, headers={"If-None-Match": tag})
        assert (unchanged.status_code, "X-RateLimit-Remaining" in unchanged.headers) == (304, False)
    assert [status == 429 for status in statuses] == [False] * 19 + [True] * 10
    assert hits() > before + 25
    # A tag that is not the present one is no way around the limit.
    for other in ('W/"v0"', "*"):
        assert client.get(library.base, headers={"If-None-Match": other}).status_code == 429


@pytest.mark.usefixtures("for_ever")
def test_a_probe_serves_all_that_ask_soon(
    library: Library, make_app: MakeApp, statements: list[CompiledStatement[Any]]
) -> None:
    client = make_app(library.database).test_client()
    for address in endpoints(library):
        client.get(address)
    statements.clear()
    for address in endpoints(library) * 3:
        assert client.get(address).status_code == 200
    assert len(statements) == 1


def test_what_is_not_kept(library: Library, make_app: MakeApp) -> None:
    client, before = make_app(library.database).test_client(), hits()
    # No lead, a bad parameter, a file, the feed, the page, a document and a probe.
    of_tenant = ("leads/nobody", "leads?limit=0", "leads.csv", "lead-changes")
    addresses = [f"/users/{library.tenant}/{path}" for path in of_tenant]
    for address in (*addresses, "/", "/openapi.json", "/health/ready"):
        for _ in range(3):
            client.get(address, buffered=True)
    for _ in range(2):
        client.post(f"{library.base}/lookup", json={"customer_phones": [library.phone]})
        client.get(library.base, data=b"x")
    assert hits() == before


@pytest.mark.usefixtures("for_ever")
def test_a_caller_who_is_not_let_through_gets_no_answer(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, other = add_key(library.database, library.tenant), add_key(library.database, "another")
    client = make_app(library.database, auth=AuthConfig(methods=("key",))).test_client()

    def ask(credential: str) -> int:
        return client.get(library.base, headers=bearer(credential)).status_code

    before = hits()
    assert [ask(key), ask(key), ask(other), ask("x"), ask("x" * 9000)] == [200, 200, 403, 401, 401]
    assert client.get(library.base).status_code == 401
    assert hits() == before + 1
    revoke_key(library.database, key)
    # Until what the database said of the key is believed no longer.
    assert ask(key) == 200
    later = time() + 31
    for module in (access, key_check):
        monkeypatch.setattr(module, "time", lambda: later)
    assert ask(key) == 401


def test_a_failure_is_told_as_ever(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(library.database, log_level="CRITICAL")
    client = app.test_client()
    assert client.get(library.base).status_code == 200
    with monkeypatch.context() as patched:
        patched.setattr(Session, "fetch", lambda *_: 1 // 0)
        assert client.get(library.base).status_code == 500
    assert client.get(library.base).status_code == 200


def kept(user_id: str, size: int, version: bytes = b"1") -> CachedAnswer:
    return CachedAnswer(user_id, "/", 1, version, "", None, None, [], OpenBody(None, b"x" * size, 0, 0))


def test_memory_is_bounded_and_the_least_used_goes_first() -> None:
    answers = Answers(100_000)
    for number in range(40):
        answers.keep((str(number),), kept("a", 8000))
        answers.find(("0",))
        assert answers._bytes <= 100_000  # noqa: SLF001  # Memory is what it is about.
    numbers = [number for number in range(40) if answers.find((str(number),))]
    assert numbers == [0, *range(32, 40)] or numbers == [0, *range(31, 40)]
    # One that is larger than all of it leaves the others.
    answers.keep(("large",), kept("a", 200_000))
    assert answers.find(("large",)) is None
    assert answers.find(("0",)) is not None


def test_the_gauge_counts_the_bytes_of_all_applications_of_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    # Applications of earlier tests, whose sweeps still run, count in the gauge of the process.
    registry = CollectorRegistry()
    monkeypatch.setattr(memory, "ANSWERS_BYTES", Gauge("answers_bytes", "Bytes.", registry=registry))
    held = partial(registry.get_sample_value, "answers_bytes")
    monkeypatch.setattr(memory, "AGE_SECONDS", -1.0)
    first, second = Answers(100_000), Answers(100_000)
    first.keep(("a",), kept("a", 10))
    of_the_first = held()
    second.keep(("b",), kept("b", 1000))
    second.keep(("b",), kept("b", 2000))
    assert of_the_first is not None
    assert of_the_first > 2000
    assert held() == 2 * of_the_first + 1990
    first.drop_old()
    assert held() == of_the_first + 1990
    second.drop_old()
    assert held() == 0


def test_what_is_old_goes_whether_it_is_asked_for_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """So an erased tenant is gone from memory too."""
    answers = Answers(100_000)
    answers.keep(("a",), kept("a", 10))
    answers.keep(("b",), kept("b", 10, b"2"))
    answers.drop_old()
    assert answers.find(("a",)) is not None
    later = monotonic() + memory.AGE_SECONDS
    monkeypatch.setattr(memory, "monotonic", lambda: later)
    assert memory.AGE_SECONDS + memory.SWEEP_SECONDS <= 60
    assert answers._sweep is not None  # noqa: SLF001
    answers.drop_old()
    assert not any((answers._bytes, answers._cached, answers._tenants, answers._sweep))  # noqa: SLF001
