"""Status: what it tells, and what of it needs a person."""

import dataclasses
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector import capture, healing, locks
from projector.migrate import PROJECTION_VERSION
from projector.progress import QUIET
from projector.refresh import refresh, retry_dead_letters
from projector.status import Status, as_dict, find_attention, read_status, render
from projector.status.read import Queue, Rebuild, Run, Schedulers
from tests.support.commands import projector
from tests.support.running import (
    running_scheduler,
    value,
    wait_for,
    wait_until,
    write_conversations,
    write_source,
)
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]
MakeDatabase = Callable[[Database | None], Database]

EARLIER = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)


@pytest.fixture
def built(database: Database, connection: Connection) -> Connection:
    """A read model that holds one lead; the connection is the platform's."""
    write_source(connection)
    with database.connect() as conn:
        healing.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    return connection


def refresh_now(database: Database) -> None:
    with database.connect() as conn:
        refresh(conn, retry_failed=False, progress=QUIET)


def one_sentence(status: Status) -> str:
    [sentence] = find_attention(status)
    return sentence


def test_nothing_needs_a_person_when_all_is_well(built: Connection) -> None:
    status = read_status(built)
    assert find_attention(status) == []
    text = render(status)
    assert "Nothing needs attention." in text
    assert "nothing waits" in text
    assert "intact" in text
    assert f"projection version {PROJECTION_VERSION}" in text
    assert len(text.splitlines()) < 30


def test_what_is_not_installed_is_said(source_database: Database, tmp_path: Path) -> None:
    with source_database.connect() as conn:
        assert "not installed" in one_sentence(read_status(conn))
    done = projector(tmp_path, "--database-url", source_database.url, "status", "--json")
    assert (done.returncode, json.loads(done.stdout)["installed"]) == (1, False)


def test_what_was_never_built_is_said(connection: Connection) -> None:
    status = read_status(connection)
    assert "never built" in one_sentence(status)
    assert "never built" in render(status)


def test_queue_and_lag_are_exact(built: Connection) -> None:
    write_conversations(built, 1, first=2)
    write_conversations(built, 1, first=3)
    oldest = value(built, "SELECT min(queued_at) FROM projector.changes")
    status = read_status(built)
    assert status.queue.changes == 2
    assert status.projection is not None
    assert status.queue.lag is not None
    assert abs((status.projection.read_at - oldest).total_seconds() - status.queue.lag) < 1
    # Somebody refreshed a moment ago, and may do so by cron.
    assert find_attention(status) == []


def test_a_queue_that_nobody_takes_needs_a_person(built: Connection) -> None:
    write_conversations(built, 1, first=2)
    status = read_status(built)
    assert status.projection is not None
    long_ago = dataclasses.replace(status.projection, as_of_age=3600.0)
    assert "no scheduler is connected" in one_sentence(dataclasses.replace(status, projection=long_ago))
    running = dataclasses.replace(status, projection=long_ago, schedulers=Schedulers(2, is_all_seen=True))
    assert find_attention(running) == []
    lagging = dataclasses.replace(running, queue=Queue(1, 3600.0))
    assert "has waited for 60 min" in one_sentence(lagging)


def test_freshness_ahead_of_the_clock_needs_a_person(built: Connection) -> None:
    built.execute("UPDATE read_model.freshness SET as_of = now() + interval '1 day'")
    write_conversations(built, 1, first=2)
    built.execute("UPDATE projector.changes SET queued_at = now() + interval '1 day'")
    status = read_status(built)
    assert "comes in 24 h: the server's clock was set back" in one_sentence(status)
    assert status.queue.lag == 0


def test_a_running_scheduler_is_seen(database: Database, built: Connection, tmp_path: Path) -> None:
    assert read_status(built).schedulers.sessions == 0
    with running_scheduler(database.url, tmp_path) as scheduler:
        wait_for(lambda: read_status(built).schedulers.sessions >= 2, "its sessions")
        assert scheduler.terminate() == 0
    assert "none connected" in render(read_status(built))


def test_another_projection_version_needs_a_person_where_no_rebuild_is_under_way(built: Connection) -> None:
    built.execute("UPDATE read_model.projection SET version = version - 1")
    status = read_status(built)
    assert f"this program has {PROJECTION_VERSION}" in one_sentence(status)
    assert find_attention(dataclasses.replace(status, rebuild=Rebuild(lock_held=True, tenants_left=1))) == []


def test_a_gap_is_named_until_it_is_healed(database: Database, built: Connection) -> None:
    built.execute("ALTER TABLE messages DISABLE TRIGGER leads_capture_delete")
    # Before any refresh has noticed it.
    status = read_status(built)
    assert status.capture_state == "gap"
    assert "leads_capture_delete on messages was changed" in one_sentence(status)
    with database.connect() as conn:
        healing.restore_capture(conn)
    status = read_status(built)
    assert (status.capture_state, len(find_attention(status))) == ("gap", 1)
    assert "gap since" in render(status)
    with database.connect() as conn:
        healing.heal(conn, progress=QUIET)
    assert (read_status(built).capture_state, find_attention(read_status(built))) == ("intact", [])


def test_capture_that_is_off_is_named(database: Database, built: Connection) -> None:
    with database.connect() as conn:
        capture.switch_off(conn, "bulk import")
    status = read_status(built)
    assert status.capture_state == "off"
    assert "bulk import" in one_sentence(status)
    assert "capture on" in one_sentence(status)


def test_a_rebuild_is_running_or_interrupted_by_who_holds_its_lock(
    database: Database, built: Connection
) -> None:
    built.execute(
        "INSERT INTO projector.runs (kind, started_at, leads, leads_total) VALUES ('rebuild', now(), 250, 1000)"
    )
    built.execute("INSERT INTO projector.rebuild_tenants (user_id, whole_rebuild) VALUES ('u', true)")
    with database.connect() as holder:
        holder.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
        status = read_status(built)
        assert find_attention(status) == []
        assert as_dict(status)["rebuild"] == {
            "state": "running",
            "leads": 250,
            "leads_total": 1000,
            "percent": 25.0,
            "tenants_left": 1,
        }
        assert "250 of about 1,000 leads, 25.0 %" in render(status)
    wait_until(built, "count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'")
    status = read_status(built)
    assert as_dict(status)["rebuild"]["state"] == "interrupted"
    assert "interrupted" in one_sentence(status)


def test_a_rebuild_of_another_database_is_not_ours(built: Connection, make_database: MakeDatabase) -> None:
    with make_database(None).connect() as holder:
        holder.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
        assert read_status(built).rebuild_state == "none"


@pytest.mark.parametrize(
    ("kind", "outcome", "note", "expected"),
    [
        ("rebuild", "failed", "value too long", "last rebuild failed: value too long"),
        ("verify", "failed", "out of memory", "last verify failed: out of memory"),
        ("verify", "done", "3 fields drifted", "found drift (3 fields drifted)"),
    ],
)
def test_a_run_that_ended_badly_needs_a_person(
    built: Connection, kind: str, outcome: str, note: str, expected: str
) -> None:
    run = Run(kind, EARLIER, EARLIER, 1.0, outcome, None, 0, 0, 0, None, note)
    status = dataclasses.replace(read_status(built), runs=[run])
    assert expected in one_sentence(status)
    assert note in render(status)


def test_the_last_run_of_each_kind_is_told_with_rows_and_seconds(
    database: Database, built: Connection
) -> None:
    write_conversations(built, 1, first=2)
    refresh_now(database)
    runs = {run.kind: run for run in read_status(built).runs}
    assert set(runs) == {"refresh", "rebuild"}
    assert (runs["refresh"].outcome, runs["refresh"].leads) == ("done", 1)
    assert runs["refresh"].seconds > 0
    assert "Last refresh" in render(read_status(built))


def test_sizes_are_of_our_tables(built: Connection) -> None:
    sizes = {size.table_name: size.bytes for size in read_status(built).sizes}
    assert sizes["read_model.leads"] > 0
    assert "projector.changes" in sizes
    assert not [name for name in sizes if not name.startswith(("read_model.", "projector."))]


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


# A dead letter from its failure to its end.


def test_a_dead_letter_is_set_aside_listed_retried_and_gone(database: Database, built: Connection) -> None:
    built.execute(
        "ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '49151000002')"
    )
    write_conversations(built, 3, first=2)
    refresh_now(database)
    # The others went on.
    assert value(built, "SELECT count(*) FROM read_model.leads") == 3
    status = read_status(built)
    [letter] = status.dead_letters
    assert (letter.kind, letter.key, letter.customer_phone) == ("resync", "c-u-2", "49151000002")
    assert "refused" in letter.error
    assert "refresh --retry-failed" in one_sentence(status)
    assert "lead 49151000002 of u" in render(status)
    assert as_dict(status)["dead_letters"]["count"] == 1
    assert value(built, "SELECT dead_letters FROM read_model.tenants WHERE user_id = 'u'") == 1
    with database.connect() as conn:
        # Not due yet, so it is left alone; tried again it fails again, after a longer pause.
        refresh(conn, retry_failed=False, progress=QUIET)
        assert read_status(built).dead_letters[0].attempts == 1
        refresh(conn, retry_failed=True, progress=QUIET)
        assert read_status(built).dead_letters[0].attempts == 2
        assert value(built, "SELECT retry_at > now() + interval '15 s' FROM projector.dead_letters")
        built.execute("ALTER TABLE read_model.leads DROP CONSTRAINT refused")
        assert retry_dead_letters(conn, due_only=False) == 1
    assert find_attention(read_status(built)) == []
    assert value(built, "SELECT count(*) FROM read_model.leads") == 4
    assert value(built, "SELECT dead_letters FROM read_model.tenants WHERE user_id = 'u'") == 0


def test_the_scheduler_retries_dead_letters_that_are_due(
    database: Database, built: Connection, tmp_path: Path
) -> None:
    built.execute(
        "ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '49151000002')"
    )
    with running_scheduler(database.url, tmp_path) as scheduler:
        write_conversations(built, 3, first=2)
        wait_until(built, "count(*) = 1 FROM projector.dead_letters")
        wait_until(built, "count(*) = 3 FROM read_model.leads")
        built.execute("ALTER TABLE read_model.leads DROP CONSTRAINT refused")
        built.execute("UPDATE projector.dead_letters SET retry_at = clock_timestamp()")
        wait_until(built, "count(*) = 4 FROM read_model.leads")
        wait_until(built, "count(*) = 0 FROM projector.dead_letters")
        assert scheduler.terminate() == 0
