"""The project's programs, started as an operator starts them."""

import os
import subprocess
import sys
from pathlib import Path

from tests.support.patience import PATIENCE

ROOT = Path(__file__).parents[2]


def environment(**settings: str) -> dict[str, str]:
    """Ours, and the settings; the packages are found in this checkout from any folder."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100", **settings}


def projector(
    folder: Path, *arguments: str, text: str = "", **settings: str
) -> subprocess.CompletedProcess[str]:
    """`python -m projector` with these arguments, in a folder without a file `.env`; waits for its end."""
    return subprocess.run(
        [sys.executable, "-m", "projector", *arguments],
        check=False,
        cwd=folder,
        env=environment(**settings),
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
