"""The command `erase`: what it asks, says and answers."""

import pytest

from tests.unit.projector.cli.calls import call


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Say what to do"),
        (["--user", "u", "--replay"], "exclude each other"),
        (["--phone", "4915"], "--phone needs --user"),
        (["--replay", "--phone", "4915"], "--phone needs --user"),
    ],
)
def test_a_wrong_call_is_named(arguments: list[str], said: str) -> None:
    done = call("erase", *arguments)
    assert done.exit_code == 2
    assert said in done.output
