"""The tools that run on Node.js, which `make client-types` installs, and other generators of clients."""

import os
import shutil
import subprocess
from pathlib import Path

from tests.support.patience import UNREACHED

ROOT = Path(__file__).parents[2]
MODULES = ROOT / ".venv" / "npm" / "node_modules"
TOOLS = MODULES / ".bin"
# An environment with openapi-python-client, which `make client-tools` installs beside orval.
PYTHON_CLIENT = ROOT / ".venv" / "python-client"
# No tool of a test calls home.
_QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def has_node_tools() -> bool:
    return shutil.which("node") is not None and MODULES.is_dir()


def has_generators() -> bool:
    return (PYTHON_CLIENT / "bin" / "openapi-python-client").exists() and (TOOLS / "orval").exists()


def node(folder: Path, program: Path | str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of Node.js in a folder; waits for its end."""
    return subprocess.run(
        ["node", program, *arguments],
        check=False,
        cwd=folder,
        env={**os.environ, **_QUIET},
        capture_output=True,
        text=True,
        timeout=UNREACHED,
    )
