"""The tools that run on Node.js, which `make client-types` installs."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".venv" / "npm" / "node_modules"
TOOLS = MODULES / ".bin"
# No tool of a test calls home.
_QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def has_node_tools() -> bool:
    return shutil.which("node") is not None and MODULES.is_dir()


def node(folder: Path, program: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of Node.js in a folder; waits for its end."""
    return subprocess.run(
        ["node", program, *arguments],
        check=False,
        cwd=folder,
        env={**os.environ, **_QUIET},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
