"""The benchmark itself, at a size that says nothing about speed: each goal has its figures."""

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import AREAS, run
from tests.benchmarks.goals import GOALS


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    # Not in pytest's own folder, which the user who runs PostgreSQL cannot pass through.
    with tempfile.TemporaryDirectory(prefix="leads-benchmark-") as name:
        made = Path(name)
        made.chmod(0o755)
        _, failures = run("smoke", list(AREAS), made, keep=False, say=lambda _text: None)
        assert failures == []
        yield made


def test_each_goal_has_a_figure_that_can_be_believed(folder: Path) -> None:
    found = json.loads((folder / "benchmark-smoke.json").read_text())
    figures = {row["goal"]["key"]: row for row in found["rows"] if row["goal"]}
    assert set(figures) == set(GOALS)
    counts = {"rebuild_failures", "rebuild_waits", "queue", "heal_wal", "feed_pages"}
    for row in found["rows"]:
        key = row["goal"]["key"] if row["goal"] else ""
        # Of these there may be none, and a difference of two times can fall below zero where nothing is to be timed.
        if key in counts or row["unit"] == "rows" or "beyond the empty endpoint" in row["what"]:
            continue
        assert all(value > 0 for value in row["ours"]["values"]), row
        assert all(value > 0 for value in row["baseline_values"]["values"]), row


def test_the_table_names_each_goal(folder: Path) -> None:
    text = (folder / "benchmark-smoke.md").read_text()
    assert [goal.text for goal in GOALS.values() if f"| {goal.text} |" not in text] == []
    assert "not measured" not in text


def test_nothing_is_left_of_the_server(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == ["benchmark-smoke.json", "benchmark-smoke.md"]
