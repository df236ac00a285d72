"""Projectors that are killed at a point of their work; see tests.exactness.crash_worker."""

import signal
import subprocess
import sys

from tests.support.commands import ROOT
from tests.support.patience import PATIENCE
from tests.support.server import Database


def kill_at(database: Database, work: str, point: str, count: int) -> None:
    """Run a projector that is killed when it comes to a point for the COUNTth time.

    Where there is less work than for so many times, it ends before.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.exactness.crash_worker", database.url, work, point, str(count)],
        cwd=ROOT,
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode in {-signal.SIGKILL, 0}
    assert done.returncode or count > 1
