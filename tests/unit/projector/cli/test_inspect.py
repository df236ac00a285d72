"""The command `status`."""

import json

import pytest

from tests.unit.projector.cli.calls import Calls, call


def test_status_ends_with_1_when_something_needs_a_person(
    calls: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    for attention in ([], ["Two leads are set aside."]):
        calls.answers |= {
            "find_attention": attention,
            "render": "one screen",
            "as_dict": {"lag_seconds": 0.5},
        }
        text = call("status")
        assert text.stdout == "one screen\n"
        machine = call("status", "--json")
        assert json.loads(machine.stdout) == {"lag_seconds": 0.5}
        assert text.exit_code == machine.exit_code == len(attention)
    assert calls.made[0] == ("read_status", {"api_role": "leads_api"})
    calls.made.clear()
    monkeypatch.setenv("LEADS_API_ROLE", "reader")
    call("status")
    assert calls.made[0] == ("read_status", {"api_role": "reader"})
