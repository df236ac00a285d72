"""The tools that run on Node.js, which `make client-types` installs."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".venv" / "npm" / "node_modules"
# No tool of a test calls home.
_QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def has_node_tools() -> bool:
    return shutil.which("node") is not None and MODULES.is_dir()


def node(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of Node.js in a folder; waits for its end."""
    return _run(folder, "node", program, *arguments)


def node_tool(folder: Path, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs one of the tools in a folder; waits for its end."""
    return _run(folder, str(MODULES / ".bin" / name), *arguments)


def _run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        cwd=folder,
        env={**os.environ, **_QUIET},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
