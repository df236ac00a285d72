"""What a scheduler counts as it works."""

from pathlib import Path

import pytest

from projector.core.batch import Batch
from projector.observe.metrics import counted
from projector.observe.metrics.counted import REGISTRY
from tests.support.running import write_message, write_source
from tests.support.server import Database
from tests.unit.projector.scheduler.running import Connection, build, jobs_of


def value(metric: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(metric, labels) or 0.0


NAMES = (
    "leads_projector_batch_seconds_count",
    "leads_projector_batch_seconds_sum",
    "leads_projector_changes_total",
)


def counts() -> list[float]:
    rows = [value("leads_projector_refreshed_rows_total", kind=kind) for kind in ("lead", "message")]
    return [*map(value, NAMES), *rows]


def test_a_batch_is_counted_with_its_rows_and_time() -> None:
    before = counts()
    counted.note_batch(Batch((0,), 3, 2, 5), 0.25)
    counted.note_batch(Batch((0,), 4, 1, 0), 0.5)
    # One that found nothing is not counted.
    counted.note_batch(Batch((0,), 0, drained=True), 0.25)
    assert [now - then for now, then in zip(counts(), before, strict=True)] == [2, 0.75, 7, 3, 5]


def test_a_scheduler_counts_what_its_jobs_do(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(connection)
    write_source(connection)
    write_message(connection, "m1")
    before = counts()
    jobs = jobs_of(database, monkeypatch, tmp_path)
    jobs.workers["refresh"]()
    assert value("leads_projector_job_last_success_timestamp_seconds", name="refresh") > 0
    jobs.end()
    batches, seconds, changes, leads, messages = (
        now - then for now, then in zip(counts(), before, strict=True)
    )
    assert leads >= messages == 1
    assert changes >= batches >= 1
    assert seconds > 0


def test_each_error_of_a_job_is_counted_though_it_is_logged_once(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    build(connection)
    connection.execute("ALTER TABLE projector.verify_rounds RENAME TO away")
    jobs = jobs_of(database, monkeypatch, tmp_path)
    names = list(jobs.workers)
    for name in names:
        # There from the start.
        assert REGISTRY.get_sample_value("leads_projector_job_errors_total", {"name": name}) is not None
    before = {name: value("leads_projector_job_errors_total", name=name) for name in names}
    verify = jobs.workers["verify"]
    for _ in range(2):
        monkeypatch.setattr(verify, "_retry_at", 0.0)
        verify()
    jobs.end()
    found = {name: value("leads_projector_job_errors_total", name=name) - before[name] for name in names}
    assert found == {**dict.fromkeys(names, 0), "verify": 2}


def test_the_program_names_its_version() -> None:
    [version] = [
        sample.labels["version"]
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == "leads_build_info" and sample.labels["program"] == "projector"
    ]
    assert value("leads_build_info", program="projector", version=version) == 1
