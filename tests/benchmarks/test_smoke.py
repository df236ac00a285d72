"""The benchmark itself, at a size that says nothing about speed: each goal has its figures."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.benchmarks.__main__ import CASES, run
from tests.benchmarks.goals import GOALS
from tests.support.citus import CITUS

# Of these there may be none, and a difference of two times can fall below zero if nothing is to be timed.
MAY_BE_ZERO = {"rebuild_failures", "rebuild_waits", "feed_pages", "beyond", "live_quiet"} | {"flood_refused"}


# Each reads, writes or starts what others do too: they take a third of the time of all.
QUICK = ("totals", "facets", "attributes", "history", "export", "refresh", "verify")


@pytest.mark.thorough
@pytest.mark.parametrize(
    "names", [QUICK, pytest.param(tuple(CASES), marks=pytest.mark.long)], ids=("quick", "all")
)
def test_each_case_gives_figures_that_can_be_believed_and_leaves_no_server(names: Sequence[str]) -> None:
    # Not in pytest's own folder, which the user who runs PostgreSQL cannot pass through.
    with tempfile.TemporaryDirectory(prefix="leads-benchmark-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        text, failures = run("smoke", names, folder, lambda _text: None)
        assert failures == {}
        assert sorted(path.name for path in folder.iterdir()) == [
            "benchmark-smoke.json",
            "benchmark-smoke.md",
        ]
        rows = json.loads((folder / "benchmark-smoke.json").read_text())["rows"]
    measured = {row["goal_key"] for row in rows} - {""}
    goals = {goal for goal in GOALS.values() if goal.key in measured}
    assert [goal.text for goal in goals if f"| {goal.text} |" not in text] == []
    assert text.count("not measured") == len(GOALS) - len(goals)
    if len(names) == len(CASES):
        assert measured == {key for key in GOALS if CITUS in os.environ or not key.startswith("citus")}
    for row in rows:
        if row["goal_key"] not in MAY_BE_ZERO and row["unit"] != "MB":
            assert all(value > 0 for value in row["ours"]["values"]), row
            assert all(value > 0 for value in row["baseline"]["values"]), row
