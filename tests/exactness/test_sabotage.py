"""If others break capture and changes are missed, the projector notices, heals, and only then forgets it."""

from pathlib import Path

import pytest

from projector.capture import control, gaps, triggers
from projector.database import locks
from projector.database.rows import Connection
from projector.database.schema import sections, table
from projector.operate.install import migrate
from projector.report.errors import BlockedError, CaptureGapError, SourceMissingError
from projector.report.progress import QUIET
from projector.sweep import rebuild as in_place
from projector.sweep import recovery
from projector.sweep.rebuild import rebuild
from projector.sweep.verify import verify
from tests.exactness.interleaving import Stepped, batch_of
from tests.exactness.platform import Platform, assert_exact, put_back, refresh_now, texts, value
from tests.support.cases import cases
from tests.support.commands import run_command
from tests.support.points import at_points

MISSED = (
    "INSERT INTO messages (message_id, conversation_id, text, timestamp)"
    " VALUES ('missed', 'c', 'missed', '2025-01-02')"
)

SABOTAGES = {
    "a trigger disabled": f"ALTER TABLE messages DISABLE TRIGGER leads_capture_insert; {MISSED}",
    "triggers disabled and enabled": "ALTER TABLE messages DISABLE TRIGGER USER;"
    f" {MISSED}; ALTER TABLE messages ENABLE TRIGGER USER",
    "disabled and enabled in one transaction": "BEGIN; ALTER TABLE messages DISABLE TRIGGER leads_capture_insert;"
    f" {MISSED}; ALTER TABLE messages ENABLE TRIGGER leads_capture_insert; COMMIT",
    "a trigger dropped": f"DROP TRIGGER leads_capture_insert ON messages; {MISSED}",
    "a trigger that fires always": "ALTER TABLE messages DISABLE TRIGGER leads_capture_insert;"
    f" {MISSED}; ALTER TABLE messages ENABLE ALWAYS TRIGGER leads_capture_insert",
    "a table made anew": "ALTER TABLE messages RENAME TO old; CREATE TABLE messages (LIKE old INCLUDING ALL);"
    " INSERT INTO messages SELECT * FROM old; DROP TABLE old;" + MISSED,
    "a table moved to another schema": "CREATE SCHEMA archive; ALTER TABLE messages SET SCHEMA archive;"
    " CREATE TABLE messages (LIKE archive.messages INCLUDING ALL);"
    " INSERT INTO messages SELECT * FROM archive.messages;" + MISSED,
    "a function replaced": "CREATE OR REPLACE FUNCTION projector.capture_messages() RETURNS trigger"
    f" LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'; {MISSED}",
    "a helper replaced": "CREATE OR REPLACE FUNCTION projector.queue_keys(change_kind text, changed_keys text[],"
    f" changed_ids text[] DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS 'BEGIN END'; {MISSED}",
    "a cascade without triggers": "ALTER TABLE messages DISABLE TRIGGER ALL;"
    " TRUNCATE conversations CASCADE; ALTER TABLE messages ENABLE TRIGGER ALL",
    "a restore": "SET session_replication_role = replica; ALTER TABLE messages DISABLE TRIGGER ALL;"
    f" DELETE FROM messages; {MISSED}; ALTER TABLE messages ENABLE TRIGGER ALL; SET session_replication_role = origin",
}  # fmt: skip


@cases("name", SABOTAGES)
def test_a_refresh_heals_what_was_missed_and_captures_again(
    filled: Platform, other: Connection, name: str, tmp_path: Path
) -> None:
    conn = filled.conn
    put_back(conn)
    conn.execute("TRUNCATE projector.capture_gaps")
    as_of = value(conn, "SELECT as_of FROM read_model.freshness")
    conn.execute(SABOTAGES[name].encode(), prepare=False)
    with pytest.raises(CaptureGapError, match=r"messages|all capture triggers"):
        batch_of(other, 0)
    assert value(conn, "SELECT as_of FROM read_model.freshness") == as_of
    said = run_command(tmp_path, "verify", "--all", DATABASE_URL=filled.database.url).stdout
    assert ("may be no drift: changes may have been missed" in said) is (": 0 differences" not in said), said
    recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
    assert gaps.find_gap(conn) is None
    assert value(conn, "SELECT capture_gap FROM read_model.projection") is None
    assert value(conn, "SELECT count(*) FROM projector.capture_gaps WHERE healed_at IS NULL") == 0
    assert value(conn, "SELECT count(*) FROM projector.capture_gaps") == 1
    assert_exact(conn)
    if value(conn, "SELECT count(*) FROM conversations"):
        assert "missed" in texts(conn, "one", "4915")
        filled.message("c", "captured again")
        recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
        assert "captured again" in texts(conn, "one", "4915")
        assert_exact(conn)


def test_a_gap_during_an_interrupted_rebuild_is_healed_for_the_leads_that_were_done(
    filled: Platform, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    conn = filled.conn
    monkeypatch.setattr(in_place, "LEADS_PER_SNAPSHOT", 1)
    filled.tenant("two")
    filled.conversation(filled.agent("two"), "777")
    refresh_now(conn)
    done: list[str] = []

    def stop(point: str) -> None:
        done.append(point)
        if done.count("compared") == 2:
            raise KeyboardInterrupt

    with filled.database.connect() as own, pytest.raises(KeyboardInterrupt), at_points(stop):
        rebuild(own, tenants=None, progress=QUIET)
    assert (
        value(conn, "SELECT (after_first, after_second)::text FROM projector.sweep_positions") == "(one,4915)"
    )
    conn.execute(SABOTAGES["triggers disabled and enabled"].encode(), prepare=False)
    recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
    assert "missed" in texts(conn, "one", "4915")
    assert_exact(conn)


def test_a_gap_that_opens_while_one_is_healed_stays_open(filled: Platform, other: Connection) -> None:
    conn = filled.conn
    conn.execute(SABOTAGES["a trigger dropped"].encode(), prepare=False)
    recovery.restore_capture(other)
    with Stepped(filled.database, lambda own: recovery.heal(own, progress=QUIET), "compared") as heal:
        conn.execute("ALTER TABLE messages DISABLE TRIGGER leads_capture_insert")
        filled.message("c", "missed again")
        conn.execute("ALTER TABLE messages ENABLE TRIGGER leads_capture_insert")
        heal.finish()
    assert gaps.find_gap(conn) is not None
    recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
    assert "missed again" in texts(conn, "one", "4915")
    assert_exact(conn)


def test_while_capture_is_off_nothing_is_installed(filled: Platform) -> None:
    conn = filled.conn
    control.switch_off(conn, "a bulk import")
    with pytest.raises(CaptureGapError, match="a bulk import"):
        recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)
    assert any("switched off" in notice for notice in migrate(conn, create_source=False))
    triggers.install(conn)
    assert gaps.find_gap(conn) == "all capture triggers are missing"
    assert gaps.gaps_ready_to_close(conn) == []


def test_triggers_that_change_after_the_check_of_all_tables_are_a_gap(
    filled: Platform, other: Connection
) -> None:
    conn = filled.conn
    conn.execute(SABOTAGES["a trigger dropped"].encode(), prepare=False)
    # What the reinstallation does after it has looked for gaps.
    triggers.install(conn)
    assert value(conn, "SELECT reason FROM projector.capture_gaps") == "the triggers on messages were changed"
    assert gaps.find_gap(conn) is None
    recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
    assert "missed" in texts(conn, "one", "4915")
    assert value(conn, "SELECT count(*) FROM projector.capture_gaps WHERE healed_at IS NULL") == 0
    assert_exact(conn)


def test_only_one_session_installs_triggers(filled: Platform, other: Connection) -> None:
    with locks.try_session_lock(other, locks.MIGRATION) as taken:
        assert taken
        with pytest.raises(BlockedError, match="Another session is changing the triggers"):
            control.reinstall(filled.conn, patience=0)


def test_a_source_table_that_is_gone_is_named_until_it_is_back(filled: Platform, other: Connection) -> None:
    conn = filled.conn
    conn.execute("DROP TABLE messages")
    with pytest.raises((CaptureGapError, SourceMissingError), match="messages"):
        recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
    assert texts(conn, "one", "4915") == ["first"]
    conn.execute(sections()["source"], prepare=False)
    recovery.refresh_and_heal(other, retry_failed=False, progress=QUIET)
    assert texts(conn, "one", "4915") == []
    assert_exact(conn)


@pytest.mark.parametrize(
    "statement", ["TRUNCATE contacts", "ALTER TABLE messages ALTER COLUMN text TYPE varchar(9000)"]
)
def test_a_table_that_is_rewritten_while_leads_are_compared_is_no_drift(
    filled: Platform, other: Connection, statement: str
) -> None:
    other.execute("BEGIN")
    other.execute(statement.encode())
    with Stepped(
        filled.database, lambda own: verify(own, tenants=None, sample=None, heal=False, progress=QUIET)
    ) as comparing:
        comparing.waits(filled.conn)
        other.execute("COMMIT")
        assert comparing.finish().drifts == []
    recovery.refresh_and_heal(filled.conn, retry_failed=True, progress=QUIET)
    assert_exact(filled.conn)


@cases("number", table("lead_totals").values)
def test_a_number_of_the_statistics_that_is_wrong_is_named_and_healed(
    filled: Platform, other: Connection, number: str
) -> None:
    """In each span of time, by another amount in each."""
    conn = filled.conn
    spans = ("all", "day", "hour", "new_day", "new_hour")
    for amount, span in enumerate(spans, 2):
        moved = f"UPDATE read_model.lead_totals SET {number} = {number} + %s WHERE granularity = %s"
        assert conn.execute(moved.encode(), (amount, span)).rowcount == 1
    drifts = verify(other, tenants=None, sample=None, heal=True, progress=QUIET).drifts
    for amount, span in enumerate(spans, 2):
        [drift] = [drift for drift in drifts if f'["{span}", ' in drift.field]
        assert (int(drift.found) - int(drift.expected), drift.user_id) == (amount, "one")
        assert f'"{number}"]' in drift.field
    assert len(drifts) == len(spans)
    assert_exact(conn)
