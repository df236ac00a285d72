"""What a scheduler counts as it works."""

from pathlib import Path

import pytest

from projector.database.rows import Connection
from projector.observe.metrics.counted import REGISTRY
from tests.support.server import Database
from tests.unit.projector.scheduler.running import build, jobs_of


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
