"""Who passes: every way to an address, with every kind of credential, and by which names of this machine."""

from collections.abc import Callable
from time import time
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from flask import Blueprint, Flask
from flask.testing import FlaskClient
from werkzeug.test import create_environ, run_wsgi_app

from api.auth.authorizer import KEPT_SECONDS
from api.auth.key_format import new_key
from api.auth.token_check import TokenCheck
from api.config.auth import AuthConfig
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.auth.tokens import add_key, bearer, claims, signed, token_config
from tests.unit.api.conftest import NOW, Library, MakeApp, endpoints
from tests.unit.api.response.test_errors import check

KEYS = AuthConfig(("key",))
Asker = Callable[..., FlaskClient]


@pytest.fixture
def ask(library: Library, make_app: MakeApp) -> Asker:
    """Makes clients of an application that asks who calls."""

    def make(auth: AuthConfig, **settings: Any) -> FlaskClient:  # noqa: ANN401
        return make_app(library.database, auth=auth, **settings).test_client()

    return make


def challenge(answer: Any) -> str:  # noqa: ANN401
    [challenge] = answer.headers.getlist("WWW-Authenticate")
    return str(challenge)


def test_another_tenant_is_refused_the_same_whether_it_exists_or_not(ask: Asker, library: Library) -> None:
    client = ask(token_config(methods=("jwt", "key")), rate_limit="100 per minute")
    for credential in (
        signed(claims(sub="stranger")),
        add_key(library.database, "stranger"),
        signed(claims(sub=None)),
    ):
        answers = [
            client.get(path, headers=bearer(credential) | {"X-Correlation-Id": "1"})
            for path in (
                library.base,
                "/users/nobody/leads",
                f"{library.base}/{quote(library.phone)}",
                f"{library.base}/1/messages",
                f"{library.base}?limit=0",
                "/users/%00/leads",
            )
        ]
        assert {answer.status_code for answer in answers} == {403}
        assert len({answer.data for answer in answers}) == 1
        assert len({str(answer.headers) for answer in answers}) == 1
        assert challenge(answers[0]) == 'Bearer realm="leads", error="insufficient_scope"'
        assert "X-RateLimit-Limit" not in answers[0].headers
        assert library.tenant not in answers[0].text
    check(client.get(library.base, headers=bearer(credential)), 403, "other_tenant")


@cases("path", ["/health/live", "/health/ready", "/metrics", "/openapi.json", "/docs/", "/", "/page/main.js"])
def test_what_holds_no_data_of_a_tenant_is_open(ask: Asker, path: str) -> None:
    with ask(token_config(methods=("jwt", "key"))).get(path) as answer:
        assert answer.status_code == 200


def test_an_endpoint_that_nobody_has_opened_asks(library: Library, make_app: MakeApp) -> None:
    app = make_app(library.database, auth=token_config())
    later = Blueprint("later", __name__)
    later.add_url_rule("/later", "all", view_func=lambda: "all")
    later.add_url_rule("/of/<user_id>", "one", view_func=lambda user_id: user_id)
    app.register_blueprint(later)
    client = app.test_client()
    assert client.get("/later").status_code == 401
    own = bearer(signed(claims(sub="a")))
    # It names no tenant, so it is for those who read all.
    assert client.get("/later", headers=own).status_code == 403
    assert client.get("/later", headers=bearer(signed(claims(scope="leads:read:all")))).status_code == 200
    assert client.get("/of/a", headers=own).status_code == 200
    assert client.get("/of/b", headers=own).status_code == 403


def test_preflight_and_strangers_get_nothing_and_take_nothing_from_a_tenant(
    ask: Asker, library: Library
) -> None:
    client = ask(token_config(methods=("jwt", "key")), rate_limit="2 per minute")
    own, strange = (bearer(signed(claims(sub=sub))) for sub in (library.tenant, "stranger"))
    for path in map(quote, endpoints(library)):
        answer = client.options(path)
        assert answer.status_code == 200
        assert "X-RateLimit-Limit" not in answer.headers
        for method in ("GET", "HEAD", "POST", "DELETE", "PATCH", "TRACE", "PROPFIND"):
            for header in ({}, {"Authorization": ""}, {"Authorization": "Basic YTpi"}, {"X-Api-Key": "x"}):
                answer = client.open(path, method=method, headers=header)
                assert answer.status_code == 401
                # RFC 6750: no error for a request that shows nothing.
                assert challenge(answer) == 'Bearer realm="leads"'
                assert "X-RateLimit-Limit" not in answer.headers
        assert client.get(path, headers=bearer("garbage")).status_code == 401
        assert client.get(path, headers=strange).status_code == 403
    assert check(client.get(library.base), 401) == (
        "This API asks for a bearer token or an API key: send it in the header Authorization, after the word Bearer"
    )
    assert [client.get(library.base, headers=own).status_code for _ in range(3)] == [200, 200, 429]


@cases(
    ("header", "reason"),
    [
        ("Bearer", "no credential that could be read"),
        ("Bearer ", "no credential that could be read"),
        ("Bearer a b", "no credential that could be read"),
        ("Bearer a,b", "no credential that could be read"),
        ("Bearer \xff", "no credential that could be read"),
        ("Bearer a\tb", "no credential that could be read"),
        (f"Bearer {'a' * 8192}", "longer than 8 KiB"),
        (f"Bearer {'a.' * 500_000}", "longer than 8 KiB"),
        ("x" * 1_000_000, "longer than 8 KiB"),
        ("Bearer a.b.c", "cannot be read"),
        ("bearer garbage", "cannot be read"),
    ],
)
def test_what_cannot_be_a_credential(ask: Asker, library: Library, header: str, reason: str) -> None:
    answer = ask(token_config()).get(
        "/", environ_overrides={"PATH_INFO": library.base, "HTTP_AUTHORIZATION": header}
    )
    assert reason in check(answer, 401)
    assert challenge(answer).startswith('Bearer realm="leads", error="invalid_token", error_description="')


def test_each_kind_is_accepted_only_where_it_is_set(ask: Asker, library: Library) -> None:
    token, key = signed(claims(sub=library.tenant)), add_key(library.database, library.tenant)
    assert "accepts no API keys" in check(ask(token_config()).get(library.base, headers=bearer(key)), 401)
    check(ask(token_config()).get(library.base), 401, "credentials_missing")
    assert "not an API key" in check(ask(KEYS).get(library.base, headers=bearer(token)), 401)


def test_a_token_is_kept_for_a_minute_and_never_beyond_its_end(
    ask: Asker, library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks: list[str] = []
    check_token = TokenCheck.check

    def count(self: TokenCheck, token: str) -> object:
        checks.append(token)
        return check_token(self, token)

    monkeypatch.setattr(TokenCheck, "check", count)
    client = ask(token_config())
    with time_machine.travel(NOW, tick=False) as traveller:
        long, short = (signed(claims(sub=library.tenant, exp=int(time()) + seconds)) for seconds in (600, 10))
        for _ in range(3):
            for token in (long, short):
                assert client.get(library.base, headers=bearer(token)).status_code == 200
        assert checks == [long, short]
        traveller.shift(KEPT_SECONDS - 1)
        assert client.get(library.base, headers=bearer(long)).status_code == 200
        assert client.get(library.base, headers=bearer(short)).status_code == 401
        assert checks == [long, short, short]
        traveller.shift(1)
        assert client.get(library.base, headers=bearer(long)).status_code == 200
        assert checks == [long, short, short, long]
        # Written in another way it is the same one.
        for written in (f"bEARER {long}", f"Bearer   {long} "):
            assert client.get(library.base, headers={"Authorization": written}).status_code == 200
        for refused in (f"Bearerx {long}", f"Bearer\t{long}", f" {long}", f"Bearer x{long}"):
            assert client.get(library.base, headers={"Authorization": refused}).status_code == 401
        assert checks == [long, short, short, long, f"x{long}"]


@pytest.mark.parametrize("dropped", ["DROP SCHEMA leads_access CASCADE", "DROP FUNCTION leads_access.key_of"])
def test_without_the_table_of_keys_the_api_is_not_ready(
    make_app: MakeApp, database: Database, dropped: str
) -> None:
    with database.connect() as conn:
        conn.execute(dropped.encode())
    assert make_app(database).test_client().get("/health/ready").status_code == 200
    client = make_app(database, auth=KEYS).test_client()
    for answer in (client.get("/health/ready"), client.get("/users/a/leads", headers=bearer(new_key()))):
        assert answer.status_code == 503
        assert answer.get_json()["message"].startswith(
            "API keys cannot be looked up: run `python -m projector migrate --sql | psql SUPERUSER_URL`, then"
        )


def test_the_log_names_a_key_by_its_prefix_and_nobody_by_an_address(
    ask: Asker, library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    key = add_key(library.database, library.tenant)
    client = ask(token_config(methods=("jwt", "key"), tenant_claim="t"), log_level="INFO", log_format="json")
    uuid = "789895c8-4bd6-43e9-bfea-a4171ec47197"
    for credential, name in (
        (key, f'"caller":"{key[:18]}"'),
        (signed(claims(sub="ann@example.com", t=library.tenant)), '"caller":"token"'),
        (signed(claims(sub=uuid, t=library.tenant)), f'"caller":"token:{uuid}"'),
        (signed(claims(sub="ann@example.com", t="stranger")), '"caller":"token"'),
    ):
        client.get(library.base, headers=bearer(credential))
        [line] = capsys.readouterr().err.splitlines()
        assert name in line
        assert "example.com" not in line
        assert credential not in line
        assert key[19:] not in line
    client.get(library.base)
    assert "caller" not in capsys.readouterr().err


OPEN = AuthConfig(("none",))


LOCAL = (
    "localhost", "localhost:4000", "LOCALHOST", "127.0.0.1", "127.0.0.1:4000", "127.9.9.9", "[::1]", "[::1]:4000",
    "leads.internal", "Leads.Internal:80",
)  # fmt: skip
STRANGE = (
    "evil.example", "evil.example:4000", "127.0.0.1.evil.example", "localhost.evil.example", "evil.localhost",
    "localhost.", "a.leads.internal", "leads", "192.168.0.1", "0.0.0.0", "[::]", "[fe80::1]", "[::1", "[1:2:3]",
    "evil@127.0.0.1", "127.0.0.1,evil.example", "127.0.0.1:99999", "localhost/", "localhost:4000 ", "\xe9",
    "x" * 1000,
)  # fmt: skip


def answered(app: Flask, host: str, path: str, method: str = "GET", **more: str) -> tuple[int, str]:
    """The status and the body of an answer to any Host: a server passes it on as it came."""
    environ = {**create_environ(path, method=method), "HTTP_HOST": host, **more}
    body, status, _ = run_wsgi_app(app, environ)
    return int(status[:3]), b"".join(body).decode()


def test_a_strangers_name_that_points_to_loopback_reads_nothing(library: Library, make_app: MakeApp) -> None:
    app = make_app(library.database, host_names=("leads.internal",))
    tag = {"HTTP_IF_NONE_MATCH": app.test_client().get(library.base).headers["ETag"]}
    assert answered(app, "localhost", library.base, **tag)[0] == 304
    for path in ("/", "/page/main.js", "/metrics", "/health/live", "/nothing", f"{library.base}.csv"):
        status, body = answered(app, "evil.example:4000", path)
        assert status == 400, path
        assert "The Host 'evil.example:4000' is not answered: while LEADS_AUTH is not set" in body
    for host in STRANGE:
        for more in ({}, tag):
            assert answered(app, host, library.base, **more)[0] == 400, host
        for method in ("HEAD", "OPTIONS", "POST"):
            assert answered(app, host, library.base, method)[0] == 400, host


def test_names_of_this_machine_are_answered_and_any_where_somebody_has_decided(
    library: Library, make_app: MakeApp
) -> None:
    app = make_app(library.database, host_names=("leads.internal",))
    for host in LOCAL:
        assert answered(app, host, library.base)[0] == 200, host
    # HTTP/1.0 may have none.
    assert answered(app, "", library.base, SERVER_PROTOCOL="HTTP/1.0")[0] == 200
    for auth, status in ((AuthConfig(), 400), (OPEN, 200), (token_config(), 401)):
        app = make_app(library.database, auth=auth)
        for host in ("leads.internal", "evil.example"):
            assert answered(app, host, library.base)[0] == status
