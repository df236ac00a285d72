"""The command `status`."""

import json

import pytest

from tests.projector.cli.calls import Calls, call


@pytest.mark.parametrize("attention", [[], ["Two leads are set aside."]])
def test_status_ends_with_1_when_something_needs_a_person(calls: Calls, attention: list[str]) -> None:
    calls.answers |= {"find_attention": attention, "render": "one screen", "as_dict": {"lag_seconds": 0.5}}
    text = call("status")
    assert text.stdout == "one screen\n"
    machine = call("status", "--json")
    assert json.loads(machine.stdout) == {"lag_seconds": 0.5}
    assert text.exit_code == machine.exit_code == len(attention)
