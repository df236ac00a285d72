"""Capture gaps: each kind of sabotage is noticed, named, healed and only then cleared."""

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector import capture, locks, recovery
from projector.batch import refresh_batch
from projector.errors import BlockedError, CaptureGapError, RebuildFailedError, SourceMissingError
from projector.install import migrate
from projector.progress import QUIET
from projector.rebuild import rebuild
from projector.refresh import refresh
from tests.support.commands import projector
from tests.support.running import (
    running_scheduler,
    value,
    wait_for,
    wait_until,
    write_conversations,
    write_message,
    write_source,
)
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

# What a platform's migration, a restore or a mistake may do, each followed by a message that is not captured.
SABOTAGE = {
    "disabled": "ALTER TABLE messages DISABLE TRIGGER leads_capture_insert",
    "all disabled": "ALTER TABLE messages DISABLE TRIGGER USER",
    "dropped": "DROP TRIGGER leads_capture_insert ON messages",
    "table made anew": "CREATE TABLE anew AS TABLE messages; DROP TABLE messages; ALTER TABLE anew RENAME TO messages;"
    " ALTER TABLE messages ADD PRIMARY KEY (message_id); CREATE INDEX ON messages (conversation_id)",
    "function replaced": "CREATE OR REPLACE FUNCTION projector.capture_messages() RETURNS trigger LANGUAGE plpgsql"
    " AS 'BEGIN RETURN NULL; END'",
    "function dropped": "DROP FUNCTION projector.capture_messages() CASCADE",
}
PUT_BACK = {
    "disabled": "ALTER TABLE messages ENABLE TRIGGER leads_capture_insert",
    "all disabled": "ALTER TABLE messages ENABLE TRIGGER USER",
}


@pytest.fixture
def other(database: Database) -> Iterator[Connection]:
    """The platform's connection; `connection` is the projector's."""
    with database.connect() as conn:
        yield conn


def messages(conn: Connection) -> int:
    return int(value(conn, "SELECT count(*) FROM read_model.lead_messages"))


def as_of(conn: Connection) -> datetime:
    moment: datetime = value(conn, "SELECT min(as_of) FROM read_model.freshness")
    return moment


def wait_until_fresh(conn: Connection, moment: datetime) -> None:
    """Refresh until freshness is beyond that moment: while nothing waits it moves once a second."""
    wait_for(
        lambda: refresh_batch(conn, locks.SHARDS).drained and as_of(conn) > moment, f"fresher than {moment}"
    )


def clock(conn: Connection) -> datetime:
    moment: datetime = value(conn, "SELECT clock_timestamp()")
    return moment


def open_reasons(conn: Connection) -> list[str]:
    return [reason for _, _, reason in capture.open_gaps(conn)]


def healed(conn: Connection) -> None:
    recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)


def ready(conn: Connection) -> bool:
    return bool(value(conn, "SELECT capture_gap IS NULL FROM read_model.projection"))


@pytest.fixture
def built(connection: Connection, other: Connection) -> Connection:
    """A read model that holds one lead, and follows."""
    write_source(other)
    healed(connection)
    assert as_of(connection) is not None
    return connection


@pytest.mark.parametrize("sabotage", SABOTAGE)
def test_a_refresh_heals_sabotage_before_it_returns(
    built: Connection, other: Connection, sabotage: str
) -> None:
    other.execute(SABOTAGE[sabotage].encode())
    write_message(other, "missed")
    if sabotage in PUT_BACK:
        # Nothing looks wrong any more, but the row versions in the catalog.
        other.execute(PUT_BACK[sabotage].encode())
    with pytest.raises(CaptureGapError, match="messages"):
        refresh(built, retry_failed=False, progress=QUIET)
    committed = clock(other)
    healed(built)
    assert messages(built) == 1
    wait_until_fresh(built, committed)
    assert (open_reasons(built), ready(built), capture.find_gap(built)) == ([], True, None)
    [(noticed, mended, cleared)] = built.execute(
        "SELECT noticed_at, reinstalled_at, healed_at FROM projector.capture_gaps"
    ).fetchall()
    assert noticed < mended < cleared
    write_message(other, "seen")
    refresh(built, retry_failed=False, progress=QUIET)
    assert messages(built) == 2


def test_the_command_line_tells_what_it_healed(database: Database, built: Connection, tmp_path: Path) -> None:
    built.execute(SABOTAGE["disabled"].encode())
    write_message(built, "missed")
    status = projector(tmp_path, "--database-url", database.url, "status")
    assert status.returncode == 1
    assert "leads_capture_insert on messages was changed" in status.stdout
    done = projector(tmp_path, "--database-url", database.url, "refresh")
    assert done.returncode == 0, done.stderr
    assert "Rebuilt everything" in done.stdout
    assert projector(tmp_path, "--database-url", database.url, "status").returncode == 0
    assert messages(built) == 1


def test_a_refresh_trades_a_queue_beyond_the_limit_for_a_rebuild(
    database: Database, built: Connection, other: Connection, tmp_path: Path
) -> None:
    for number in range(30):
        write_message(other, f"message {number}")
    done = projector(tmp_path, "--database-url", database.url, "refresh", LEADS_QUEUE_LIMIT="29")
    assert done.returncode == 0, done.stderr
    assert "because more than 29 changes waited" in done.stdout
    assert messages(built) == 30
    assert value(built, "SELECT count(*) FROM projector.changes") == 0
    assert open_reasons(built) == []


@pytest.mark.parametrize("command", ["rebuild", "verify"])
def test_a_tenant_that_nobody_knows_is_named(
    database: Database, built: Connection, tmp_path: Path, command: str
) -> None:
    for user_id, code in (("nobody", 1), ("u", 0)):
        done = projector(tmp_path, "--database-url", database.url, command, "--user", user_id)
        assert done.returncode == code, done.stderr
        assert ("There is no tenant 'nobody'" in done.stderr) == bool(code)
    # What is left of a tenant that the platform deleted can still be cleared away.
    built.execute("ALTER TABLE users DISABLE TRIGGER ALL")
    built.execute("DELETE FROM users")
    assert projector(tmp_path, "--database-url", database.url, command, "--user", "u").returncode == 0


def test_a_rebuild_of_everything_from_the_command_line_heals_too(
    database: Database, built: Connection, tmp_path: Path
) -> None:
    built.execute(SABOTAGE["dropped"].encode())
    write_message(built, "missed")
    done = projector(tmp_path, "--database-url", database.url, "rebuild")
    assert done.returncode == 0, done.stderr
    assert (messages(built), open_reasons(built), capture.find_gap(built)) == (1, [], None)


@pytest.mark.usefixtures("built")
@pytest.mark.parametrize("sabotage", SABOTAGE)
def test_the_scheduler_heals_by_itself(
    database: Database, other: Connection, tmp_path: Path, sabotage: str
) -> None:
    with running_scheduler(database.url, tmp_path) as scheduler:
        scheduler.wait_for_event("the projector runs")
        with other.transaction():
            other.execute(SABOTAGE[sabotage].encode())
            write_message(other, "missed")
        committed = clock(other)
        wait_until(other, "count(*) = 1 FROM read_model.lead_messages")
        wait_until(other, "min(as_of) > %s FROM read_model.freshness", committed)
        assert (open_reasons(other), ready(other)) == ([], True)
        assert scheduler.events().count("changes may have been missed") == 1


def test_until_it_is_healed_changes_come_in_but_freshness_stands_still(
    built: Connection, other: Connection
) -> None:
    other.execute(SABOTAGE["dropped"].encode())
    write_message(other, "missed")
    before = as_of(built)
    recovery.restore_capture(built)
    write_message(other, "seen")
    assert refresh_batch(built, locks.SHARDS).drained
    # An idle refresh moves freshness only when it is a second old.
    wait_for(
        lambda: refresh_batch(built, locks.SHARDS).drained and clock(built) - before > timedelta(seconds=1.5),
        "idle refreshes for longer than a second",
    )
    assert messages(built) == 1
    assert as_of(built) == before
    assert not ready(built)
    assert recovery.heal(built, progress=QUIET) is not None
    assert messages(built) == 2
    assert ready(built)
    wait_until_fresh(built, before)


def test_freshness_does_not_vouch_for_a_time_that_the_clock_has_not_reached(built: Connection) -> None:
    # As a clock leaves it that was set back.
    built.execute(
        "UPDATE read_model.freshness SET as_of = now() + interval '1 h',"
        " shards = ARRAY(SELECT now() + interval '1 h' FROM unnest(shards))"
    )
    assert refresh_batch(built, locks.SHARDS).drained
    assert as_of(built) < clock(built)


def test_a_refresh_does_not_wait_for_a_rebuild_under_way(built: Connection, other: Connection) -> None:
    other.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
    other.execute("INSERT INTO projector.settings (name, value) VALUES ('rebuilding_beside', 'on')")
    write_message(other, "new")
    healed(built)
    assert messages(built) == 1
    assert value(built, "SELECT count(*) FROM projector.replay") == 1


def test_a_rebuild_that_fails_anew_keeps_no_change_from_being_refreshed(
    built: Connection, other: Connection
) -> None:
    write_conversations(other, 1, first=2)
    healed(built)
    # In place, since a trigger hangs on the read model; and it fails for the second lead.
    other.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'"
    )
    other.execute("UPDATE read_model.leads SET document = '{}' WHERE customer_phone = '49151000002'")
    other.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON read_model.leads FOR EACH ROW"
        " WHEN (NEW.customer_phone = '49151000002') EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(RebuildFailedError):
        recovery.rebuild_everything(built, progress=QUIET)
    write_message(other, "new")
    healed(built)
    assert messages(built) == 1
    # As if it had been killed while it went beside.
    other.execute("INSERT INTO projector.settings (name, value) VALUES ('rebuilding_beside', 'on')")
    write_message(other, "newer")
    report = recovery.refresh_and_heal(built, retry_failed=False, progress=QUIET)
    assert "A rebuild that was killed was tried anew" in report.notes[0]
    assert messages(built) == 2


def test_what_is_left_of_a_killed_rebuild_of_a_tenant_is_cleared_up(
    built: Connection, other: Connection
) -> None:
    other.execute("INSERT INTO projector.runs (kind, started_at, tenants) VALUES ('rebuild', now(), '{u}')")
    other.execute("INSERT INTO projector.rebuild_tenants (user_id, whole_rebuild) VALUES ('u', false)")
    other.execute("CREATE SCHEMA read_model_next")
    healed(built)
    assert value(built, "SELECT count(*) FROM projector.rebuild_tenants") == 0
    assert value(built, "SELECT outcome FROM projector.runs WHERE tenants IS NOT NULL") == "interrupted"
    assert value(built, "SELECT to_regnamespace('read_model_next') IS NULL") is True


def test_a_rebuild_of_one_tenant_leaves_the_plan_for_the_others(built: Connection, other: Connection) -> None:
    write_source(other, "v")
    healed(built)
    other.execute(
        "INSERT INTO projector.rebuild_tenants (user_id, whole_rebuild, cursor_phone)"
        " VALUES ('u', true, '999'), ('v', true, NULL)"
    )
    other.execute("UPDATE read_model.leads SET document = '{}'")
    rebuild(built, tenants=["u"], progress=QUIET)
    assert value(built, "SELECT count(*) FROM read_model.leads WHERE document = '{}'") == 1
    assert value(built, "SELECT array_agg(user_id) FROM projector.rebuild_tenants") == ["v"]


def test_a_refresh_does_anew_a_rebuild_that_was_killed(built: Connection, other: Connection) -> None:
    other.execute("INSERT INTO projector.settings (name, value) VALUES ('rebuilding_beside', 'on')")
    write_message(other, "new")
    report = recovery.refresh_and_heal(built, retry_failed=False, progress=QUIET)
    assert "because a rebuild was interrupted" in report.notes[0]
    assert messages(built) == 1
    write_message(other, "newer")
    healed(built)
    # Nobody notes changes any more for a rebuild that is not there.
    assert value(built, "SELECT count(*) FROM projector.replay") == 0


def test_only_gaps_that_were_open_before_the_rebuild_began_are_closed(
    database: Database, built: Connection, other: Connection
) -> None:
    other.execute(SABOTAGE["dropped"].encode())
    with database.connect() as healer, database.connect() as holder:
        thread = threading.Thread(target=lambda: recovery.heal(healer, progress=QUIET))
        with holder.transaction():
            # The rebuild comes to a shard that is taken: its snapshot, and what it rebuilds, is later than this.
            holder.execute("SELECT pg_advisory_xact_lock(%s, 2)", (locks.SHARD,))
            thread.start()
            wait_until(other, "count(*) = 1 FROM projector.capture_gaps WHERE reinstalled_at IS NOT NULL")
            wait_until(other, "count(*) = 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
            # The same again meanwhile, noticed and mended by another session.
            other.execute(SABOTAGE["dropped"].encode())
            recovery.restore_capture(other)
        thread.join()
    reasons = open_reasons(built)
    assert reasons == ["leads_capture_insert on messages is missing"]
    assert not ready(built)
    healed(built)
    assert ready(built)


def test_an_interrupted_rebuild_from_before_is_not_gone_on_with(built: Connection, other: Connection) -> None:
    # Its only tenant is done but for the last step, as far as this plan knows.
    plan = "INSERT INTO projector.rebuild_tenants (user_id, whole_rebuild, cursor_phone) VALUES ('u', true, '999')"
    other.execute(plan.encode())
    other.execute(SABOTAGE["dropped"].encode())
    write_message(other, "missed")
    healed(built)
    assert messages(built) == 1


def test_an_interrupted_rebuild_of_one_tenant_is_not_taken_for_one_of_everything(
    built: Connection, other: Connection
) -> None:
    write_source(other, "v")
    refresh(built, retry_failed=False, progress=QUIET)
    plan = "INSERT INTO projector.rebuild_tenants (user_id, whole_rebuild) VALUES ('u', false)"
    other.execute(plan.encode())
    # Capture is not to blame here: a rebuild is wanted for another reason, and has to do both tenants.
    other.execute("UPDATE read_model.projection SET built_at = NULL")
    other.execute("UPDATE read_model.leads SET document = '{}'")
    healed(built)
    assert value(built, "SELECT count(*) FROM read_model.leads WHERE document = '{}'") == 0


def test_a_missing_table_keeps_the_gap_open_until_it_is_back(
    database: Database, built: Connection, other: Connection, tmp_path: Path
) -> None:
    other.execute("ALTER TABLE messages RENAME TO elsewhere")
    with pytest.raises(SourceMissingError, match="table messages"):
        healed(built)
    assert open_reasons(built) == ["all capture triggers on messages are missing"]
    with running_scheduler(database.url, tmp_path) as scheduler:
        scheduler.wait_for_event("cannot go on for now")
        other.execute("ALTER TABLE elsewhere RENAME TO messages")
        wait_until(other, "capture_gap IS NULL FROM read_model.projection")
        # The triggers that it kept under its other name count as they stand: they never stopped.
        write_message(other, "m1")
        wait_until(other, "count(*) = 1 FROM read_model.lead_messages")
        assert scheduler.terminate() == 0


def test_a_missing_column_is_named(built: Connection, other: Connection) -> None:
    other.execute("ALTER TABLE messages RENAME COLUMN sequence_no TO number")
    other.execute(SABOTAGE["disabled"].encode())
    with pytest.raises(SourceMissingError, match="table messages has no column sequence_no"):
        healed(built)
    assert not ready(built)


def test_a_row_that_cannot_be_projected_keeps_the_gap_open(built: Connection, other: Connection) -> None:
    other.execute(SABOTAGE["dropped"].encode())
    other.execute("ALTER TABLE read_model.leads ADD CHECK (customer_phone <> '49151000002')")
    write_conversations(other, 1, first=2)
    # A check is not taken over by what is built beside: so this rebuild is done in place.
    other.execute("CREATE VIEW dependent AS SELECT * FROM read_model.leads")
    with pytest.raises(RebuildFailedError):
        healed(built)
    assert not ready(built)
    other.execute(
        "UPDATE conversations SET customer_phone = '49151000003' WHERE customer_phone = '49151000002'"
    )
    healed(built)
    assert ready(built)


def test_somebody_who_writes_for_long_is_named(
    database: Database, built: Connection, other: Connection
) -> None:
    other.execute(SABOTAGE["dropped"].encode())
    with database.connect(application_name="platform import") as writer, writer.transaction():
        write_message(writer, "open")
        with pytest.raises(BlockedError, match="platform import"):
            recovery.restore_capture(built, patience=0.5)
    assert open_reasons(built)
    healed(built)
    assert (messages(built), ready(built)) == (1, True)


def test_a_refresh_waits_for_a_healing_under_way(
    database: Database, built: Connection, other: Connection
) -> None:
    other.execute(SABOTAGE["dropped"].encode())
    write_message(other, "missed")
    done = threading.Event()

    def wait_for_it() -> None:
        with database.connect() as conn:
            healed(conn)
        done.set()

    other.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
    thread = threading.Thread(target=wait_for_it)
    thread.start()
    started = clock(other)
    wait_for(lambda: clock(other) - started > timedelta(seconds=1), "time to give up in")
    assert thread.is_alive()
    assert not done.is_set()
    other.execute("SELECT pg_advisory_unlock(%s, 0)", (locks.REBUILD,))
    thread.join()
    assert (done.is_set(), messages(built)) == (True, 1)


def test_migrate_notes_what_it_mends(built: Connection, other: Connection) -> None:
    other.execute(SABOTAGE["dropped"].encode())
    write_message(other, "missed")
    notices = migrate(other, create_source=False)
    assert any("leads_capture_insert on messages is missing" in notice for notice in notices)
    assert capture.find_gap(built) is None
    assert not ready(built)
    healed(built)
    assert (messages(built), ready(built)) == (1, True)


def test_a_second_migrate_is_no_gap(built: Connection, other: Connection) -> None:
    migrate(other, create_source=False)
    assert (capture.find_gap(built), open_reasons(built), ready(built)) == (None, [], True)
    wait_until_fresh(built, as_of(built))


# Switched off on purpose.


def test_capture_that_is_switched_off_is_said_and_not_mended(
    database: Database, built: Connection, other: Connection, tmp_path: Path
) -> None:
    off = projector(tmp_path, "--database-url", database.url, "capture", "off", "--reason", "bulk import")
    assert off.returncode == 0, off.stderr
    write_message(other, "missed")
    assert not ready(built)
    done = projector(tmp_path, "--database-url", database.url, "refresh")
    assert done.returncode == 1
    assert "bulk import" in done.stderr
    assert "capture on" in done.stderr
    status = projector(tmp_path, "--database-url", database.url, "status")
    assert status.returncode == 1
    assert "bulk import" in status.stdout
    with running_scheduler(database.url, tmp_path) as scheduler:
        scheduler.wait_for_event("cannot go on for now")
        assert value(other, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads_capture%'") == 0
        on = projector(tmp_path, "--database-url", database.url, "capture", "on")
        assert on.returncode == 0, on.stderr
        wait_until(other, "count(*) = 1 FROM read_model.lead_messages")
        wait_until(other, "capture_gap IS NULL FROM read_model.projection")
        assert scheduler.terminate() == 0
    assert projector(tmp_path, "--database-url", database.url, "status").returncode == 0


def test_capture_on_leaves_the_gap_to_whoever_heals(built: Connection, other: Connection) -> None:
    capture.switch_off(built, "emergency")
    write_message(other, "missed")
    capture.switch_on(built)
    assert (capture.find_gap(built), ready(built)) == (None, False)
    before = as_of(built)
    refresh(built, retry_failed=False, progress=QUIET)
    assert (messages(built), as_of(built)) == (0, before)
    healed(built)
    assert (messages(built), ready(built), open_reasons(built)) == (1, True, [])


def test_migrate_does_not_switch_capture_on(built: Connection, other: Connection) -> None:
    capture.switch_off(built, "emergency")
    assert any("switched off" in notice for notice in migrate(other, create_source=False))
    assert value(built, "SELECT count(*) FROM pg_trigger WHERE tgname LIKE 'leads_capture%'") == 0
