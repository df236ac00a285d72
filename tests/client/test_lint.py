"""Redocly's linter finds nothing in the OpenAPI document."""

import json
from pathlib import Path

import pytest

from api.response.openapi.document import document
from tests.support.node import node_tool

pytestmark = pytest.mark.node
RULES = Path(__file__).parent / "redocly.yaml"


def lint(folder: Path, text: bytes) -> list[str]:
    """The names of the rules that the document breaks."""
    (folder / "openapi.json").write_bytes(text)
    done = node_tool(folder, "redocly", "lint", "openapi.json", "--config", str(RULES), "--format", "json")
    return [problem["ruleId"] for problem in json.loads(done.stdout)["problems"]]


@pytest.mark.parametrize("asks_who_calls", [True, False])
def test_the_linter_finds_nothing(tmp_path: Path, asks_who_calls: bool) -> None:  # noqa: FBT001  # A parameter.
    assert lint(tmp_path, document(asks_who_calls=asks_who_calls)) == []
