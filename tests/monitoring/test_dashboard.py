"""The dashboard: its form, what it reads, and an answer of a real Prometheus to each of its queries."""

import json
import re
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.commands import ROOT, projector
from tests.support.ports import free_port
from tests.support.running import (
    running_scheduler,
    wait_for,
    wait_until,
    write_conversations,
    write_message,
    write_source,
)
from tests.support.server import Database
from tests.unit.api.serving import served


class Prometheus:
    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401  # Whatever JSON it is.
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self._base}{path}?{query}", timeout=30) as answer:
            return json.load(answer)

    def query(self, expression: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self.get("/api/v1/query", query=expression)["data"]["result"]
        return result

    def answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self._base}/-/ready", timeout=30) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


@contextmanager
def running_prometheus(folder: Path, targets: Mapping[str, int], rules: Path) -> Iterator[Prometheus]:
    """A server that scrapes these ports of this machine twice a second."""
    configuration = {
        "global": {"scrape_interval": "500ms", "evaluation_interval": "500ms"},
        "rule_files": [str(rules)],
        "scrape_configs": [
            {"job_name": name, "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
            for name, port in targets.items()
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={file}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
        )
    server = Prometheus(port)
    try:
        wait_for(server.answers, "Prometheus answers")
        yield server
    finally:
        process.terminate()
        process.wait()


DEPLOY = ROOT / "projector" / "operate" / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = sorted(
    (f"{panel['id']} {panel['title']} {target['refId']}", str(target["expr"]))
    for panel in PANELS
    for target in panel["targets"]
)


def test_its_form_is_what_grafana_imports() -> None:
    # An id would replace the dashboard that has it.
    assert "id" not in DASHBOARD
    assert re.fullmatch("[a-z-]{1,40}", DASHBOARD["uid"])
    assert DASHBOARD["schemaVersion"] >= 30
    assert {"title", "time", "refresh", "timezone"} <= set(DASHBOARD)
    [variable] = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == (
        "datasource",
        "datasource",
        "prometheus",
    )
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in PANELS:
        assert panel["type"] in {"stat", "timeseries", "table"}, panel
        assert panel["title"], panel
        assert panel["description"], panel
        # Units as Grafana names them.
        units = {"s", "short", "ops", "reqps", "percentunit", "bytes"}
        assert panel["fieldConfig"]["defaults"]["unit"] in units, panel
        assert {"options", "overrides"} <= {*panel, *panel["fieldConfig"]}, panel
        assert [panel["datasource"], *(target["datasource"] for target in panel["targets"])] == [
            source for _ in [panel, *panel["targets"]]
        ], panel
        names = [target["refId"] for target in panel["targets"]]
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert all(re.fullmatch("[A-Z]", name) for name in names), panel
        assert len(set(names)) == len(names)
        assert panel["type"] == "table" or len(set(legends)) == len(legends)


@pytest.mark.prometheus
def test_each_query_has_an_answer_over_a_running_system(database: Database, tmp_path: Path) -> None:
    ports = {"projector": free_port(), "api": free_port()}
    settings = {"LEADS_API_METRICS_PORT": str(ports["api"]), "LEADS_API_WORKERS": "2"}
    with (
        database.connect() as conn,
        running_scheduler(database.url, tmp_path, LEADS_METRICS_PORT=str(ports["projector"])),
        served(database, tmp_path, **settings) as api,
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
                api.get(f"/users/u/leads{path}")
            for name, expression in list(left.items()):
                if has_data(prometheus, expression):
                    del left[name]
            return not left

        wait_for(work_and_ask, "an answer to each query", patience=120, sees=lambda: left)
        rules = rules_of(prometheus)
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


def rules_of(prometheus: Prometheus) -> list[dict[str, Any]]:
    return [rule for group in prometheus.get("/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
