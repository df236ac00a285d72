"""The commands that refresh, rebuild and verify."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from projector.report.counted import RunReport, counted
from tests.support.commands import projector
from tests.support.server import Database
from tests.unit.projector.cli.calls import Calls, call
from tests.unit.projector.scheduler.running import Connection, build

USER = "789895c8-4bd6-43e9-bfea-a4171ec47197"


@pytest.mark.parametrize(
    ("number", "noun", "words"),
    [(0, "lead", "0 leads"), (1, "dead letter", "1 dead letter"), (2004, "lead", "2,004 leads")],
)
def test_a_noun_follows_its_number(number: int, noun: str, words: str) -> None:
    assert counted(number, noun) == words


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
        # Without LEADS_ORIGIN_DATABASE_URL.
        ("note_once", {"arguments": ("",)}),
        ("refresh_and_heal", {"retry_failed": True, "size": 1000, "queue_limit": 1_000_000}),
    ]


def test_a_refresh_with_nothing_to_do_prints_nothing_unless_asked(calls: Calls) -> None:
    calls.answers["refresh_and_heal"] = RunReport("refresh", 0.04)
    assert call("refresh").output == ""
    assert call("refresh", "--verbose").output == "Refresh: 0 leads, 0 messages, 0 changes in 0.0 s.\n"
    calls.answers["refresh_and_heal"] = RunReport("refresh", 0.04, notes=("Rebuilt everything.",))
    assert "Rebuilt everything." in call("refresh").stdout


def test_from_cron_a_refresh_with_nothing_to_do_prints_nothing(
    connection: Connection, database: Database, tmp_path: Path
) -> None:
    build(connection)
    quiet = projector(tmp_path, "refresh", DATABASE_URL=database.url)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    told = projector(tmp_path, "refresh", "--verbose", DATABASE_URL=database.url)
    assert (len(told.stdout.splitlines()), told.stderr) == (1, "")


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
    assert "500 leads verified, 2 left out because a change waits or is a dead letter" in result.stdout
    assert "`status` shows" in result.stdout
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
    assert "1 lead verified, 0 left out" in result.stdout
    assert ": 1 difference, " in result.stdout
    assert "`status`" not in result.stdout
    assert ("--heal" in result.stdout) is not heal


def test_verify_refuses_two_ways_at_once(calls: Calls) -> None:
    result = call("verify", "--all", "--sample", "3")
    assert (result.exit_code, calls.made) == (2, [])
    assert "give one of them" in result.stderr
