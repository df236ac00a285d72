"""The table and the JSON file that a run of the benchmark leaves."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import orjson

from tests.benchmarks import load
from tests.benchmarks.core import Row, Sample
from tests.benchmarks.fixtures import Bench
from tests.benchmarks.goals import GOALS, Goal
from tests.support.running import value

_HOW = (
    "Each figure is the median, with the least and the greatest in brackets. A ratio is taken round by round, "
    "ours over the baseline, so that it can differ a little from the ratio of the two medians."
)
_PACKAGES = ("flask", "granian", "psycopg", "sqlalchemy", "orjson", "flask-limiter")


Context = dict[str, Any]
"""Where the figures were taken."""


def context(bench: Bench, load_before: float) -> Context:
    server = str(value(bench.databases.conn, "SHOW server_version"))
    versions = {"PostgreSQL": server, "Python": platform.python_version()}
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{_processor()}, {platform.system()} {platform.release()}",
        "cores": os.cpu_count(),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load_before": load_before,
        "versions": versions | {name: version(name) for name in _PACKAGES},
        "size": asdict(bench.size),
        "load_generator": load.generator(),
    }


def write(folder: Path, context: Context, rows: Sequence[Row], failures: Mapping[str, str]) -> str:
    """Write both files, and return the table. The rows of a case come one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    text = table(context, rows, failures)
    file = folder / f"benchmark-{context['size']['name']}"
    file.with_suffix(".md").write_text(text, "utf-8")
    results = {
        "context": context,
        "goals": {
            key: asdict(goal) | {"bound": goal.bound, "met": _is_met(_rows_of(goal, rows))}
            for key, goal in GOALS.items()
        },
        "rows": [row.as_dict() for row in rows],
        "failures": failures,
    }
    file.with_suffix(".json").write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))
    return text


def table(context: Context, rows: Sequence[Row], failures: Mapping[str, str]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in context["versions"].items())
    where = (
        "{taken_at}; {machine}; {cores} cores, {memory_gb} GB, load {load_before:.1f} before; "
        f"{versions}; requests by {{load_generator}}."
    )
    data = (
        "{big:,} leads in the largest tenant, {messages_per_lead:g} messages a lead on average; "
        "{rounds} rounds that take turns, {pairs} for the writers."
    )
    size = context["size"]
    lines = [
        f"# Benchmark, size {size['name']}",
        "",
        where.format_map(context),
        data.format_map(size),
        "",
        _HOW,
    ]
    lines += ["", "## Goals", "", "| goal | worst figure | met |", "|---|---|---|"]
    lines += [_goal_line(goal, _rows_of(goal, rows)) for goal in GOALS.values()]
    for case, own in groupby(rows, lambda row: row.case):
        lines += ["", f"## {case}", "", "| what | ours | baseline | ratio | goal | met |"]
        lines += ["|---|--:|---|--:|---|---|", *map(_line, own)]
    if failures:
        lines += ["", "## Not measured", "", *(f"- {case}: {reason}" for case, reason in failures.items())]
    return "\n".join(lines) + "\n"


def _rows_of(goal: Goal, rows: Sequence[Row]) -> list[Row]:
    return [row for row in rows if row.goal_key == goal.key]


def _line(row: Row) -> str:
    note = f" ({row.note})" if row.note else ""
    goal = "" if row.goal is None else f"{row.goal.side} {row.goal.bound:,g} {row.goal.unit}".rstrip()
    baseline = f"{row.baseline_name}: {_number(row.baseline.median)} {row.unit}"
    ours, ratio = f"{_spread(row.ours)} {row.unit}", _spread(row.ratio)
    return f"| {row.what}{note} | {ours} | {baseline} | {ratio} | {goal} | {_met(row.is_met)} |"


def _goal_line(goal: Goal, rows: Sequence[Row]) -> str:
    if not rows:
        return f"| {goal.text} | not measured | |"
    worst = (max if goal.side == "≤" else min)(rows, key=lambda row: row.value_for(goal))
    figure = f"{_number(worst.value_for(goal))} {goal.unit or 'times'}: {worst.what}"
    return f"| {goal.text} | {figure} | {_met(_is_met(rows))} |"


def _is_met(rows: Sequence[Row]) -> bool | None:
    return all(row.is_met for row in rows) if rows else None


def _met(met: bool | None) -> str:  # noqa: FBT001  # The value is what is printed.
    return "" if met is None else "yes" if met else "**no**"


def _spread(sample: Sample) -> str:
    least, greatest = min(sample.values), max(sample.values)
    if least == greatest:
        return _number(least)
    return f"{_number(sample.median)} ({_number(least)}–{_number(greatest)})"  # noqa: RUF001  # A range is so written.


def _number(value: float) -> str:
    """Three digits that matter."""
    if value == 0 or abs(value) >= 1000:  # From there on all digits are whole.
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _processor() -> str:
    about = Path("/proc/cpuinfo")
    match = re.search(r"^model name\s*: (.+)$", about.read_text() if about.exists() else "", re.MULTILINE)
    return match[1] if match else platform.machine()
