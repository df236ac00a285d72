"""Log lines, in both forms, from everyone who writes any."""

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import pytest
import structlog
from sqlalchemy import Text, bindparam, func, select

from api.database.statement import BoundStatement
from api.observe import log
from tests.support.cases import cases
from tests.support.commands import logging_as_before
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.response.test_errors import check


@pytest.fixture
def process() -> Iterator[None]:
    """Puts back what configure_process changes for the whole process."""
    with logging_as_before():
        yield


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """The lines of both streams since the last look."""
    said = capsys.readouterr()
    assert said.out == ""
    return [json.loads(line) for line in said.err.splitlines()]


def fail(message: str) -> None:
    secret = "postgresql://someone:secret@db"  # noqa: F841  # A value that a traceback with variables would show.
    raise ValueError(message)


@pytest.mark.usefixtures("process")
def test_what_nobody_has_caught_is_a_line_and_ctrl_c_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    log.configure_process("INFO", "json", personal_data=False)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    sys.excepthook(ValueError, ValueError(), None)
    [line] = lines(capsys)
    assert (line["event"], line["exception"][0]["exc_type"]) == ("uncaught", "ValueError")


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
        "api.routes.leads.plan_lead", lambda _, phone: BoundStatement(slow, Slept, {"phone": phone})
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
    def mistake(_user_id: str, phone: str) -> None:
        raise LookupError(f"no lead {phone}")

    monkeypatch.setattr("api.routes.leads.plan_lead", mistake)
    for personal_data in (False, True):
        client = make_app(library.database, log_personal_data=personal_data).test_client()
        capsys.readouterr()
        answer = client.get(f"{library.base}/918979556941")
        [line] = lines(capsys)
        assert line["event"] == "failed"
        assert line["route"] == "/users/<user_id>/leads/<customer_phone>"
        assert "correlationId" in check(answer, 500, "failure")
        assert line["correlation_id"] == answer.get_json()["correlationId"]
        assert line["exception"][0]["exc_type"] == "LookupError"
        assert ("918979556941" in json.dumps(line)) is personal_data
        assert line.get("path") == (f"{library.base}/918979556941" if personal_data else None)


@pytest.mark.usefixtures("process")
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
