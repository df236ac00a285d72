"""Schemathesis asks what the OpenAPI document allows, and what it forbids, and finds nothing wrong with the answers."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.api.conftest import Library
from tests.api.serving import served
from tests.support.commands import environment
from tests.support.patience import PATIENCE

# No projector is at work here: data of a moment after the last refresh never come.
CONFIG = """
hooks = "hooks.py"
[parameters]
"query.min_as_of" = "2000-01-01T00:00:00Z"
"""
# The API refuses bounds in the wrong order. OpenAPI cannot say that of two parameters, so one of them goes.
HOOKS = """
import schemathesis

from tests.api.response.undocumented_words import allow_undocumented

@schemathesis.hook
def before_call(context, case, kwargs):
    for least, greatest in (("from_date", "to_date"), ("min_total_score", "max_total_score")):
        if least in case.query and greatest in case.query:
            del case.query[greatest]
    # A cursor is good for the query that gave it.
    case.query.pop("cursor", None)

@schemathesis.hook
def before_load_schema(context, raw_schema):
    allow_undocumented(raw_schema)
"""


@pytest.mark.parametrize("phase", ["examples", "coverage", "fuzzing"])
def test_schemathesis_finds_nothing(library: Library, tmp_path: Path, phase: str) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    (tmp_path / "hooks.py").write_text(HOOKS)
    with served(library, tmp_path) as server:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"http://127.0.0.1:{server.port}/openapi.json",
                "--checks=all",
                f"--phases={phase}",
                "--max-examples=30",
                "--seed=1",
                "--suppress-health-check=all",
                "--continue-on-failure",
                "--no-color",
            ],
            check=False,
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
    assert done.returncode == 0, done.stdout + done.stderr
