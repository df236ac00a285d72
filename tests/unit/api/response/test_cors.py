"""Pages of the origins that are listed may read answers in a browser, and no other."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from api.config.auth import AuthConfig
from api.response.openapi import HEADERS
from tests.support.cases import cases
from tests.unit.api.conftest import Library, MakeApp, answer_keys

ORIGIN = "https://app.example.com"
OTHER = "https://app.example.com.evil.example"
KEYS = AuthConfig(methods=("key",))


def preflight(origin: str = ORIGIN) -> dict[str, str]:
    return {
        "Origin": origin,
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "authorization,if-none-match",
    }


def cors_headers(answer: Any) -> set[str]:  # noqa: ANN401  # A response of the test client.
    return {name for name, _ in answer.headers if name.startswith("Access-Control-")}


def words(text: str) -> set[str]:
    return {word.strip().lower() for word in text.split(",")}


@pytest.fixture
def open_to_one(library: Library, make_app: MakeApp) -> FlaskClient:
    return make_app(library.database, cors_origins=("http://localhost:3000", ORIGIN)).test_client()


def test_an_allowed_origin_may_read_every_answer_with_its_headers(
    open_to_one: FlaskClient, library: Library
) -> None:
    addresses = [
        *answer_keys(library),
        f"{library.base}/nobody",
        f"{library.base}?x=1",
        "/nothing",
        "/openapi.json",
    ]
    for address in addresses:
        for headers in ({}, {"If-None-Match": "*"}):
            answer = open_to_one.get(address, headers={"Origin": ORIGIN, **headers})
            assert answer.headers.getlist("Access-Control-Allow-Origin") == [ORIGIN]
            assert answer.headers.getlist("Vary") == ["Accept-Encoding, Origin"]
            assert "Access-Control-Allow-Credentials" not in answer.headers
            assert words(answer.headers["Access-Control-Expose-Headers"]) == {
                name.lower() for name in HEADERS
            }


@cases(
    "origin",
    [OTHER, "https://app.example.com:8443", "http://app.example.com", "null", "", "HTTPS://APP.EXAMPLE.COM"],
)
def test_another_origin_may_not_and_without_the_setting_none_may(
    open_to_one: FlaskClient, client: FlaskClient, library: Library, origin: str
) -> None:
    for one, asked_by, vary in (
        # A cache must not give this answer to an allowed one.
        (open_to_one, origin, "Accept-Encoding, Origin"),
        (client, ORIGIN, "Accept-Encoding"),
    ):
        for answer in (
            one.get(library.base, headers={"Origin": asked_by}),
            one.options(library.base, headers=preflight(asked_by)),
        ):
            assert answer.status_code == 200
            assert cors_headers(answer) == set()
            assert answer.headers["Vary"] == vary


def test_a_preflight_says_what_a_page_may_do(open_to_one: FlaskClient, library: Library) -> None:
    for address in answer_keys(library):
        answer = open_to_one.options(address, headers=preflight())
        assert (answer.status_code, answer.data) == (204, b"")
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert words(answer.headers["Access-Control-Allow-Methods"]) == {"get", "head", "post"}
        assert words(answer.headers["Access-Control-Allow-Headers"]) >= {
            "authorization",
            "content-type",
            "if-none-match",
        }
        assert answer.headers["Access-Control-Max-Age"] == "600"
        assert answer.headers["Vary"] == "Accept-Encoding, Origin"
        assert "Content-Type" not in answer.headers


def test_a_preflight_needs_no_credentials_and_counts_nowhere(library: Library, make_app: MakeApp) -> None:
    limit = {"rate_limit": "1 per minute", "cors_origins": (ORIGIN,)}
    client = make_app(library.database, auth=KEYS, **limit).test_client()
    for _ in range(3):
        assert client.options(library.base, headers=preflight()).status_code == 204
    refused = client.get(library.base, headers={"Origin": ORIGIN})
    assert refused.status_code == 401
    assert refused.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert refused.headers["Vary"] == "Accept-Encoding, Authorization, Origin"
    limited = make_app(library.database, **limit).test_client()
    for _ in range(3):
        assert limited.options(library.base, headers=preflight()).status_code == 204
    assert [limited.get(library.base, headers={"Origin": ORIGIN}).status_code for _ in range(2)] == [200, 429]


def test_any_origin(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, auth=KEYS, cors_origins=("*",)).test_client()
    assert (
        client.options(library.base, headers=preflight(OTHER)).headers["Access-Control-Allow-Origin"] == "*"
    )
    answer = client.get(library.base, headers={"Origin": OTHER})
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Vary"] == "Accept-Encoding, Authorization"
