"""What the programs print is as Prometheus wants it, and as the page says."""

import re
from contextlib import nullcontext
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest
from prometheus_client import generate_latest

from api.observe import meters
from api.plan.projection import FreshnessRow, LateRow, ProjectionRow
from api.routes.metrics import AllMetrics
from projector.observe.metrics import REGISTRY, StateCollector
from tests.monitoring.test_alerts import ALERTS, promtool
from tests.monitoring.test_dashboard import QUERIES
from tests.support.commands import ROOT
from tests.support.server import Database
from tests.unit.projector.scheduler.running import build

_ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([^|]*) \|", re.MULTILINE)
_TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)


def page_of_api() -> str:
    """The page of an API that knows everything."""
    now = datetime.now(UTC)
    rows = iter(
        (
            FreshnessRow(now, 1.0),
            LateRow(1, 2.0),
            ProjectionRow(
                1, now, None, None, now, 0.5, 1, 2, b'{"history 1":{"name":"history"}}', 0.5, None, 10.0
            ),
        )
    )
    database = Mock(fetch=lambda _statement: next(rows))
    return generate_latest(AllMetrics(lambda: nullcontext(database), "")).decode()


def page_of_projector(database: Database) -> str:
    state = StateCollector(database.url)
    REGISTRY.register(state)
    try:
        return generate_latest(REGISTRY).decode()
    finally:
        REGISTRY.unregister(state)


def families(page: str) -> dict[str, str]:
    """The metrics of a page with their types, but those of Python and of the process."""
    return {
        name: kind
        for name, kind in _TYPE.findall(page)
        if not name.startswith(("python_", "process_")) and not name.endswith("_created")
    }


def series(page: str) -> set[str]:
    """The names by which an expression can read the metrics of a page."""
    names = set()
    for name, kind in _TYPE.findall(page):
        names |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return names


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:leads|process)_\w+", expression))


def told(program: str) -> dict[str, str]:
    """The metrics that the page has of a program, with their types."""
    page = (ROOT / "docs" / "internals" / "metrics.md").read_text("utf-8")
    return {name: kind for name, kind, of in _ROW.findall(page) if of in (program, "both")}


def test_each_metric_is_told_and_seen_and_nothing_else_is_read(database: Database) -> None:
    api, projector = page_of_api(), page_of_projector(database)
    assert told("API") == families(api)
    assert told("projector") == families(projector)
    there = series(api) | series(projector)
    read = [("rule", name, rule["expr"]) for name, rule in ALERTS.items()]
    read += [("query", name, expression) for name, expression in QUERIES]
    assert [part for part in read if metrics_in(part[2]) - there] == []
    # In the dashboard: what nobody looks at is not worth a metric. Averages are of little use beside quantiles.
    seen = {metric for _, expression in QUERIES for metric in metrics_in(expression)}
    ours = {
        name
        for name in there
        if name.startswith("leads_") and not name.endswith(("_created", "_seconds_sum"))
    }
    assert ours - seen == set()


@pytest.mark.prometheus
def test_promtool_finds_nothing_in_the_pages(database: Database) -> None:
    meters.count_response("/users/<user_id>/leads", 200, 0.01)
    with database.connect() as conn:
        build(conn)
    for page in (page_of_api(), page_of_projector(database)):
        done = promtool("check", "metrics", text=page)
        assert (done.returncode, done.stderr) == (0, "")
