"""The table and the JSON file that a run of the benchmark leaves."""

import os
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import psycopg

from tests.benchmarks import load
from tests.benchmarks.core import Row, Sample
from tests.benchmarks.fixtures import Bench, value
from tests.benchmarks.goals import GOALS, Goal

_HOW = (
    "Each figure is the median, with the least and the greatest in brackets. A ratio is taken round by round, "
    "ours over the baseline, so that it can differ a little from the ratio of the two medians."
)
_PACKAGES = ("flask", "granian", "psycopg", "sqlalchemy", "orjson", "flask-limiter")


Context = dict[str, Any]
"""Where the figures were taken."""


def context(bench: Bench, load_before: float) -> Context:
    with psycopg.connect(bench.server.url("postgres")) as conn:
        server = str(value(conn, "SHOW server_version"))
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


def write(folder: Path, context: Context, cases: Mapping[str, list[Row]], failures: Mapping[str, str]) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    text = table(context, cases, failures)
    name = f"benchmark-{context['size']['name']}"
    (folder / f"{name}.md").write_text(text, "utf-8")
    rows = _all(cases)
    found = {
        "context": context,
        "goals": {key: asdict(goal) | {"met": _is_met(key, rows)} for key, goal in GOALS.items()},
        "rows": [row.as_dict(case) for case, own in cases.items() for row in own],
        "failures": failures,
    }
    (folder / f"{name}.json").write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    return text


def table(context: Context, cases: Mapping[str, list[Row]], failures: Mapping[str, str]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in context["versions"].items())
    size = context["size"]
    where = (
        "{taken_at}; {machine}; {cores} cores, {memory_gb} GB, load {load_before:.1f} before; "
        f"{versions}; requests by {{load_generator}}."
    ).format_map(context)
    data = (
        "{big:,} leads in the largest tenant, {messages_per_lead:g} messages a lead on average; "
        "{rounds} rounds that take turns, {pairs} for the writers."
    ).format_map(size)
    lines = [
        f"# Benchmark, size {size['name']}",
        "",
        where,
        data,
        "",
        _HOW,
        "",
        "## Goals",
        "",
        "| goal | worst figure | met |",
        "|---|---|---|",
        *(_goal_line(goal, _all(cases)) for goal in GOALS.values()),
    ]
    for case, rows in cases.items():
        lines += [
            "",
            f"## {case}",
            "",
            "| what | ours | baseline | ratio | goal | met |",
            "|---|--:|---|--:|---|---|",
        ]
        lines += map(_line, rows)
    if failures:
        lines += ["", "## Not measured", "", *(f"- {case}: {reason}" for case, reason in failures.items())]
    return "\n".join(lines) + "\n"


def _all(cases: Mapping[str, list[Row]]) -> list[Row]:
    return [row for rows in cases.values() for row in rows]


def _line(row: Row) -> str:
    note = f" ({row.note})" if row.note else ""
    unit = f" {row.unit}" if row.absolute else ""
    goal = "" if row.goal is None else f"{row.goal.side} {row.goal.bound:,g}{unit}"
    baseline = f"{row.baseline_name}: {_number(row.baseline.median)} {row.unit}"
    return (
        f"| {row.what}{note} | {_spread(row.ours)} {row.unit} | {baseline} | {_spread(row.ratio)} | {goal} "
        f"| {_met(row.is_met)} |"
    )


def _goal_line(goal: Goal, rows: Sequence[Row]) -> str:
    own = [row for row in rows if row.goal_key == goal.key]
    if not own:
        return f"| {goal.text} | not measured | |"
    worst = (max if goal.side == "≤" else min)(own, key=lambda row: row.value)
    unit = f" {worst.unit}" if worst.absolute else " times"
    return f"| {goal.text} | {_number(worst.value)}{unit}: {worst.what} | {_met(_is_met(goal.key, rows))} |"


def _is_met(key: str, rows: Sequence[Row]) -> bool | None:
    own = [row.is_met for row in rows if row.goal_key == key]
    return all(own) if own else None


def _met(met: bool | None) -> str:  # noqa: FBT001  # The value is what is printed.
    return "" if met is None else "yes" if met else "**no**"


def _spread(sample: Sample) -> str:
    least, greatest = sample.spread
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
    found = re.search(r"^model name\s*: (.+)$", about.read_text() if about.exists() else "", re.MULTILINE)
    return found[1] if found else platform.machine()
