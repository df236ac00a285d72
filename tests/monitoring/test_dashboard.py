"""The dashboard: its form, what it reads, and an answer of a real Prometheus to each of its queries."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from projector.trial.postgres.ports import free_port
from tests.monitoring.exposed import page_of_api, page_of_projector, series
from tests.monitoring.expressions import metrics_in
from tests.monitoring.prometheus import Prometheus, running_prometheus
from tests.support.commands import ROOT, environment, projector
from tests.support.running import (
    running_scheduler,
    wait_for,
    wait_until,
    write_conversations,
    write_message,
    write_source,
)
from tests.support.server import Database
from tests.unit.api.test_main import end, get, wait_until_it_answers
from tests.unit.projector.scheduler.running import build

DEPLOY = ROOT / "projector" / "operate" / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = sorted(
    (f"{panel['id']} {panel['title']} {target['refId']}", str(target["expr"]))
    for panel in PANELS
    for target in panel["targets"]
)

# What Grafana needs of a dashboard that is imported from a file.
_TEXT = {"type": "string", "minLength": 1}
_SOURCE = {
    "type": "object",
    "required": ["type", "uid"],
    "properties": {"type": {"const": "prometheus"}, "uid": {"const": "${datasource}"}},
}
_PLACE = {
    "type": "object",
    "required": ["x", "y", "w", "h"],
    "properties": {
        "x": {"type": "integer", "minimum": 0, "maximum": 23},
        "y": {"type": "integer", "minimum": 0},
        "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "h": {"type": "integer", "minimum": 1},
    },
    "additionalProperties": False,
}
_TARGET = {
    "type": "object",
    "required": ["refId", "expr", "datasource", "legendFormat"],
    "properties": {"refId": {"pattern": "^[A-Z]$"}, "expr": _TEXT, "datasource": _SOURCE},
}
_PANEL = {
    "type": "object",
    "required": [
        "id",
        "type",
        "title",
        "description",
        "datasource",
        "gridPos",
        "fieldConfig",
        "targets",
        "options",
    ],
    "properties": {
        "id": {"type": "integer", "minimum": 1},
        "type": {"enum": ["stat", "timeseries", "table"]},
        "title": _TEXT,
        "description": _TEXT,
        "datasource": _SOURCE,
        "gridPos": _PLACE,
        "fieldConfig": {
            "type": "object",
            "required": ["defaults", "overrides"],
            "properties": {
                "defaults": {
                    "type": "object",
                    "required": ["unit"],
                    # Units as Grafana names them.
                    "properties": {"unit": {"enum": ["s", "short", "ops", "reqps", "percentunit", "bytes"]}},
                }
            },
        },
        "targets": {"type": "array", "minItems": 1, "items": _TARGET},
    },
}
_ROW = {
    "type": "object",
    "required": ["id", "type", "title", "gridPos", "collapsed", "panels"],
    "properties": {"type": {"const": "row"}, "title": _TEXT, "gridPos": _PLACE, "panels": {"maxItems": 0}},
}
SCHEMA = {
    "type": "object",
    "required": ["uid", "title", "schemaVersion", "panels", "templating", "time", "refresh", "timezone"],
    "properties": {
        "uid": {"pattern": "^[a-z-]{1,40}$"},
        "title": _TEXT,
        "schemaVersion": {"type": "integer", "minimum": 30},
        # An id would replace the dashboard that has it.
        "id": False,
        "panels": {
            "type": "array",
            "items": {"if": {"properties": {"type": {"const": "row"}}}, "then": _ROW, "else": _PANEL},
        },
        "templating": {
            "type": "object",
            "properties": {
                "list": {
                    "const": [
                        {
                            "name": "datasource",
                            "label": "Prometheus",
                            "type": "datasource",
                            "query": "prometheus",
                        }
                    ]
                }
            },
        },
    },
}


def test_its_form_is_what_grafana_imports() -> None:
    jsonschema.validate(DASHBOARD, SCHEMA)


def test_each_panel_has_a_place_of_its_own() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for one, other in combinations((panel["gridPos"] for panel in DASHBOARD["panels"]), 2):
        assert (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        ), (one, other)
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in DASHBOARD["panels"])


def test_the_queries_of_a_panel_have_names_of_their_own() -> None:
    for panel in PANELS:
        names = [target["refId"] for target in panel["targets"]]
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert len(set(names)) == len(names)
        assert panel["type"] == "table" or len(set(legends)) == len(legends)


def test_each_query_reads_what_the_programs_print(database: Database) -> None:
    there = series(page_of_api()) | series(page_of_projector(database))
    missing = {name: metrics_in(expression) - there for name, expression in QUERIES}
    assert {name: gone for name, gone in missing.items() if gone} == {}


def test_each_metric_is_seen_somewhere(database: Database) -> None:
    """In the dashboard: what nobody looks at is not worth a metric."""
    seen = {metric for _, expression in QUERIES for metric in metrics_in(expression)}
    there = {
        name
        for name in series(page_of_api()) | series(page_of_projector(database))
        if name.startswith("leads_") and not name.endswith("_created")
    }
    # Averages are of little use where there are quantiles.
    unseen = {name for name in there - seen if not name.endswith("_seconds_sum")}
    assert unseen == set()


@contextmanager
def running_api(url: str, folder: Path, **settings: str) -> Iterator[int]:
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "api"],
        cwd=folder,
        env=environment(DATABASE_URL=url, PORT=str(port), LEADS_LOG_LEVEL="ERROR", **settings),
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_it_answers(port, process)
        yield port
        end(process)
    finally:
        process.kill()
        process.wait()


@pytest.mark.prometheus
def test_each_query_has_an_answer_over_a_running_system(database: Database, tmp_path: Path) -> None:
    ports = {"projector": free_port(), "api": free_port()}
    with (
        database.connect() as conn,
        running_scheduler(database.url, tmp_path, LEADS_METRICS_PORT=str(ports["projector"])),
        running_api(
            database.url,
            tmp_path,
            LEADS_API_METRICS_PORT=str(ports["api"]),
            LEADS_API_WORKERS="2",
            LEADS_RATE_LIMIT="off",
        ) as port,
        running_prometheus(tmp_path, ports, DEPLOY / "alerts.yml") as prometheus,
    ):
        wait_until(conn, "built_at IS NOT NULL FROM read_model.projection")
        write_source(conn)
        write_message(conn, "m0")
        wait_until(conn, "count(*) = 1 FROM read_model.leads")
        assert projector(tmp_path, "verify", "--all", DATABASE_URL=database.url).returncode == 0
        left = dict(QUERIES)
        written = iter(range(2, 1_000_000))

        def work_and_ask() -> bool:
            """Something to see, and a look at what is not seen yet."""
            write_conversations(conn, 1, first=next(written))
            for path in ("", "/stats", "/49151000001", "/49151000001/messages", "/1"):
                get(port, f"/users/u/leads{path}")
            for name, expression in list(left.items()):
                if has_data(prometheus, expression):
                    del left[name]
            return not left

        try:
            wait_for(work_and_ask, "an answer to each query", patience=120)
        except TimeoutError:
            pytest.fail(f"No data for {left}")
        rules = [rule for group in groups(prometheus) for rule in group["rules"]]
        wait_for(
            lambda: all(rule["health"] == "ok" for rule in rules_of(prometheus)), "each rule is evaluated"
        )
        # A system that is well is silent.
        assert {rule["name"] for rule in rules if rule["state"] == "firing"} == set()
        assert len(rules) > 10
        targets = prometheus.get("/api/v1/targets")["data"]["activeTargets"]
        assert {target["health"] for target in targets} == {"up"}


def has_data(prometheus: Prometheus, expression: str) -> bool:
    """Whether a query of the dashboard returns a number that can be drawn."""
    samples = prometheus.query(expression.replace("$__rate_interval", "1m"))
    return any(sample["value"][1] not in ("NaN", "+Inf", "-Inf") for sample in samples)


def groups(prometheus: Prometheus) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = prometheus.get("/api/v1/rules")["data"]["groups"]
    return found


def rules_of(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in groups(prometheus) for rule in group["rules"]]


@pytest.mark.prometheus
def test_a_query_without_data_is_seen(database: Database, tmp_path: Path) -> None:
    with database.connect() as conn:
        build(conn)
    with running_prometheus(tmp_path, {}, DEPLOY / "alerts.yml") as prometheus:
        assert not has_data(prometheus, "max(leads_api_data_age_seconds)")
        assert not has_data(prometheus, "vector(0) / vector(0)")
        assert has_data(prometheus, "vector(1)")
