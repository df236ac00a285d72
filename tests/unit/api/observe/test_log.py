"""Log lines, in both forms, from everyone who writes any; that of a request has nothing about a person."""

import json
import logging
import re
import sys
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

import pytest
import structlog
from sqlalchemy import Text, bindparam, func, select

from api.database.statement import BoundStatement
from api.observe import log
from api.observe.request_log import tenant_name
from tests.support.cases import cases
from tests.support.commands import logging_as_before
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.response.test_errors import check


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of both streams since the last look."""
    said = capsys.readouterr()
    assert said.out == ""
    return [json.loads(line) for line in said.err.splitlines()]


def fail(message: str) -> None:
    secret = "postgresql://someone:secret@db"  # noqa: F841  # A value that a traceback with variables would show.
    raise ValueError(message)


@logging_as_before()
def test_what_nobody_has_caught_is_a_line_and_ctrl_c_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_process("INFO", "json", personal_data=False)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    sys.excepthook(ValueError, ValueError(), None)
    [line] = lines(capsys)
    assert (line["event"], line["exception"][0]["exc_type"]) == ("uncaught", "ValueError")


@logging_as_before()
def test_a_record_that_cannot_be_printed_harms_nobody_who_logs() -> None:
    log.configure_process("INFO", "json", personal_data=False)
    [handler] = logging.getLogger().handlers
    handler.handle(logging.makeLogRecord({"msg": "%d", "args": ("no number",)}))


@cases("form", ["json", "text"])
@cases("personal_data", [False, True])
def test_an_error_shows_values_on_demand_and_variables_never(
    capsys: pytest.CaptureFixture[str], form: str, *, personal_data: bool
) -> None:
    log.configure("INFO", form, personal_data=personal_data)
    try:
        try:
            fail("no phone: '918979556941'")
        except ValueError as cause:
            cause.add_note("asked by Aurelia")
            raise KeyError("Aurelia") from cause
    except KeyError:
        structlog.get_logger().exception("failed", path="/users/a/leads/918979556941")
    said = capsys.readouterr().err
    assert ("918979556941" in said, "Aurelia" in said) == (personal_data, personal_data)
    assert (log.LEFT_OUT in said) is not personal_data
    assert "secret" not in said
    for part in ("ValueError", "KeyError", "test_log.py", "fail"):
        assert part in said
    if form == "json":
        assert len(said.splitlines()) == 1


def test_an_error_that_names_code_keeps_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure("INFO", "json", personal_data=False)
    try:
        import no_such_module  # type: ignore[import-not-found]  # noqa: F401, PLC0415
    except ImportError:
        structlog.get_logger().exception("failed")
    assert "no_such_module" in capsys.readouterr().err


class Slept(NamedTuple):
    """The row of a statement that takes too long."""

    document: str


def test_a_statement_that_was_cancelled_leaves_no_value_in_the_log(
    library: Library,
    make_app: MakeApp,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slow = select((func.pg_sleep(60).cast(Text) + bindparam("phone", type_=Text)).label("document"))
    monkeypatch.setattr(
        "api.routes.leads.plan_lead", lambda _, phone, _printed: BoundStatement(slow, Slept, {"phone": phone})
    )
    # With it, PostgreSQL adds the values of a statement to its errors, for the client too.
    setting = f"ALTER DATABASE {library.database.name} {{}} log_parameter_max_length_on_error"
    with library.database.connect() as conn:
        conn.execute((setting.format("SET") + " = -1").encode())
        try:
            client = make_app(library.database, statement_timeout_ms=50, log_level="WARNING").test_client()
            assert client.get(f"{library.base}/918979556941").status_code == 503
        finally:
            conn.execute(setting.format("RESET").encode())
    [line] = lines(capsys)
    assert line["event"] == "unavailable"
    assert "canceling statement" in line["cause"]
    assert "918979556941" not in json.dumps(line)


def test_a_bug_leaves_no_path_and_no_value_in_the_log(
    library: Library,
    make_app: MakeApp,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def mistake(_user_id: str, phone: str, _printed: object) -> None:
        raise LookupError(f"no lead {phone}")

    monkeypatch.setattr("api.routes.leads.plan_lead", mistake)
    for personal_data in (False, True):
        client = make_app(library.database, log_personal_data=personal_data).test_client()
        capsys.readouterr()
        answer = client.get(f"{library.base}/918979556941")
        [line] = lines(capsys)
        assert line["event"] == "failed"
        assert line["route"] == "/users/<user_id>/leads/<customer_phone>"
        assert "correlationId" in check(answer, 500, "internal_error")
        assert line["correlation_id"] == answer.get_json()["correlationId"]
        assert line["exception"][0]["exc_type"] == "LookupError"
        assert ("918979556941" in json.dumps(line)) is personal_data
        assert line.get("path") == (f"{library.base}/918979556941" if personal_data else None)


@logging_as_before()
def test_no_value_of_a_text_log_forges_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_process("INFO", "text", personal_data=True)
    structlog.get_logger().info("an event\nforged", path="/\x1b[2J\nforged \u202e\x9b31m")
    logging.getLogger("other").warning("of another\nforged \x1b[2J")
    try:
        fail("quoted \x1b[2J")
    except ValueError:
        structlog.get_logger().exception("failed\rforged")
    said = capsys.readouterr().err
    assert [line for line in said.splitlines() if line.startswith("forged")] == []
    assert {letter for letter in said if not letter.isprintable()} == {"\n"}
    assert "x1b[2J" in said


UUID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask(library: Library, make_app: MakeApp, capsys: pytest.CaptureFixture[str]) -> Ask:
    """Asks for a path, and gives the one line that the request left in the log."""

    def ask(path: str, method: str = "GET", **settings: object) -> dict[str, Any]:
        app = make_app(library.database, **{"log_level": "INFO", "log_format": "json", **settings})
        capsys.readouterr()
        answer = app.test_client().open(path, method=method)
        [logged] = lines(capsys)
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


def test_the_path_is_in_the_line_on_demand(ask: Ask, library: Library) -> None:
    path = f"{library.base}/918979556941?limit=%22"
    assert "path" not in ask(path)
    assert ask(path, log_personal_data=True)["path"] == path
    assert ask("/nothing", log_personal_data=True)["path"] == "/nothing"


def test_a_tenant_is_named_by_its_id_only_if_that_is_a_uuid(ask: Ask) -> None:
    assert tenant_name(UUID) == UUID
    # printf %s 918979556941 | sha256sum | cut -c 1-12
    assert ask("/users/918979556941/leads")["tenant"] == tenant_name("918979556941") == "4c71d1714d97"
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
