"""The command `explain`."""

import json
from types import SimpleNamespace

import pytest

from projector.report.errors import TenantNotFoundError
from tests.unit.projector.cli.calls import Calls, call

LEAD = {"has_drifted": False, "is_there": True}


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ({}, 0),
        ({"is_there": False}, 1),
        ({"has_drifted": True}, 3),
    ],
)
def test_the_exit_code_says_whether_there_is_a_lead_and_whether_it_drifted(
    calls: Calls, found: dict[str, object], code: int
) -> None:
    calls.answers |= {
        "explain_lead": SimpleNamespace(**{**LEAD, **found}),
        "render": "text",
        "as_dict": {"a": 1},
    }
    text = call("explain", "u", "+49 15")
    assert (text.stdout, text.exit_code) == ("text\n", code)
    machine = call("explain", "u", "4915", "--json", "--candidates", "7")
    assert (json.loads(machine.stdout), machine.exit_code) == ({"a": 1}, code)
    explained = [made for made in calls.made if made[0] == "explain_lead"]
    assert explained == [
        ("explain_lead", {"candidates": 3, "arguments": ("u", "+49 15")}),
        ("explain_lead", {"candidates": 7, "arguments": ("u", "4915")}),
    ]


def test_wrong_usage_and_failures(calls: Calls) -> None:
    assert call("explain", "u").exit_code == 2
    assert call("explain", "u", "4915", "--candidates", "-1").exit_code == 2
    calls.answers["explain_lead"] = TenantNotFoundError("There is no tenant 'u'.")
    result = call("explain", "u", "4915")
    assert (result.exit_code, result.stderr) == (1, "Error: There is no tenant 'u'.\n")
