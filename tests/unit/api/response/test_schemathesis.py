"""Schemathesis asks what the OpenAPI document allows, and what it forbids, and finds nothing wrong with the answers."""

import subprocess
import sys
from pathlib import Path

from tests.support.commands import environment
from tests.support.patience import PATIENCE
from tests.unit.api.conftest import Library
from tests.unit.api.serving import served

# No projector is at work here: data of a moment after the last refresh never come.
CONFIG = """
hooks = "tests.unit.api.response.schemathesis_hooks"
[parameters]
"query.min_as_of" = "2000-01-01T00:00:00Z"
"""


def test_schemathesis_finds_nothing(library: Library, tmp_path: Path) -> None:
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    with served(library, tmp_path) as server:
        done = subprocess.run(
            [
                str(Path(sys.executable).with_name("schemathesis")),
                "run",
                f"http://127.0.0.1:{server.port}/openapi.json",
                "--checks=all",
                "--phases=examples,coverage,fuzzing",
                "--max-examples=20",
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
            timeout=2 * PATIENCE,
        )
    assert done.returncode == 0, done.stdout + done.stderr
