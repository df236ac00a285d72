"""The command line: what it calls, what it prints, how it ends."""

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner, Result
from psycopg import errors

from projector import log
from projector.cli import Invocation, cli
from projector.errors import ProjectorError
from projector.postgres.ports import free_port
from projector.report import RunReport
from tests.support.commands import projector
from tests.support.server import Database

USER = "789895c8-4bd6-43e9-bfea-a4171ec47197"


@dataclass
class Calls:
    """What the commands called, and what they get for it."""

    answers: dict[str, Any] = field(default_factory=dict)
    made: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def function(self, name: str) -> Callable[..., object]:
        def called(_conn: object, *arguments: object, **keywords: object) -> object:
            keywords.pop("progress", None)
            self.made.append((name, keywords | ({"arguments": arguments} if arguments else {})))
            answer = self.answers.get(name)
            if isinstance(answer, Exception):
                raise answer
            return answer

        return called


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """Stands in for everything behind the command line."""
    made = Calls()
    functions = {
        "migrate": ["migrate", "uninstall"],
        "rebuild": ["rebuild"],
        "healing": ["refresh_and_heal", "rebuild_everything"],
        "verify": ["verify"],
        "status": ["read_status", "find_attention", "render", "as_dict"],
        "capture": ["switch_off", "switch_on"],
    }
    for module, names in functions.items():
        stand_in = SimpleNamespace(**{name: made.function(name) for name in names})
        monkeypatch.setitem(sys.modules, f"projector.{module}", stand_in)

    @contextmanager
    def connect(_invocation: Invocation, _command: str) -> Iterator[object]:
        yield SimpleNamespace(info=SimpleNamespace(dbname="platform", host="db.example"))

    monkeypatch.setattr(Invocation, "connect", connect)
    monkeypatch.setattr(log, "configure", lambda _level, _form: None)
    monkeypatch.chdir(tmp_path)
    return made


def call(*arguments: str, answer: str = "") -> Result:
    return CliRunner().invoke(cli, arguments, input=answer)


def test_migrate_passes_on_what_an_operator_should_know(calls: Calls) -> None:
    calls.answers["migrate"] = ["Create an index."]
    result = call("migrate", "--create-source", "--source-schema", "a", "--source-schema", "b")
    assert calls.made == [("migrate", {"create_source": True, "source_schemas": ("a", "b")})]
    assert result.stdout.splitlines() == ["Create an index.", "The read model is installed and up to date."]
    assert result.exit_code == 0


def test_uninstall_asks_first(calls: Calls) -> None:
    result = call("uninstall", answer="n\n")
    assert "Delete the read model from the database platform on db.example?" in result.stdout
    assert (result.exit_code, calls.made) == (1, [])
    assert call("uninstall", answer="y\n").exit_code == 0
    assert call("uninstall", "--yes").exit_code == 0
    assert [name for name, _ in calls.made] == ["uninstall", "uninstall"]


def test_rebuild_takes_tenants(calls: Calls) -> None:
    report = RunReport("rebuild", 3.21, leads=2004, messages=31337, notes=("Slow.",))
    calls.answers = {"rebuild": report, "rebuild_everything": report}
    assert call("rebuild").stdout.splitlines() == [
        "Rebuild: 2,004 leads, 31,337 messages, 0 changes in 3.2 s.",
        "Slow.",
    ]
    call("rebuild", "--user", "a", "--user", "b")
    assert calls.made == [("rebuild_everything", {}), ("rebuild", {"tenants": ["a", "b"]})]


def test_refresh(calls: Calls) -> None:
    calls.answers["refresh_and_heal"] = RunReport("refresh", 0.04, leads=3, changes=7)
    assert "3 leads, 0 messages, 7 changes in 0.0 s" in call("refresh", "--retry-failed").stdout
    assert calls.made == [
        ("refresh_and_heal", {"retry_failed": True, "size": 1000, "queue_limit": 1_000_000})
    ]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), {"tenants": None, "sample": 500, "heal": False}),
        (("--sample", "7"), {"tenants": None, "sample": 7, "heal": False}),
        (("--all", "--heal"), {"tenants": None, "sample": None, "heal": True}),
        (("--user", USER), {"tenants": [USER], "sample": None, "heal": False}),
    ],
)
def test_verify_takes_a_sample_some_tenants_or_all(
    calls: Calls, arguments: tuple[str, ...], expected: dict[str, object]
) -> None:
    calls.answers["verify"] = SimpleNamespace(checked=500, left_out=2, drifts=[], healed=0)
    result = call("verify", *arguments)
    assert calls.made == [("verify", expected)]
    assert "500 leads verified, 2 left out" in result.stdout
    assert result.exit_code == 0


@pytest.mark.parametrize("heal", [True, False])
def test_verify_ends_with_3_on_drift_healed_or_not(calls: Calls, *, heal: bool) -> None:
    drift = SimpleNamespace(
        user_id=USER, customer_phone="918979556941", field="name", expected="'Ann'", found="'Bob'"
    )
    calls.answers["verify"] = SimpleNamespace(checked=1, left_out=0, drifts=[drift], healed=int(heal))
    result = call("verify", "--all", *(["--heal"] if heal else []))
    assert result.exit_code == 3
    assert result.stdout.splitlines()[0] == f"{USER} 918979556941 name: expected 'Ann', found 'Bob'"
    assert ("--heal" in result.stdout) is not heal


def test_verify_refuses_two_ways_at_once(calls: Calls) -> None:
    result = call("verify", "--all", "--sample", "3")
    assert (result.exit_code, calls.made) == (2, [])
    assert "give one of them" in result.stderr


@pytest.mark.parametrize("attention", [[], ["Two leads are set aside."]])
def test_status_ends_with_1_when_something_needs_a_person(calls: Calls, attention: list[str]) -> None:
    calls.answers |= {"find_attention": attention, "render": "one screen", "as_dict": {"lag_seconds": 0.5}}
    text = call("status")
    assert text.stdout == "one screen\n"
    machine = call("status", "--json")
    assert json.loads(machine.stdout) == {"lag_seconds": 0.5}
    assert text.exit_code == machine.exit_code == len(attention)


def test_capture_is_switched_off_for_a_reason_and_on_again(calls: Calls) -> None:
    assert call("capture", "off", "--reason", "import").exit_code == 0
    assert call("capture", "on").exit_code == 0
    assert calls.made == [("switch_off", {"arguments": ("import",)}), ("switch_on", {})]


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (ProjectorError("No table agents. Create it."), "Error: No table agents. Create it."),
        (errors.InsufficientPrivilege("permission denied"), "owner of the platform's tables"),
        (errors.UndefinedTable("no such relation"), "Run `python -m projector migrate` first."),
        (psycopg.OperationalError("server closed the connection\n\tmore"), "again once it is back."),
        (errors.AdminShutdown("terminating connection"), "again once it is back."),
        (
            errors.DiskFull("could not extend file"),
            "refused a statement: could not extend file (SQLSTATE 53100)",
        ),
    ],
)
def test_a_failure_is_one_sentence(calls: Calls, error: Exception, sentence: str) -> None:
    calls.answers["refresh_and_heal"] = error
    result = call("refresh")
    assert result.exit_code == 1
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert result.stdout == ""


def test_ctrl_c_is_no_traceback(calls: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys.modules["projector.healing"], "refresh_and_heal", interrupted)
    assert calls.made == []
    result = call("refresh")
    assert (result.exit_code, result.stderr.splitlines()[0][:18]) == (1, "Error: Interrupted")


def test_without_a_database_it_says_what_to_do(tmp_path: Path) -> None:
    done = projector(tmp_path, "refresh")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: There is no database: set DATABASE_URL or --database-url")
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_is_away_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://user:secret@127.0.0.1:{free_port()}/db"
    for done in (
        projector(tmp_path, "--database-url", url, "migrate"),
        projector(tmp_path, "migrate", DATABASE_URL=url),
    ):
        assert done.returncode == 1
        assert "Connection refused" in done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "secret" not in done.stderr + done.stdout


def test_bad_settings_are_told_together(tmp_path: Path) -> None:
    done = projector(tmp_path, "refresh", LEADS_REFRESH_BATCH="many", LEADS_LOG_LEVEL="loud")
    assert done.returncode == 1
    assert "LEADS_LOG_LEVEL: " in done.stderr
    assert "LEADS_REFRESH_BATCH: " in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_help_needs_neither_settings_nor_a_database(tmp_path: Path) -> None:
    done = projector(tmp_path, "refresh", "--help", LEADS_REFRESH_BATCH="many")
    assert done.returncode == 0
    assert "Exit codes:" in done.stdout


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    assert projector(tmp_path, "refresh", "--nonsense").returncode == 2
    assert projector(tmp_path, "nonsense").returncode == 2


def test_demo_asks_before_it_writes_into_a_database_of_the_platform(
    tmp_path: Path, source_database: Database
) -> None:
    def users() -> int:
        with source_database.connect() as conn:
            return len(conn.execute("SELECT FROM users").fetchall())

    arguments = ["--database-url", source_database.url, "demo", "--tenants", "2", "--leads", "3"]
    done = projector(tmp_path, *arguments)
    assert (done.returncode, users()) == (1, 0)
    done = projector(tmp_path, *arguments, "--yes", LEADS_LOG_FORMAT="text")
    assert (done.returncode, users()) == (0, 2)
    assert done.stdout.startswith("2 tenants, 6 leads, ")
    assert "Loading demo leads: 6 of 6 leads" in done.stderr


def test_the_embedded_server_from_start_to_removal(tmp_path: Path) -> None:
    assert projector(tmp_path, "server", "status").returncode == 1
    try:
        started = projector(tmp_path, "server", "start")
        assert started.returncode == 0
        assert "PostgreSQL runs on 127.0.0.1:" in started.stdout
        url = projector(tmp_path, "server", "url").stdout.strip()
        password = url.split(":")[2].split("@")[0]
        status = projector(tmp_path, "server", "status")
        assert status.returncode == 0
        assert password not in started.stdout + status.stdout
        # Without DATABASE_URL a command finds the embedded server.
        missing = projector(tmp_path, "migrate")
        assert missing.returncode == 1
        assert "users" in missing.stderr
        assert projector(tmp_path, "migrate", "--create-source").returncode == 0
        assert projector(tmp_path, "server", "stop").returncode == 0
        assert projector(tmp_path, "server", "status").returncode == 1
        assert "did not run" in projector(tmp_path, "server", "stop").stdout
        assert projector(tmp_path, "server", "remove").returncode == 1
        assert (tmp_path / ".leads" / "postgres").exists()
    finally:
        assert projector(tmp_path, "server", "remove", "--yes").returncode == 0
    assert not (tmp_path / ".leads" / "postgres").exists()
