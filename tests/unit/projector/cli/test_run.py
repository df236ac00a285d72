"""The commands that refresh, rebuild and verify."""

from types import SimpleNamespace

from projector.report.counted import RunReport
from tests.unit.projector.cli.calls import Calls, call

USER = "789895c8-4bd6-43e9-bfea-a4171ec47197"


def test_rebuild_takes_tenants(calls: Calls) -> None:
    report = RunReport("rebuild", 3.21, leads=2004, messages=31337, notes=("Slow.",))
    calls.answers = {"rebuild": report, "rebuild_everything": report}
    assert call("rebuild").stdout.splitlines() == [
        "Rebuild: 2,004 leads, 31,337 messages, 0 changes in 3.2 s.",
        "Slow.",
    ]
    call("rebuild", "--user", "a", "--user", "b")
    assert calls.made == [("rebuild_everything", {}), ("rebuild", {"tenants": ["a", "b"]})]


def test_a_refresh_with_nothing_to_do_prints_nothing_unless_asked(calls: Calls) -> None:
    calls.answers["refresh_and_heal"] = RunReport("refresh", 0.04)
    assert call("refresh").output == ""
    assert call("refresh", "--verbose").output == "Refresh: 0 leads, 0 messages, 0 changes in 0.0 s.\n"
    calls.answers["refresh_and_heal"] = RunReport("refresh", 0.04, notes=("Rebuilt everything.",))
    assert "Rebuilt everything." in call("refresh").stdout


def test_verify_takes_a_sample_some_tenants_or_all(calls: Calls) -> None:
    calls.answers["verify"] = SimpleNamespace(checked=500, left_out=2, drifts=[], healed=0)
    given: dict[tuple[str, ...], dict[str, object]] = {
        (): {"tenants": None, "sample": 500, "heal": False},
        ("--sample", "7"): {"tenants": None, "sample": 7, "heal": False},
        ("--all", "--heal"): {"tenants": None, "sample": None, "heal": True},
        ("--user", USER): {"tenants": [USER], "sample": None, "heal": False},
    }
    for arguments in given:
        result = call("verify", *arguments)
        assert "500 leads verified, 2 left out because a change waits or is a dead letter" in result.stdout
        assert "`status` shows" in result.stdout
        assert result.exit_code == 0
    assert calls.made == [("verify", expected) for expected in given.values()]
    refused = call("verify", "--all", "--sample", "3")
    assert (refused.exit_code, len(calls.made)) == (2, len(given))
    assert "give one of them" in refused.stderr


def test_verify_ends_with_3_on_drift_healed_or_not(calls: Calls) -> None:
    drift = SimpleNamespace(
        user_id=USER, customer_phone="918979556941", field="name", expected="'Ann'", found="'Bob'"
    )
    for heal in (True, False):
        calls.answers["verify"] = SimpleNamespace(checked=1, left_out=0, drifts=[drift], healed=int(heal))
        result = call("verify", "--all", *(["--heal"] if heal else []))
        assert result.exit_code == 3
        assert result.stdout.splitlines()[0] == f"{USER} 918979556941 name: expected 'Ann', found 'Bob'"
        assert "1 lead verified, 0 left out" in result.stdout
        assert ": 1 difference, " in result.stdout
        assert "`status`" not in result.stdout
        assert ("--heal" in result.stdout) is not heal
