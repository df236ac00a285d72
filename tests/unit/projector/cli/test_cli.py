"""The command line as a whole."""

import tomllib
from pathlib import Path

from projector.database.sql import PROJECTION_VERSION
from tests.support.commands import ROOT, projector


def test_help_needs_neither_settings_nor_a_database(tmp_path: Path) -> None:
    done = projector(tmp_path, "refresh", "--help", LEADS_REFRESH_BATCH="many")
    assert done.returncode == 0
    assert "Exit codes:" in done.stdout


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    assert projector(tmp_path, "refresh", "--nonsense").returncode == 2
    assert projector(tmp_path, "nonsense").returncode == 2


def test_it_prints_its_version_without_settings_or_a_database(tmp_path: Path) -> None:
    done = projector(tmp_path, "--version", LEADS_REFRESH_BATCH="many")
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert done.stdout == f"leads-projector {version}, projection version {PROJECTION_VERSION}\n"
    assert (done.returncode, done.stderr) == (0, "")
