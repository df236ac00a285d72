"""The command line as a whole."""

from pathlib import Path

from tests.support.commands import projector


def test_help_needs_neither_settings_nor_a_database(tmp_path: Path) -> None:
    done = projector(tmp_path, "refresh", "--help", LEADS_REFRESH_BATCH="many")
    assert done.returncode == 0
    assert "Exit codes:" in done.stdout


def test_wrong_usage_ends_with_2(tmp_path: Path) -> None:
    assert projector(tmp_path, "refresh", "--nonsense").returncode == 2
    assert projector(tmp_path, "nonsense").returncode == 2
