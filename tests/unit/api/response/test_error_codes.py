"""Each documented code of an error can be provoked, by the requests, failures and changes of these tables."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.config.auth import AuthConfig
from api.database.session import Session
from api.limits.exports import Exports
from api.request.body import MAX_BODY_BYTES
from api.request.error_codes import ErrorCode
from api.request.position import change_token
from api.request.position.change_token import Position, Token, history_of
from api.request.position.cursor import EXAMPLE
from api.routes import leads
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.auth.tokens import bearer, claims, signed, token_config
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.serving import served

REQUESTS = [
    ("?lead_stauts=Hot&days=0", 400, "unknown_parameter", "lead_stauts"),
    ("?days=0&lead_stauts=Hot", 400, "unknown_parameter", "lead_stauts"),
    ("?of[%C3%A9%0d%27]=1", 400, "unknown_parameter", "of[%C3%A9%0D%27]"),
    ("?days=0&limit=0", 400, "bad_value", "days"),
    ("?search=%00", 400, "bad_value", "search"),
    ("?%00=1", 400, "bad_value", None),
    ("?min_total_score=12&max_total_score=7", 400, "bad_value", "min_total_score"),
    ("?date=2025-01-01&from_date=2025-01-01", 400, "bad_value", "date"),
    ("/stats/series?from_date=2000-01-01&to_date=2025-01-01", 400, "bad_value", "to_date"),
    ("/PHONE/messages?after=none", 400, "bad_value", "after"),
    ("?min_as_of=2999-01-01", 400, "bad_value", "min_as_of"),
    ("/stats/series?to_date=2025-01-01", 400, "missing_parameter", "from_date"),
    ("?cursor=a", 400, "bad_cursor", "cursor"),
    (f"?cursor={EXAMPLE}", 400, "bad_cursor", "cursor"),
    (f"?offset=1&cursor={EXAMPLE}", 400, "bad_cursor", "cursor"),
    ("/" + "1" * 256, 400, "bad_id", "customer_phone"),
    ("/%00", 400, "bad_path", None),
    ("/none", 404, "lead_not_found", None),
    ("/1/none", 404, "no_endpoint", None),
]


def refusal(answer: TestResponse) -> tuple[int, str, str | None]:
    headers = answer.headers
    return answer.status_code, headers["X-Error-Code"], headers.get("X-Error-Param")


@cases(("path", "status", "code", "parameter"), REQUESTS)
def test_what_a_request_says_wrongly(
    client: FlaskClient, library: Library, path: str, **expected: str | int | None
) -> None:
    address = f"{library.base}{path.replace('PHONE', library.phone)}"
    for method in ("GET", "HEAD"):
        assert refusal(client.open(address, method=method)) == tuple(expected.values())


Ask = Callable[[Library, MakeApp, pytest.MonkeyPatch], TestResponse]


def asking(path: str = "{base}", method: str = "GET", **request: Any) -> Ask:  # noqa: ANN401
    """Ask for an address, in which `{base}` is that of the leads of the library."""

    def ask(library: Library, make_app: MakeApp, _: pytest.MonkeyPatch) -> TestResponse:
        address = path.format(base=library.base, soon=(datetime.now(UTC) + timedelta(seconds=30)).isoformat())
        client = make_app(library.database, log_level="CRITICAL").test_client()
        return client.open(address.replace("+", "%2B"), method=method, **request)

    return ask


def showing(credential: dict[str, str]) -> Ask:
    """Ask an API that takes tokens of the tenant."""
    return lambda library, make_app, _: (
        make_app(library.database, auth=token_config()).test_client().get(library.base, headers=credential)
    )


def failing(error: Exception) -> Ask:
    """Ask while each statement fails."""

    def ask(library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> TestResponse:
        def fail(*_: object) -> None:
            raise error

        monkeypatch.setattr(Session, "fetch", fail)
        return make_app(library.database, log_level="CRITICAL").test_client().get(library.base)

    return ask


def with_a_token_that_is_gone(library: Library, make_app: MakeApp, _: pytest.MonkeyPatch) -> TestResponse:
    token = change_token.write(library.tenant, Token(Position(1), history_of(b"elsewhere", None)))
    return make_app(library.database).test_client().get(f"/users/{library.tenant}/lead-changes?since={token}")


def twice(library: Library, make_app: MakeApp, _: pytest.MonkeyPatch) -> TestResponse:
    client = make_app(library.database, rate_limit="1 per minute").test_client()
    client.get(library.base)
    return client.get(library.base)


def without_a_place(library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> TestResponse:
    monkeypatch.setattr(Exports, "take", lambda *_: False)
    return make_app(library.database).test_client().get(f"/users/{library.tenant}/leads.csv")


def with_a_bug(library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> TestResponse:
    monkeypatch.setattr(leads, "plan_list", None)
    return make_app(library.database, log_level="CRITICAL").test_client().get(library.base)


def without_a_stream(library: Library, make_app: MakeApp, _: pytest.MonkeyPatch) -> TestResponse:
    client = make_app(library.database, streams=0, log_level="CRITICAL").test_client()
    return client.get(f"/users/{library.tenant}/lead-changes", headers={"Accept": "text/event-stream"})


def without_keys(library: Library, make_app: MakeApp, _: pytest.MonkeyPatch) -> TestResponse:
    auth = AuthConfig(("jwt",), jwks_url="https://127.0.0.1:9/keys")
    token = bearer(signed(claims()))
    return (
        make_app(library.database, auth=auth, log_level="CRITICAL")
        .test_client()
        .get(library.base, headers=token)
    )


FAILURES: dict[str, tuple[int, Ask]] = {
    "bad_host": (400, asking(headers={"Host": "evil.example"})),
    "bad_request": (416, asking("/page/main.js", headers={"Range": "bytes=9999999-"})),
    "bad_body": (400, asking("{base}/lookup", "POST", data=b"{")),
    "bad_token": (400, asking("/users/u/lead-changes?since=none")),
    "credentials_missing": (401, showing({})),
    "credentials_refused": (401, showing(bearer("a.b.c"))),
    "token_expired": (401, showing(bearer(signed(claims(exp=1))))),
    "other_tenant": (403, showing(bearer(signed(claims(sub="another"))))),
    "method_not_allowed": (405, asking(method="DELETE")),
    "token_gone": (410, with_a_token_that_is_gone),
    "body_too_large": (413, asking(data=b"x" * (MAX_BODY_BYTES + 1))),
    "rate_limited": (429, twice),
    "exports_busy": (429, without_a_place),
    "internal_error": (500, with_a_bug),
    "busy": (503, without_a_stream),
    "stale": (503, asking("{base}?min_as_of={soon}")),
    "database_unreachable": (503, failing(psycopg.OperationalError("away"))),
    "database_timeout": (503, failing(psycopg.errors.QueryCanceled("too long"))),
    "database_conflict": (503, failing(psycopg.errors.LockNotAvailable("locked"))),
    "database_full": (503, failing(psycopg.errors.DiskFull("full"))),
    "keys_unavailable": (503, without_keys),
}


# What a change of the read model makes an address answer.
CHANGES = {
    "not_installed": "DROP SCHEMA read_model CASCADE",
    "not_built": "UPDATE read_model.projection SET built_at = NULL",
    "other_version": "ALTER TABLE read_model.leads RENAME COLUMN document TO page",
    "no_rights": "REVOKE SELECT ON read_model.leads FROM leads_api",
    "not_ready": "UPDATE read_model.freshness SET shards = array_fill('2020-01-01'::timestamptz, ARRAY[4])",
}


@cases("code", FAILURES)
def test_what_fails(library: Library, make_app: MakeApp, code: str) -> None:
    status, ask = FAILURES[code]
    with pytest.MonkeyPatch.context() as monkeypatch:
        answer = ask(library, make_app, monkeypatch)
    assert refusal(answer) == (status, code, "since" if code == "bad_token" else None)
    assert status != 503 or answer.headers["Retry-After"]


@pytest.mark.parametrize("code", CHANGES)
def test_what_fails_after_a_change(database: Database, make_app: MakeApp, code: str) -> None:
    with database.connect() as conn:
        conn.execute(CHANGES[code].encode())
    client = make_app(database, log_level="CRITICAL", ready_max_age=60.0).test_client()
    path = "/health/ready" if code == "not_ready" else "/users/u/leads"
    assert refusal(client.get(path)) == (503, code, None)


OF_THE_SERVER = """
import api.server.front as f
f.BODY_SECONDS = 0.1
from api.limits.admission import Admission
Admission.problem = lambda self: "No request has ended"
"""


def test_what_is_refused_in_front_of_flask(filled: Database, tmp_path: Path) -> None:
    head = b"POST /users/u/leads/lookup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nOrigin: https://a.example\r\n"
    origins = {"LEADS_CORS_ORIGINS": "https://a.example"}
    with served(filled, tmp_path, OF_THE_SERVER, **origins) as server:
        for sent, status, code in (
            (head + b"\r\n{", b"408", "body_timeout"),
            (head + b"X: " + b"x" * 32_768 + b"\r\n\r\n", b"431", "head_too_large"),
            (
                head.replace(b"POST /users/u/leads/lookup", b"GET /health/live")
                + b"Connection: close\r\n\r\n",
                b"503",
                "not_live",
            ),
        ):
            with server.connect(sent) as connection:
                said = connection.makefile("rb").read()
            assert said.split()[1] == status
            answered = said.decode().lower().split("\r\n")
            assert f"x-error-code: {code}" in answered
            [exposed] = [line for line in answered if line.startswith("access-control-expose-headers: ")]
            assert {"x-error-code", "x-error-param"} <= set(exposed.split(": ")[1].split(", "))


def test_each_code_is_provoked_here() -> None:
    of_the_server = {"body_timeout", "head_too_large", "not_live"}
    assert {code for _, _, code, _ in REQUESTS} | set(FAILURES) | set(CHANGES) | of_the_server == set(
        ErrorCode
    )
