"""Every failure, on every way to it, has the one shape of error."""

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support.cases import cases
from tests.support.running import write_source
from tests.support.server import Database
from tests.unit.api.conftest import PRINTED_NOW, Library, MakeApp

PHRASES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


def check(answer: TestResponse, status: int) -> str:
    """The answer is an error of this status and of nothing but the documented shape; gives its message."""
    assert answer.status_code == status
    assert answer.content_type == "application/json"
    body: dict[str, Any] = answer.get_json()
    assert list(body) == ["error", "message", "timestamp", "correlationId"]
    assert body["error"] == PHRASES[status]
    assert body["timestamp"] == PRINTED_NOW
    assert re.fullmatch(r"[0-9]{13}-[0-9a-z]{9}", body["correlationId"])
    assert answer.headers["X-Correlation-Id"] == body["correlationId"]
    message = str(body["message"])
    assert message
    assert not re.search(r"select|read_model|psycopg|sqlalchemy|traceback|<", message, re.IGNORECASE)
    return message


@cases(
    ("query", "named"),
    [
        ("limit=0", ["limit"]),
        ("min_total_score=4&max_total_score=16", ["min_total_score", "max_total_score"]),
        ("has_email=yes&has_extraction=2", ["has_email", "has_extraction"]),
        ("limt=1", ["limt", "limit"]),
        ("Platform=whatsapp", ["Platform", "platform"]),
        ("lead_status%00=Hot", ["NUL"]),
        ("search=%00", ["search", "NUL"]),
        ("search=%ff", ["search", "UTF-8"]),
        ("_=%ff", ["_", "UTF-8"]),
        ("limit=1&limit=2", ["limit"]),
    ],
)
def test_bad_parameters_are_all_named(
    client: FlaskClient, library: Library, query: str, named: list[str]
) -> None:
    message = check(client.get(f"{library.base}?{query}"), 400)
    assert [name for name in named if name not in message] == []


@cases("path", ["", "/stats", "/918979556941", "/918979556941/messages"])
def test_each_endpoint_refuses_an_unknown_parameter(client: FlaskClient, library: Library, path: str) -> None:
    assert "nonsense" in check(client.get(f"{library.base}{path}?nonsense=1"), 400)


@cases("path", ["/1", "/1/messages", "/%20", "/%20/messages", "/stats/messages"])
def test_unknown_lead(client: FlaskClient, library: Library, path: str) -> None:
    assert check(client.get(f"{library.base}{path}"), 404) == "Lead not found"


def test_a_lead_of_another_tenant_cannot_be_told_from_none(client: FlaskClient, library: Library) -> None:
    phones = {user_id: set(leads) for user_id, leads in library.model.leads.items()}
    mine = phones.pop(library.tenant)
    foreign = next(phone for others in phones.values() for phone in sorted(others - mine) if phone.isdigit())
    theirs, nobodys = (client.get(f"{library.base}/{phone}") for phone in (foreign, "1"))
    assert check(theirs, 404) == check(nobodys, 404) == "Lead not found"
    assert list(theirs.headers.keys()) == list(nobodys.headers.keys())


@cases("method", ["POST", "PUT", "PATCH", "DELETE", "TRACE"])
@cases("path", ["", "/stats", "/1", "/1/messages"])
def test_a_method_that_is_not_taken(client: FlaskClient, library: Library, method: str, path: str) -> None:
    answer = client.open(f"{library.base}{path}", method=method)
    assert check(answer, 405) == "This address takes only GET, HEAD and OPTIONS"
    assert answer.headers.getlist("Allow") == ["GET, HEAD, OPTIONS"]


@pytest.fixture
def broken(library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """An application with a mistake in it."""

    def mistake(*_: object) -> None:
        raise ZeroDivisionError("SELECT secret FROM read_model.leads")

    monkeypatch.setattr("api.routes.leads.plan_lead", mistake)
    return make_app(library.database, log_level="ERROR")


def test_a_mistake_of_ours(capsys: pytest.CaptureFixture[str], broken: Flask, library: Library) -> None:
    answer = broken.test_client().get(f"{library.base}/1")
    assert "correlationId" in check(answer, 500)
    logged = capsys.readouterr().err
    assert "ZeroDivisionError" in logged
    assert answer.get_json()["correlationId"] in logged


def test_a_lead_called_stats_is_listed_and_has_no_page_of_its_own(
    make_app: MakeApp, database: Database
) -> None:
    with database.connect() as conn:
        write_source(conn)
        conn.execute("UPDATE conversations SET customer_phone = 'stats'")
        rebuild(conn, tenants=None, progress=QUIET)
    client = make_app(database).test_client()
    [lead] = client.get("/users/u/leads").get_json()["data"]
    assert lead["customer_phone"] == "stats"
    for path in ("/stats%20", "/%20stats", "/stats/messages"):
        assert check(client.get(f"/users/u/leads{path}"), 404) == "Lead not found"
