"""The metrics of a scheduler: what it counts, the state of the read model, and how both are served."""

import socket
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest
import structlog

from projector import config
from projector.database.rows import Connection
from projector.observe.metrics import DATABASE_UP, REGISTRY, StateCollector, metrics_of, serving
from projector.observe.status.facts import FACTS
from projector.observe.status.read import Document, read_status
from projector.report.errors import ConfigurationError, ProjectorError
from tests.monitoring.test_exposed import told
from tests.support.patience import PATIENCE
from tests.support.running import value, write_message, write_source
from tests.support.server import Database
from tests.support.status import changed
from tests.unit.projector.scheduler.running import build, scheduler_of


def read(collector: StateCollector) -> dict[str, float]:
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for metric in collector.collect()
        for sample in metric.samples
    }


def test_what_waits_what_is_under_way_and_what_went_wrong(database: Database, connection: Connection) -> None:
    build(connection)
    write_source(connection)
    write_message(connection, "m1")
    connection.execute(b"""
        UPDATE projector.changes SET queued_at = clock_timestamp() - interval '1 hour';
        INSERT INTO projector.dead_letters (kind, key, error, attempts, first_failed_at, retry_at)
            SELECT 'contact', n::text, 'out of range', 1, now(), now() FROM generate_series(1, 7) AS n;
        INSERT INTO projector.sweep_positions (purpose, version, phase) VALUES ('rebuild', 'x', 'keys');
        INSERT INTO projector.runs (kind, started_at, leads, leads_total) VALUES ('rebuild', now(), 25, 100);
        INSERT INTO projector.runs (kind, started_at, finished_at, outcome)
            VALUES ('verify', now() - interval '5 s', now(), 'failed');
        INSERT INTO projector.verify_rounds
            (version, days, started_at, finished_at, due_at, rows_done, leads_total) VALUES
            ('x', 1, '2026-11-24 01:00+00', '2026-11-24 02:00+00', now(), 8, 8),
            ('x', 1, now(), NULL, now(), 2, 8);
        UPDATE read_model.projection SET found_differences = 5;
        INSERT INTO projector.settings (name, value) VALUES ('capture_off', 'an import');
    """)
    waiting = value(connection, "SELECT count(*) FROM projector.changes")
    assert waiting > 0
    expected = {
        "leads_projector_queue_changes": waiting,
        "leads_projector_dead_letters": 7,
        "leads_projector_rebuild_state interrupted": 1,
        "leads_projector_rebuild_done_ratio": 0.25,
        "leads_projector_last_run_failed verify": 1,
        "leads_projector_last_run_duration_seconds verify": 5,
        "leads_verify_proved_timestamp_seconds": 1795485600,
        "leads_verify_round_done_ratio": 0.25,
        "leads_verify_left_out": 0,
        "leads_verify_found_differences_total": 5,
        "leads_projector_capture_state intact": 0,
        "leads_projector_capture_state filling": 0,
        "leads_projector_capture_state gap": 0,
        "leads_projector_capture_state off": 1,
        "leads_projector_capture_state not installed": 0,
    }
    samples = read(StateCollector(database.url))
    assert {name: samples[name] for name in expected} == expected
    assert 3600 <= samples["leads_projector_lag_seconds"] < 3600 + PATIENCE


def test_what_is_not_known_is_absent(built: Connection) -> None:
    def samples(name: str, status: Document) -> dict[tuple[str, ...], float]:
        [metric] = [metric for metric in metrics_of(status) if metric.name == name]
        return {tuple(sample.labels.values()): sample.value for sample in metric.samples}

    begin = (
        "INSERT INTO projector.runs (kind, started_at, leads, leads_total) VALUES ('rebuild', now(), %s, %s)"
    )
    for leads, total, done in ((25, 100, [0.25]), (120, 100, [1.0]), (0, None, []), (0, 0, [])):
        built.execute(begin, (leads, total))
        status = read_status(built)
        assert [*samples("leads_projector_rebuild_done_ratio", status).values()] == done
        assert samples("leads_projector_rebuild_state", status)[("interrupted",)] == 1
    assert samples("leads_projector_rebuild_done_ratio", {}) == {}
    assert samples("leads_projector_lag_seconds", {}) == {(): 0}
    assert samples("leads_projector_data_age_seconds", {}) == {}
    # What the last round left out, where there is no present one.
    proved = changed(status, {"verify.left_out": 4})
    assert samples("leads_verify_left_out", proved) == {(): 4}
    assert samples("leads_verify_left_out", status) == {}
    assert (
        samples("leads_projector_attributes_left_out", changed(status, {"attributes_left_out": None})) == {}
    )
    names = [metric.name for metric in metrics_of({})]
    assert len(set(names)) == len(names)


def test_each_metric_of_the_state_that_the_page_names_is_a_fact() -> None:
    counted = {metric.name for metric in REGISTRY.collect()}
    page = {name.removesuffix("_total").removesuffix("_info") for name in told("projector")}
    assert page - counted == {DATABASE_UP, *(fact.metric for fact in FACTS if fact.metric is not None)}


def test_where_nothing_is_installed_it_says_so(source_database: Database) -> None:
    samples = read(StateCollector(source_database.url))
    assert samples[DATABASE_UP] == 1
    assert samples["leads_projector_capture_state not installed"] == 1


def test_a_database_that_is_away_is_told_and_logged_once() -> None:
    collector = StateCollector("postgresql://nobody@127.0.0.1:1/nothing")
    with structlog.testing.capture_logs() as said:
        assert [read(collector) for _ in range(2)] == [{DATABASE_UP: 0}] * 2
    assert [line["log_level"] for line in said] == ["warning"]


def test_each_error_of_a_job_is_counted_though_it_is_logged_once(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(connection)
    connection.execute("ALTER TABLE projector.verify_rounds RENAME TO away")
    scheduler = scheduler_of(database, monkeypatch, tmp_path)

    def errors() -> dict[str, float]:
        counts = {
            name: REGISTRY.get_sample_value("leads_projector_job_errors_total", {"name": name})
            for name in scheduler.jobs
        }
        # Each is there from the start.
        return {name: count for name, count in counts.items() if count is not None}

    before = errors()
    verify = scheduler.jobs["verify"]
    for _ in range(2):
        verify()
    scheduler.end()
    assert errors() == {**dict.fromkeys(scheduler.jobs, 0), **before, "verify": before["verify"] + 2}


def test_a_server_that_could_not_start_leaves_nothing_behind(
    database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", database.url)
    settings = config.load(tmp_path / ".env")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        page = f"http://127.0.0.1:{port}/metrics"
        with pytest.raises(ProjectorError), serving(replace(settings, metrics_port=port)):
            pass
    with (
        pytest.raises(ConfigurationError),
        serving(replace(settings, metrics_port=port, metrics_host="192.0.2.1")),
    ):
        pass
    with serving(replace(settings, metrics_port=port)), urllib.request.urlopen(page, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        assert "\nleads_projector_database_up 1.0\n" in answer.read().decode()
    with pytest.raises(urllib.error.URLError):
        urllib.request.urlopen(page, timeout=30)
