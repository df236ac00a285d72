"""What needs a person, when nothing does, and how the status is told."""

import dataclasses
import json
from datetime import UTC, datetime
from pathlib import Path

from projector import capture
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status import Status, as_dict, find_attention, read_status, render, words
from projector.observe.status.read import (
    COUNTED_CHANGES,
    DeadLetter,
    EndedDrift,
    OpenDrift,
    PresentRound,
    Projection,
    ProvedRound,
    Queue,
    Rebuild,
    Run,
    Schedulers,
    Size,
    Verification,
)
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.support.commands import run_command
from tests.support.running import (
    write_conversations,
)
from tests.support.server import Database
from tests.unit.projector.status.reading import one_sentence

EARLIER = datetime(2026, 11, 25, 1, 2, 3, tzinfo=UTC)
PROJECTION = Projection("v", EARLIER, None, EARLIER, 0.0, None, None, None, None, EARLIER)


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
    done = run_command(tmp_path, "--database-url", source_database.url, "status", "--json")
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


def test_a_run_that_ended_badly_needs_a_person(built: Connection) -> None:
    status = read_status(built)
    for kind in ("rebuild", "verify"):
        run = Run(kind, EARLIER, EARLIER, 1.0, "failed", None, 0, 0, 0, None, "value too long")
        failed = dataclasses.replace(status, runs=[run])
        assert f"last {kind} failed: value too long" in one_sentence(failed)
        assert "value too long" in render(failed)


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


def test_the_progress_of_a_rebuild_is_told(built: Connection) -> None:
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
    # More than were expected are no more than all.
    more = dataclasses.replace(run, leads=101, leads_total=100)
    assert as_dict(dataclasses.replace(rebuilding, runs=[more]))["rebuild"]["percent"] == 100.0
    # One that is about to begin does not show the progress of the last one.
    last = dataclasses.replace(run, finished_at=EARLIER, outcome="failed")
    assert as_dict(dataclasses.replace(rebuilding, runs=[last]))["rebuild"]["leads"] is None


def test_the_lines_of_a_verify_tell_what_is_proved_how_far_the_round_is_and_what_was_found(
    built: Connection,
) -> None:
    status = read_status(built)
    found = Verification(
        proved=ProvedRound(EARLIER, EARLIER, 2004, 3, 0),
        present=PresentRound(EARLIER, 1.0, 7200.0, 0.25, 502, 2004, 1, 1, None),
        drift=[
            OpenDrift("lead", "u", "49151", "", "document.name", EARLIER, EARLIER, 1),
            OpenDrift("contact", "u", "49151", "k", "key", EARLIER, EARLIER, 1),
            OpenDrift("statistics", "u", "", "", "leads", EARLIER, EARLIER, 1),
        ],
        history=[EndedDrift("rebuilt", 2, EARLIER), EndedDrift("right", 1, EARLIER)],
    )
    assert """
Verified     everything: 2026-11-25 01:02:03 UTC, 2,004 leads, 3 left out, no difference
Verify round 25.0 % in 2 h, 502 of about 2,004 leads, 1 to be looked at again, 1 difference
Drift        1 item differs from the source rows
             lead 49151 of u: document.name, found 2026-11-25 01:02:03 UTC
             lead 49151 of u (contact k): key, found 2026-11-25 01:02:03 UTC
             the statistics of u: leads, found 2026-11-25 01:02:03 UTC
             2 items corrected by a rebuild, the last 2026-11-25 01:02:03 UTC
             1 item found right by a later verify, 2026-11-25 01:02:03 UTC
""" in render(dataclasses.replace(status, verification=found))
    told = as_dict(dataclasses.replace(status, verification=found))["verify"]
    assert told["round"]["percent"] == 25.0
    assert told["drift"]["ended"][0] == {"outcome": "rebuilt", "items": 2, "last_at": EARLIER}
    late = PresentRound(EARLIER, 1.0, 7200.0, 0.999, 11, 10, 0, 0, None)
    text = render(dataclasses.replace(status, verification=Verification(present=late)))
    assert "11 of about 11 leads" in text
    assert "everything: not yet" in text


def test_ages_counts_moments_and_texts_are_short() -> None:
    ages = {
        0: "0.0 s",
        1.26: "1.3 s",
        119.9: "119.9 s",
        120: "2 min",
        7199: "120 min",
        7200: "2 h",
        172800: "2 d",
    }
    assert {seconds: words.age_in_words(seconds) for seconds in ages} == ages
    assert [words.days_in_words(days) for days in (1.0, 2.0, 0.5)] == ["1 day", "2 days", "0.5 days"]
    assert [words.waiting_in_words(Queue(changes, 1.0)) for changes in (1, 2004, COUNTED_CHANGES)] == [
        "1 change waits",
        "2,004 changes wait",
        "100,000 or more changes wait",
    ]
    assert words.moment_in_words(EARLIER.replace(microsecond=999000)) == "2026-11-25 01:02:03 UTC"
    assert words.shorten("x" * 100) == "x" * 100
    assert words.shorten("x" * 101) == "x" * 99 + "…"
    assert words.shorten("a\x1b[2Jb") == r"a\x1b[2Jb"
    letter = DeadLetter("contacts", "k", "u", "4915", "error", 1, EARLIER, EARLIER, 1)
    assert words.lead_in_words(letter) == "lead 4915 of u (contacts k)"
    assert words.lead_in_words(dataclasses.replace(letter, user_id=None)) == "contacts k"
    sizes = {
        0: "0 B",
        1023: "1023 B",
        1024: "1 kB",
        1024**2: "1 MB",
        1.5 * 1024**3: "1.5 GB",
        1024**4: "1024.0 GB",
    }
    for size, text in sizes.items():
        shown = render(Status(projection=PROJECTION, sizes=[Size("t", 1, int(size))]))
        assert f"Size         {text}, of it:" in shown
