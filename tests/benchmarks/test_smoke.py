"""The benchmark itself, at a size that says nothing about speed: each goal has its figures."""

import json
import os
import tempfile
from pathlib import Path

from tests.benchmarks.__main__ import CASES, run
from tests.benchmarks.goals import GOALS
from tests.support.citus import CITUS

# Of these there may be none, and a difference of two times can fall below zero if nothing is to be timed.
MAY_BE_ZERO = {"rebuild_failures", "rebuild_waits", "rebuild_wal", "feed_pages", "beyond"}


def test_each_case_gives_figures_that_can_be_believed_and_leaves_no_server() -> None:
    # Not in pytest's own folder, which the user who runs PostgreSQL cannot pass through.
    with tempfile.TemporaryDirectory(prefix="leads-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        text, failures = run("smoke", list(CASES), folder, lambda _text: None)
        assert failures == {}
        assert sorted(path.name for path in folder.iterdir()) == [
            "benchmark-smoke.json",
            "benchmark-smoke.md",
        ]
        rows = json.loads((folder / "benchmark-smoke.json").read_text())["rows"]
    goals = {goal for goal in GOALS.values() if CITUS in os.environ or not goal.key.startswith("citus")}
    assert {row["goal_key"] for row in rows} - {""} == {goal.key for goal in goals}
    assert [goal.text for goal in goals if f"| {goal.text} |" not in text] == []
    assert text.count("not measured") == len(GOALS) - len(goals)
    for row in rows:
        if row["goal_key"] not in MAY_BE_ZERO and row["unit"] != "MB":
            assert all(value > 0 for value in row["ours"]["values"]), row
            assert all(value > 0 for value in row["baseline"]["values"]), row
