"""The line of a request: what was asked and how it went, and nothing about a person."""

import json
import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from api.observe import request_log
from api.observe.request_log import tenant_name
from tests.unit.api.conftest import Library, MakeApp

UUID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(library: Library, make_app: MakeApp, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Asks for a path, and gives the one line that the request left in the log."""

    def ask(path: str, method: str = "GET", **settings: object) -> dict[str, Any]:
        app = make_app(library.database, **{"log_level": "INFO", "log_format": "json", **settings})
        capsys.readouterr()
        answer = app.test_client().open(path, method=method)
        [line] = capsys.readouterr().err.splitlines()
        logged: dict[str, Any] = json.loads(line)
        assert logged["status"] == answer.status_code
        assert logged["correlation_id"] == answer.headers["X-Correlation-Id"]
        return logged

    return ask


def test_the_line_has_what_was_asked_and_how_it_went(ask: Ask, library: Library) -> None:
    logged = ask(f"{library.base}?limit=3")
    assert list(logged) == [
        "event", "method", "route", "status", "ms", "tenant", "rows", "correlation_id", "level", "timestamp",
    ]  # fmt: skip
    assert logged["event"] == "answered"
    assert (logged["method"], logged["route"], logged["status"]) == ("GET", "/users/<user_id>/leads", 200)
    assert (logged["tenant"], logged["rows"], logged["level"]) == (tenant_name(library.tenant), 3, "info")
    assert logged["ms"] > 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{6})?Z", logged["timestamp"])


def test_rows_are_those_of_the_answer(ask: Ask, library: Library) -> None:
    total = len(library.model.of_tenant(library.tenant))
    lead = library.model.of_tenant(library.tenant)[library.phone]
    path = f"{library.base}/{quote(library.phone, safe='')}"
    for asked, rows in (
        (library.base, min(50, total)),
        (f"{library.base}?limit=100&offset={total - 2}", 2),
        (f"{library.base}?offset={total + 2}", 0),
        (f"{library.base}/stats", 1),
        (path, 1),
        (f"{path}/messages?limit=2", min(2, len(lead.messages))),
        (f"{library.base}/1", 0),
        (f"{library.base}?nonsense=1", 0),
    ):
        assert ask(asked)["rows"] == rows, asked


def test_the_line_holds_no_personal_data(
    ask: Ask, make_app: MakeApp, library: Library, capsys: pytest.CaptureFixture[str]
) -> None:
    secrets = ["918979556941", "Aurelia", "sid@example.com"]
    paths = [
        f"{library.base}/918979556941",
        f"{library.base}/Aurelia/messages",
        f"{library.base}?search=Aurelia&customer_phone=918979556941",
        f"{library.base}?sid@example.com=Aurelia",
        # Whoever takes a phone for the tenant.
        "/users/918979556941/leads/Aurelia",
        "/users/Aurelia/leads?search=sid@example.com",
        "/918979556941",
    ]
    for path in paths:
        line = json.dumps(ask(path))
        assert [secret for secret in secrets if secret in line] == [], path
    client = make_app(library.database, log_level="DEBUG", log_format="text").test_client()
    for path in paths:
        client.get(path)
    lines = capsys.readouterr().err
    assert lines.count("answered") == len(paths)
    assert [secret for secret in secrets if secret in lines] == []


def test_the_path_is_in_the_line_on_demand(ask: Ask, library: Library) -> None:
    path = f"{library.base}/918979556941?limit=%22"
    assert ask(path, log_personal_data=True)["path"] == path
    assert ask("/nothing", log_personal_data=True)["path"] == "/nothing"


def test_a_tenant_is_named_by_its_id_only_if_that_is_a_uuid() -> None:
    assert tenant_name(UUID) == UUID
    # printf %s 918979556941 | sha256sum | cut -c 1-12
    assert tenant_name("918979556941") == "4c71d1714d97"
    assert re.fullmatch("[0-9a-f]{12}", tenant_name(f"{UUID}\n"))
    assert re.fullmatch("[0-9a-f]{12}", tenant_name('"},{"\ud800\udcff'))


def test_a_log_that_nobody_reads_any_more_fails_no_request(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def write(self, _text: str) -> int:
            raise BrokenPipeError

        def isatty(self) -> bool:
            return False

    client = make_app(library.database, log_level="INFO").test_client()
    monkeypatch.setattr(sys, "stderr", Broken())
    assert client.get(library.base).status_code == 200


def test_an_id_that_is_too_long_is_named_and_not_kept(
    library: Library, make_app: MakeApp, capsys: pytest.CaptureFixture[str]
) -> None:
    client = make_app(library.database, log_level="INFO", log_format="json").test_client()
    client.get("/users/a/leads/stats")
    kept = request_log._tenant_cached.cache_info().currsize  # type: ignore[attr-defined]  # noqa: SLF001
    assert client.get(f"/users/{'a' * 60_000}/leads").status_code == 400
    assert request_log._tenant_cached.cache_info().currsize == kept  # type: ignore[attr-defined]  # noqa: SLF001
    assert len(json.loads(capsys.readouterr().err.splitlines()[-1])["tenant"]) == 12
