"""The options of a test run."""

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

{}
"""
SKIPPED = """
@pytest.mark.skip(reason="not today")
def test_skipped():
    pass
"""
OWN_DATABASE = """
def test_has_a_database_of_its_own(make_database):
    pass
"""
PROGRAM = """
import subprocess
"""


def run(folder: Path, more: str, *options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_made.py").write_text(TESTS.format(more))
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-p",
            "tests.conftest",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:schemathesis",
            *options,
            ".",
        ],
        check=False,
        cwd=folder,
        env=environment(PYTEST_ADDOPTS="", **settings),
        capture_output=True,
        text=True,
    )


@pytest.mark.parametrize("processes", ["0", "auto"])
def test_a_skipped_test_is_a_failure_when_asked_for(tmp_path: Path, processes: str) -> None:
    assert run(tmp_path, SKIPPED).returncode == 0
    failed = run(tmp_path, SKIPPED, "-n", processes, "--fail-on-skip")
    assert failed.returncode == 1
    assert (" workers [2 items]" in failed.stdout) == (processes == "auto")
    assert "1 skipped: with --fail-on-skip that is a failure" in failed.stdout


def test_long_tests_run_when_asked_for(tmp_path: Path) -> None:
    assert "1 passed, 1 deselected" in run(tmp_path, "").stdout
    assert "2 passed" in run(tmp_path, "", "--long").stdout


def test_fast_tests_have_no_database_of_their_own_and_start_no_program(tmp_path: Path) -> None:
    assert "1 passed, 2 deselected" in run(tmp_path, OWN_DATABASE, "--fast").stdout
    assert "2 deselected" in run(tmp_path, PROGRAM, "--fast").stdout


def test_a_server_that_is_given_is_used_by_one_process(tmp_path: Path) -> None:
    done = run(tmp_path, "", "-n", "auto", LEADS_TEST_DATABASE_URL="postgresql://nowhere")
    assert "1 passed, 1 deselected" in done.stdout
    assert "workers" not in done.stdout
