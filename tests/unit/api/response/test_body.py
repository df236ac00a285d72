"""The body and the headers that all answers have."""

import re

from flask.testing import FlaskClient

from api.request.text import format_time
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.conftest import PRINTED_NOW, Library, MakeApp, answer_keys


def test_keys_and_their_order(client: FlaskClient, library: Library) -> None:
    for path, keys in answer_keys(library).items():
        answer = client.get(path)
        body = answer.get_json()
        assert list(body) == keys
        assert body["success"] is True
        assert body["timestamp"] == PRINTED_NOW
        assert answer.content_type == "application/json"


def test_head_is_get_without_the_body(client: FlaskClient, library: Library) -> None:
    headers = {"X-Correlation-Id": "same"}
    for path in [*answer_keys(library), "/health/live", "/health/ready"]:
        head, get = client.head(path, headers=headers), client.get(path, headers=headers)
        assert head.data == b""
        assert head.status_code == get.status_code
        assert head.headers == get.headers
    assert client.head(f"{library.base}/1").status_code == 404


@cases("given", ["a", "A-Za.z_0-9", "x" * 128])
def test_a_callers_correlation_id_is_kept(client: FlaskClient, library: Library, given: str) -> None:
    answer = client.get(library.base, headers={"X-Correlation-Id": given})
    assert answer.get_json()["correlationId"] == answer.headers["X-Correlation-Id"] == given


@cases("given", ["", " ", "a b", "x" * 129, 'a"b', "a\N{LATIN SMALL LETTER E WITH ACUTE}", "a/b"])
def test_another_correlation_id_is_replaced(client: FlaskClient, library: Library, given: str) -> None:
    answer = client.get(library.base, headers={"X-Correlation-Id": given})
    made = answer.get_json()["correlationId"]
    assert re.fullmatch(r"1774789631123-[0-9a-z]{9}", made)
    assert answer.headers["X-Correlation-Id"] == made


def test_the_age_of_the_data(client: FlaskClient, library: Library) -> None:
    with library.database.connect() as conn:
        row = conn.execute("SELECT min(as_of) FROM read_model.freshness").fetchone()
    assert row is not None
    for path in [*answer_keys(library), f"{library.base}/1"]:
        answer = client.get(path)
        assert answer.headers["X-Data-As-Of"] == format_time(row[0])
        assert "X-Data-Dead-Letters" not in answer.headers


def test_no_age_where_nothing_was_ever_fresh(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        conn.execute("DELETE FROM read_model.freshness")
    answer = make_app(database).test_client().get("/users/nobody/leads")
    assert answer.status_code == 503
    assert "X-Data-As-Of" not in answer.headers


def test_dead_letters_of_the_tenant(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        conn.execute("INSERT INTO read_model.tenants (user_id, dead_letters) VALUES ('a', 3), ('b', 0)")
    client = make_app(database).test_client()
    assert client.get("/users/a/leads").headers["X-Data-Dead-Letters"] == "3"
    assert client.get("/users/a/leads/1").headers["X-Data-Dead-Letters"] == "3"
    assert "X-Data-Dead-Letters" not in client.get("/users/b/leads").headers


@cases(
    "path",
    [
        "",
        "/stats",
        "/nobody",
        "?x=1",
        "/health/live",
        "/metrics",
        "/openapi.json",
        "/docs/",
        "/docs/index.css",
    ],
)
def test_no_cache_and_no_guessing_of_types(client: FlaskClient, library: Library, path: str) -> None:
    is_own = path.startswith(("/health", "/metrics", "/openapi", "/docs"))
    with client.get(path if is_own else f"{library.base}{path}") as answer:
        assert answer.headers.getlist("Cache-Control") == ["private, no-cache"]
        assert answer.headers.getlist("X-Content-Type-Options") == ["nosniff"]
        assert answer.headers.getlist("Referrer-Policy") == ["no-referrer"]
