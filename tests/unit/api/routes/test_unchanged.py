"""A caller who has the present answer is told so by the version of the tenant alone."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.auth.access import digest_of
from api.auth.key_format import new_key
from api.config.auth import AuthConfig
from api.database.key_table import key_table
from api.database.session import Session
from api.routes import unchanged
from api.routes.application import Application
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp, answer_keys
from tests.unit.api.observe.test_meters import value

LIMIT = "2 per minute"


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The texts of all statements that are run."""
    texts: list[bytes] = []
    fetch = Session.fetch

    def noted(self: Session, statement: Any) -> Any:  # noqa: ANN401
        texts.append(statement.text)
        return fetch(self, statement)

    monkeypatch.setattr(Session, "fetch", noted)
    return texts


def test_it_reads_nothing_but_the_version(
    client: FlaskClient, library: Library, statements: list[bytes]
) -> None:
    for address in answer_keys(library):
        tag = client.get(address).headers["ETag"]
        statements.clear()
        assert client.get(address, headers={"If-None-Match": tag}).status_code == 304
        [text] = statements
        # The statistics move with the clock: the oldest lead of each time range tells how far, and nothing is counted.
        assert (b"lead" in text) is address.endswith("/stats")
        assert b"count(" not in text
    # A tag of another kind costs no statement, and what has changed is looked at once.
    for path, tags, count in (
        ("", 'W/"m0"', 1), ("", '"abc"', 1), ("", "*", 1), ("", "", 1), ("", 'W/"v0"', 2), ("/stats", 'W/"m0"', 2),
    ):  # fmt: skip
        statements.clear()
        client.get(f"{library.base}{path}", headers={"If-None-Match": tags})
        assert len(statements) == count


def test_it_does_not_count_against_the_rate_limit(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit=LIMIT).test_client()
    first = client.get(library.base)
    assert first.headers["X-RateLimit-Remaining"] == "1"
    asked = {"If-None-Match": first.headers["ETag"]}
    for _ in range(5):
        answer = client.get(library.base, headers=asked)
        assert answer.status_code == 304
        assert "X-RateLimit-Remaining" not in answer.headers
    assert client.get(library.base).headers["X-RateLimit-Remaining"] == "0"
    assert client.get(library.base).status_code == 429
    assert client.get(library.base, headers=asked).status_code == 304
    # A tag that is not the present one is no way around the limit.
    assert client.get(library.base, headers={"If-None-Match": 'W/"v0"'}).status_code == 429
    assert client.get(library.base, headers={"If-None-Match": "*"}).status_code == 429


def test_what_had_to_be_counted_first_counts(library: Library, make_app: MakeApp) -> None:
    for path in ("/stats", "?days=7"):
        client = make_app(library.database, rate_limit=LIMIT).test_client()
        tag = client.get(f"{library.base}{path}").headers["ETag"]
        answer = client.get(f"{library.base}{path}", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (304, "0")
        before = value("leads_api_rate_limited_total")
        answer = client.get(f"{library.base}{path}", headers={"If-None-Match": tag})
        assert (answer.status_code, answer.headers["X-RateLimit-Remaining"]) == (429, "0")
        assert answer.headers["Retry-After"]
        assert value("leads_api_rate_limited_total") == before + 1


@pytest.fixture
def without_shortcut(monkeypatch: pytest.MonkeyPatch, make_app: MakeApp) -> MakeApp:
    """Makes applications in which Flask answers every request."""

    def make(database: Database, **settings: Any) -> Flask:  # noqa: ANN401
        with monkeypatch.context() as patched:
            patched.setattr(unchanged, "install_shortcut", lambda *_: None)
            return make_app(database, **settings)

    return make


def asked_twice(app: Flask, address: str, **headers: str) -> tuple[TestResponse, TestResponse]:
    """The full answer, and the answer to who has that."""
    client = app.test_client()
    full = client.get(address, headers=headers)
    # A host and a credential that are new are looked at by Flask.
    return full, client.get(address, headers={**headers, "If-None-Match": full.headers["ETag"]})


@pytest.fixture
def in_flask(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the requests that Flask has begun with."""
    paths: list[str] = []
    begin = Application.full_dispatch_request

    def noted(self: Application) -> Any:  # noqa: ANN401
        from flask import request  # noqa: PLC0415

        paths.append(request.full_path)
        return begin(self)

    monkeypatch.setattr(Application, "full_dispatch_request", noted)
    return paths


def test_the_shortcut_answers_as_flask_does(
    library: Library,
    make_app: MakeApp,
    without_shortcut: MakeApp,
    capsys: pytest.CaptureFixture[str],
    in_flask: list[str],
) -> None:
    settings: dict[str, Any] = {
        "rate_limit": "100 per minute",
        "log_level": "INFO",
        "log_format": "json",
        "cors_origins": ("https://a.example",),
        "metrics_folder": "",
    }
    series = f"{library.base}/stats/series?date=2026-03-28&by=hour"
    for address in [*answer_keys(library), series, f"{library.base}?lead_status=Hot&limit=3"]:
        found = []
        for make, begun in ((make_app, 1), (without_shortcut, 2)):
            # The tests watch that no log names a customer.
            settings["log_personal_data"] = library.phone not in address
            app, in_flask[:] = make(library.database, **settings), []
            before = value("leads_api_responses_total", code="304")
            capsys.readouterr()
            _, answer = asked_twice(
                app, address, Origin="https://a.example", **{"X-Correlation-Id": "mine", "User-Agent": "me"}
            )
            assert len(in_flask) == begun
            assert value("leads_api_responses_total", code="304") == before + 1
            line = json.loads(capsys.readouterr().err.splitlines()[-1])
            assert line.pop("ms") > 0
            line.pop("timestamp")
            headers = {
                name: text for name, text in answer.headers if name not in {"RateLimit", "X-RateLimit-Reset"}
            }
            found.append((answer.status, answer.data, sorted(headers.items()), line))
        assert found[0] == found[1]
        assert found[0][0] == "304 NOT MODIFIED"
    assert value("leads_api_requests_in_flight") == 0


def test_each_place_among_those_that_run_is_given_back(library: Library, make_app: MakeApp) -> None:
    app = make_app(library.database, threads=1)
    for address in answer_keys(library):
        for _ in range(3):
            assert asked_twice(app, address)[1].status_code == 304
    running = app.extensions["leads"].running
    # A tenant that is busy, of whom Flask has the request wait, and refuses it in the end.
    running.enter(library.tenant)
    tag = {"If-None-Match": 'W/"v0"'}
    assert app.test_client().get(library.base, headers=tag).status_code == 503
    running.leave(library.tenant)
    assert app.test_client().get(library.base, headers=tag).status_code == 200


@cases("address", ["", "/stats"])
def test_a_failure_of_the_database_is_told_once_and_as_ever(
    library: Library,
    make_app: MakeApp,
    without_shortcut: MakeApp,
    monkeypatch: pytest.MonkeyPatch,
    address: str,
) -> None:
    found = []
    for make in (make_app, without_shortcut):
        client = make(library.database, rate_limit="9 per minute", log_level="CRITICAL").test_client()
        tag = client.get(f"{library.base}{address}").headers["ETag"]
        asked: list[int] = []

        def fail(*_: object, asked: list[int] = asked) -> None:
            asked.append(1)
            raise psycopg.errors.QueryCanceled

        with monkeypatch.context() as patched:
            patched.setattr(Session, "fetch", fail)
            answer = client.get(f"{library.base}{address}", headers={"If-None-Match": tag})
        found.append(
            (
                answer.status_code,
                answer.get_json()["message"],
                answer.headers.get("X-RateLimit-Remaining"),
                asked,
            )
        )
    assert found[0] == found[1]
    assert found[0][0] == 503


def test_a_caller_is_let_through_to_its_own_tenant(
    library: Library, make_app: MakeApp, in_flask: list[str]
) -> None:
    key = new_key()
    with key_table(library.database.url) as table:
        table.add(key[:18], digest_of(key), user_id=library.tenant, label="", expires_at=None)
    client = make_app(library.database, auth=AuthConfig(methods=("key",))).test_client()
    tag = make_app(library.database).test_client().get(library.base).headers["ETag"]
    own = {"Authorization": f"Bearer {key}", "If-None-Match": tag}
    # A caller who is not known yet is looked up by Flask, and then let through.
    for begun in (1, 0, 0):
        in_flask.clear()
        assert client.get(library.base, headers=own).status_code == 304 or begun
        assert len(in_flask) == begun
    for address, headers, status in (
        ("/users/another/leads", own, 403),
        (library.base, {"If-None-Match": tag}, 401),
        (library.base, {**own, "Authorization": "Bearer wrong"}, 401),
        (library.base, {**own, "Authorization": "Bearer " + "x" * 9000}, 401),
    ):
        assert client.get(address, headers=headers).status_code == status


REFUSED: dict[str, Callable[[Library], tuple[str, int]]] = {
    "a long id": lambda _: (f"/users/{'x' * 256}/leads", 400),
    "a path with NUL": lambda library: (f"{library.base}/1%00", 400),
    "a wrong parameter": lambda library: (f"{library.base}?limit=0", 400),
    "a moment that is to come": lambda library: (f"{library.base}?min_as_of=2999-01-01", 503),
    "the same, written otherwise": lambda library: (f"{library.base}?min%5Fas%5fof=2999-01-01", 503),
    "no lead": lambda library: (f"{library.base}/nobody", 404),
}


@cases("case", REFUSED)
def test_what_is_refused_is_refused_with_any_tag(client: FlaskClient, library: Library, case: str) -> None:
    address, status = REFUSED[case](library)
    client.get(library.base)
    for tags in ('W/"v0"', 'W/"m0"', "*"):
        assert client.get(address, headers={"If-None-Match": tags}).status_code == status


def test_a_read_model_that_was_never_built(database: Database, make_app: MakeApp) -> None:
    client = make_app(database).test_client()
    address, tag = "/users/a/leads", {"If-None-Match": 'W/"v0"'}
    assert client.get(address, headers=tag).status_code == 200
    with database.connect() as conn:
        conn.execute("DELETE FROM read_model.freshness")
    answer = client.get(address, headers=tag)
    assert (answer.status_code, answer.get_json()["message"]) == (503, "The read model was never built")
