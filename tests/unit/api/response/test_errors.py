"""Every failure, on every way to it, has the one shape of error, and its sample in the document is what it says."""

import re
from datetime import datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

import orjson
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from api.limits.waiting import StaleError
from api.request.body import MAX_BODY_BYTES
from api.request.position import change_token
from api.request.position.change_token import LEADS, STATUSES, Position, Token, history_of
from api.response.openapi import document
from tests.support.cases import cases
from tests.unit.api.conftest import PRINTED_NOW, Library, MakeApp

RESPONSES = orjson.loads(document(asks_who_calls=True))["components"]["responses"]


def sample(status: int, name: str) -> dict[str, Any]:
    """A body that the OpenAPI document shows."""
    content = RESPONSES[f"Error{status}"]["content"]["application/json"]
    value: dict[str, Any] = content["examples"][name]["value"]
    return value


def check(answer: TestResponse, status: int, name: str = "") -> str:
    """The answer is an error of this status and of nothing but the documented shape; gives its message.

    With a name, it is the sample of that name, but for its moment and its id.
    """
    assert answer.status_code == status
    assert answer.content_type == "application/json"
    body: dict[str, Any] = answer.get_json()
    assert list(body) == ["error", "message", "timestamp", "correlationId"]
    # Python's phrase of that status depends on its version.
    assert body["error"] == ("Content Too Large" if status == 413 else HTTPStatus(status).phrase)
    assert body["timestamp"] == PRINTED_NOW
    assert re.fullmatch(r"[0-9]{13}-[0-9a-z]{9}", body["correlationId"])
    assert answer.headers["X-Correlation-Id"] == body["correlationId"]
    message = str(body["message"])
    assert message
    if name:
        expected = sample(status, name)
        assert (list(expected), body["error"], message) == (
            list(body),
            expected["error"],
            expected["message"],
        )
    assert not re.search(r"select|read_model|psycopg|sqlalchemy|traceback|<", message, re.IGNORECASE)
    return message


@cases("path", ["/none", "/1/messages", "/%20", "/%20/messages", "/stats%20", "/%20stats", "/stats/messages"])
def test_unknown_lead(client: FlaskClient, library: Library, path: str) -> None:
    assert check(client.get(f"{library.base}{path}"), 404, "lead_not_found") == "Lead not found"


@cases("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
@cases("path", ["", "/stats", "/1", "/1/messages"])
def test_a_method_that_is_not_taken(client: FlaskClient, library: Library, method: str, path: str) -> None:
    answer = client.open(f"{library.base}{path}", method=method)
    assert check(answer, 405) == "This address takes only GET, HEAD and OPTIONS"
    assert answer.headers.getlist("Allow") == ["GET, HEAD, OPTIONS"]


@cases(
    ("query", "name"),
    [("lead_stauts=Hot&days=0", "unknown_parameter"), ("min_total_score=12&max_total_score=7", "bad_value")],
)
def test_a_bad_request(client: FlaskClient, library: Library, query: str, name: str) -> None:
    check(client.get(f"{library.base}?{query}"), 400, name)


def test_a_tenant_that_asks_too_often(library: Library, make_app: MakeApp) -> None:
    client = make_app(library.database, rate_limit="1 per minute").test_client()
    client.get(library.base)
    check(client.get(library.base), 429, "rate_limited")


def test_a_token_from_another_history(library: Library, client: FlaskClient) -> None:
    """The message names the file to begin anew with."""
    of_leads = sample(410, "token_gone")["message"]
    for feed, name, export in (
        (LEADS, "lead-changes", "leads.ndjson"),
        (STATUSES, "status-changes", "leads/status-history.ndjson"),
    ):
        token = change_token.write(library.tenant, Token(Position(1), history_of(b"elsewhere", None)), feed)
        answer = client.get(f"/users/{library.tenant}/{name}?since={token}")
        assert check(answer, 410) == of_leads.replace("leads.ndjson", export)
        assert client.get(f"/users/{library.tenant}/{export}").status_code == 200


def test_data_that_are_not_fresh_enough() -> None:
    moments = re.findall(r"\d{4}-\S+?Z", sample(503, "stale")["message"])
    as_of, min_as_of = map(datetime.fromisoformat, moments)
    assert str(StaleError(as_of, min_as_of)) == sample(503, "stale")["message"]


# What the application refuses before any route sees it.


@cases(
    "path",
    [
        "/nothing",
        "/users",
        "/users/a",
        "/users//leads",
        "/users/a/leads//messages",
        "/users/a/leads/1/messages/2",
        "/users/a/leads/b%2Fc",
        "/docs/nothing",
    ],
)
def test_unknown_route(client: FlaskClient, path: str) -> None:
    # As servers hand it on; the client takes what follows two slashes at the start for a host.
    answer = client.get("/", environ_overrides={"PATH_INFO": unquote(path)})
    assert check(answer, 404) == (
        "The path has an empty part (//): a user_id or a customer_phone may be missing"
        if "//" in path
        else "There is no endpoint at this address: /openapi.json and /docs/ list all"
    )


def test_a_body_that_is_too_large(client: FlaskClient, library: Library) -> None:
    message = check(client.get(library.base, data=b"x" * (MAX_BODY_BYTES + 1)), 413, "body_too_large")
    assert "64 KiB" in message
    assert client.get(library.base, data=b"x" * MAX_BODY_BYTES).status_code == 200
