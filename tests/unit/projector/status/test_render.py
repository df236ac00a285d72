"""The status as text and as JSON."""

import dataclasses
import json
from pathlib import Path

from projector.database import locks
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import as_dict, find_attention, read_status, render
from projector.observe.status.read import Rebuild, Run
from tests.support.commands import projector
from tests.support.running import (
    value,
    wait_until,
)
from tests.support.server import Database
from tests.unit.projector.status.reading import Connection, one_sentence
from tests.unit.projector.status.test_attention import EARLIER


def test_a_rebuild_is_running_or_interrupted_by_who_holds_its_lock(
    database: Database, built: Connection
) -> None:
    built.execute(
        "INSERT INTO projector.runs (kind, started_at, leads, leads_total) VALUES ('rebuild', now(), 250, 1000)"
    )
    built.execute("INSERT INTO projector.rebuild_plan (version) VALUES (%s)", (PROJECTION_VERSION,))
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
        status = read_status(built)
        assert find_attention(status) == []
        assert as_dict(status)["rebuild"] == {
            "state": "running",
            "leads": 250,
            "leads_total": 1000,
            "percent": 25.0,
        }
        assert "250 of 1,000 customers, 25.0 %" in render(status)
    wait_until(built, "count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    status = read_status(built)
    assert as_dict(status)["rebuild"]["state"] == "interrupted"
    assert "interrupted" in one_sentence(status)


def test_as_json_it_has_the_same(database: Database, built: Connection, tmp_path: Path) -> None:
    done = projector(tmp_path, "--database-url", database.url, "status", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["attention"] == []
    assert found["capture"]["state"] == "intact"
    assert found["projection"]["built_version"] == found["projection"]["version"] == PROJECTION_VERSION
    assert found["queue"]["changes"] == 0
    assert found["as_of"].endswith("Z") or "+00:00" in found["as_of"]
    assert value(built, "SELECT %s::timestamptz = as_of FROM read_model.freshness", found["as_of"])


def test_the_progress_of_a_rebuild_to_another_version_is_told(built: Connection) -> None:
    status = read_status(built)
    assert status.projection is not None
    run = Run("rebuild", EARLIER, None, 90.0, "running", None, 0, 3_000, 0, 12_000, None)
    rebuilding = dataclasses.replace(
        status,
        projection=dataclasses.replace(status.projection, version="another"),
        rebuild=Rebuild(lock_held=True, is_planned=True),
        runs=[run],
    )
    told = (
        f"running for 90.0 s, 3,000 of 12,000 customers, 25.0 %, to projection version {PROJECTION_VERSION}"
    )
    assert told in render(rebuilding)
    assert as_dict(rebuilding)["rebuild"]["percent"] == 25.0


def test_a_rebuild_that_is_about_to_begin_does_not_show_the_progress_of_the_last_one(
    built: Connection,
) -> None:
    last = Run("rebuild", EARLIER, EARLIER, 90.0, "failed", None, 0, 3_000, 0, 12_000, "value too long")
    status = dataclasses.replace(
        read_status(built), rebuild=Rebuild(lock_held=True, is_planned=True), runs=[last]
    )
    assert as_dict(status)["rebuild"]["leads"] is None


def test_more_leads_than_were_expected_are_no_more_than_all(built: Connection) -> None:
    run = Run("rebuild", EARLIER, None, 90.0, "running", None, 0, 101, 0, 100, None)
    status = dataclasses.replace(
        read_status(built), rebuild=Rebuild(lock_held=True, is_planned=True), runs=[run]
    )
    assert as_dict(status)["rebuild"]["percent"] == 100.0
    assert "Rebuild      running for 90.0 s, 101 customers, 100.0 %" in render(status)
