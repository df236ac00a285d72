"""What the programs print for Prometheus."""

import re
from contextlib import nullcontext
from datetime import UTC, datetime
from unittest.mock import Mock

from prometheus_client import generate_latest

from api.plan.projection import FreshnessRow, LateRow, ProjectionRow
from api.routes.metrics import AllMetrics
from projector.observe.metrics import REGISTRY, StateCollector
from tests.support.server import Database

_TYPE = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)


def page_of_api() -> str:
    """The page of an API that knows everything."""
    now = datetime.now(UTC)
    rows = iter((FreshnessRow(now, 1.0), LateRow(1, 2.0), ProjectionRow(1, now, None, None, now, 0.5, 1, 2)))
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
    found = set()
    for name, kind in _TYPE.findall(page):
        found |= {f"{name}_{part}" for part in ("bucket", "count", "sum")} if kind == "histogram" else {name}
    return found


def metrics_in(expression: str) -> set[str]:
    return set(re.findall(r"\b(?:leads|process)_\w+", expression))
