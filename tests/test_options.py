"""The options of a test run."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import environment

TESTS = """
import pytest

def test_passes():
    pass

@pytest.mark.long
def test_takes_minutes():
    pass

@pytest.mark.thorough
def test_proves_others():
    pass
"""
SKIPPED = """
@pytest.mark.skip(reason="not today")
def test_skipped():
    pass
"""


def run(folder: Path, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    plugins = ("-p", "tests.conftest", "-p", "no:cacheprovider", "-p", "no:schemathesis")
    return subprocess.run(
        [sys.executable, "-m", "pytest", *plugins, *options, "."],
        check=False,
        cwd=folder,
        env=environment(PYTEST_ADDOPTS="", **settings),
        capture_output=True,
        text=True,
    )


@pytest.mark.thorough
def test_long_tests_run_when_asked_for_and_a_skipped_one_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "test_made.py").write_text(TESTS + SKIPPED)
    for options, passed in (("-n0 --long --all", 3), ("-n auto --maxprocesses=1", 1)):
        failed = run(tmp_path, *options.split())
        assert failed.returncode == 1
        assert ("1 worker [2 items]" in failed.stdout) == ("auto" in options)
        assert re.search(rf"{passed} passed.* 1 error", failed.stdout)
        assert "not today" in failed.stdout
