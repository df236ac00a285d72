"""What needs a person, and when nothing does."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from projector import capture
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import find_attention, read_status, render
from projector.observe.status.read import Queue, Rebuild, Run, Schedulers
from projector.observe.status.verification import EndedDrift, OpenDrift, PresentRound, Verification
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.support.commands import projector
from tests.support.running import (
    write_conversations,
)
from tests.support.server import Database
from tests.unit.projector.status.reading import Connection, one_sentence

EARLIER = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)


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


def test_a_role_of_the_api_that_cannot_read_is_said(built: Connection) -> None:
    assert find_attention(read_status(built, api_role="")) == []
    assert one_sentence(read_status(built, api_role="nobody_at_all")).startswith(
        "The role nobody_at_all does not exist, so the API cannot read: run `migrate`"
    )
    assert one_sentence(read_status(built, api_role="pg_monitor")) == (
        "The role pg_monitor may not read read_model.freshness, so the API cannot either: run `migrate`, which lets"
        " leads_api read all tables, and GRANT leads_api TO pg_monitor."
    )
    built.execute("REVOKE SELECT ON read_model.tenants FROM leads_api")
    assert "leads_api may not read read_model.tenants" in one_sentence(read_status(built))
    migrate(built, create_source=False)
    built.execute("REVOKE SELECT ON leads_access.api_keys FROM leads_api")
    assert "leads_api may not read leads_access.api_keys" in one_sentence(read_status(built))
    migrate(built, create_source=False)
    assert find_attention(read_status(built)) == []


def test_what_was_never_built_is_said(connection: Connection) -> None:
    status = read_status(connection)
    assert "never built" in one_sentence(status)
    assert "never built" in render(status)


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


def test_another_projection_version_needs_a_person_where_no_rebuild_is_under_way(built: Connection) -> None:
    built.execute("UPDATE read_model.projection SET version = 'another'")
    status = read_status(built)
    assert f"this program has {PROJECTION_VERSION}" in one_sentence(status)
    assert find_attention(dataclasses.replace(status, rebuild=Rebuild(lock_held=True, is_planned=True))) == []


def test_a_gap_is_named_until_it_is_healed(database: Database, built: Connection) -> None:
    built.execute("ALTER TABLE messages DISABLE TRIGGER leads_capture_delete")
    # Before any refresh has noticed it.
    status = read_status(built)
    assert status.capture_state == "gap"
    assert "leads_capture_delete on messages was changed" in one_sentence(status)
    with database.connect() as conn:
        recovery.restore_capture(conn)
    status = read_status(built)
    assert (status.capture_state, len(find_attention(status))) == ("gap", 1)
    assert "gap since" in render(status)
    with database.connect() as conn:
        recovery.heal(conn, progress=QUIET)
    assert (read_status(built).capture_state, find_attention(read_status(built))) == ("intact", [])


def test_capture_that_is_off_is_named(database: Database, built: Connection) -> None:
    with database.connect() as conn:
        capture.switch_off(conn, "bulk import")
    status = read_status(built)
    assert status.capture_state == "off"
    assert "bulk import" in one_sentence(status)
    assert "capture on" in one_sentence(status)


@pytest.mark.parametrize(
    ("kind", "outcome", "note", "expected"),
    [
        ("rebuild", "failed", "value too long", "last rebuild failed: value too long"),
        ("verify", "failed", "out of memory", "last verify failed: out of memory"),
    ],
)
def test_a_run_that_ended_badly_needs_a_person(
    built: Connection, kind: str, outcome: str, note: str, expected: str
) -> None:
    run = Run(kind, EARLIER, EARLIER, 1.0, outcome, None, 0, 0, 0, None, note)
    status = dataclasses.replace(read_status(built), runs=[run])
    assert expected in one_sentence(status)
    assert note in render(status)


def test_what_differs_needs_a_person_until_it_is_right(built: Connection) -> None:
    status = read_status(built)
    first = OpenDrift("lead", "u", "49151", "", "document.name", EARLIER, EARLIER, 2)
    told = one_sentence(dataclasses.replace(status, verification=Verification(drift=[first])))
    assert (
        "2 items differ from the source rows, first lead 49151 of u (document.name), found 2026-11-25" in told
    )
    assert "run `verify --all --heal`" in told
    # A run that has found something and healed it is history.
    run = Run("verify", EARLIER, EARLIER, 1.0, "done", None, 0, 9, 0, None, "3 fields drifted, 1 lead healed")
    healed = Verification(history=[EndedDrift("healed", 1, EARLIER)])
    healed_status = dataclasses.replace(status, runs=[run], verification=healed)
    assert find_attention(healed_status) == []
    assert "1 item healed by `verify --heal`, 2026-11-25 01:02:03 UTC" in render(healed_status)


def test_a_verify_that_goes_round_too_slowly_needs_a_person(built: Connection) -> None:
    status = dataclasses.replace(read_status(built), schedulers=Schedulers(2, is_all_seen=True))
    late = PresentRound(EARLIER, 1.0, 3 * 86400.0, 0.5, 5, 10, 0, 0, None)
    told = one_sentence(dataclasses.replace(status, verification=Verification(present=late)))
    assert "has begun 3 d ago, and should take 1 day" in told
    in_time = dataclasses.replace(late, age=86400.0)
    assert find_attention(dataclasses.replace(status, verification=Verification(present=in_time))) == []
    failing = dataclasses.replace(in_time, failure="out of memory")
    assert "cannot go on with its verify: out of memory" in one_sentence(
        dataclasses.replace(status, verification=Verification(present=failing))
    )
    # Without a scheduler, that is what is said.
    alone = dataclasses.replace(status, schedulers=Schedulers(0, is_all_seen=True))
    assert find_attention(dataclasses.replace(alone, verification=Verification(present=late))) == []
