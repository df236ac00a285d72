"""Recovery: what may have been missed, or was interrupted, is noticed, named, rebuilt and only then forgotten."""

import time
from types import SimpleNamespace

import pytest

from projector.capture import gaps
from projector.database import locks
from projector.database.rows import Connection
from projector.report.errors import BlockedError, RebuildFailedError
from projector.report.progress import QUIET
from projector.sweep import rebuild as in_place
from projector.sweep import recovery
from projector.sweep.rebuild import rebuild
from tests.exactness.platform import refresh_now
from tests.support.points import at_points
from tests.support.running import (
    value,
    write_conversations,
    write_message,
    write_source,
)
from tests.support.server import Database
from tests.unit.projector.recovering import SABOTAGE, healed, messages, ready


def test_a_row_that_cannot_be_projected_keeps_the_gap_open(built: Connection, other: Connection) -> None:
    other.execute(SABOTAGE)
    other.execute("ALTER TABLE read_model.leads ADD CHECK (customer_phone <> '49151000002')")
    write_conversations(other, 1, first=2)
    with pytest.raises(RebuildFailedError, match=r"\(sql/refresh/8_write_leads/40_upsert_leads.sql\)"):
        healed(built)
    assert not ready(built)
    other.execute(
        "UPDATE conversations SET customer_phone = '49151000003' WHERE customer_phone = '49151000002'"
    )
    healed(built)
    assert ready(built)


def test_a_session_that_writes_for_long_is_named(
    database: Database, built: Connection, other: Connection
) -> None:
    other.execute(SABOTAGE)
    with database.connect(application_name="platform import") as writer, writer.transaction():
        write_message(writer, "open")
        with pytest.raises(BlockedError, match="platform import"):
            recovery.restore_capture(built, patience=0.5)
    assert gaps.open_gaps(built)
    healed(built)
    assert (messages(built), ready(built)) == (1, True)


def test_a_refresh_waits_for_a_healing_under_way(
    built: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    other.execute(SABOTAGE)
    write_message(other, "missed")
    other.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) > 2 * recovery.RECOVERY_ATTEMPTS:
            other.execute("SELECT pg_advisory_unlock(%s, 0)", (locks.REBUILD,))

    monkeypatch.setattr(recovery, "time", SimpleNamespace(sleep=pause, monotonic=time.monotonic))
    healed(built)
    assert messages(built) == 1
    assert len(pauses) > 2 * recovery.RECOVERY_ATTEMPTS


# Rebuilds that were killed or failed: what they leave, and what resumes them.

DRIFT = "UPDATE read_model.leads SET document = '{}'"
DRIFTED = "SELECT coalesce(string_agg(right(customer_phone, 1), '' ORDER BY customer_phone), '') FROM read_model.leads"
DRIFTED += " WHERE document = '{}'"


def test_a_rebuild_that_fails_keeps_no_change_from_being_refreshed(
    built: Connection, other: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It fails for the second of three leads that are all wrong, each a piece of its own.
    monkeypatch.setattr(in_place, "LEADS_PER_SNAPSHOT", 1)
    write_conversations(other, 2, first=2)
    healed(built)
    other.execute(DRIFT.encode())
    other.execute(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END'"
    )
    other.execute(
        "CREATE TRIGGER refuse BEFORE UPDATE ON read_model.leads FOR EACH ROW"
        " WHEN (NEW.customer_phone = '49151000002') EXECUTE FUNCTION refuse()"
    )
    with pytest.raises(RebuildFailedError, match=r"no \(sql/refresh/8_write_leads/40_upsert_leads.sql\)"):
        recovery.rebuild_everything(built, progress=QUIET)
    write_message(other, "new")
    healed(built)
    assert messages(built) == 1
    assert value(built, DRIFTED) == "23"
    other.execute("DROP TRIGGER refuse ON read_model.leads")
    assert recovery.heal(built, progress=QUIET) is not None
    assert value(built, DRIFTED) == ""


def test_a_rebuild_under_way_is_not_noted_as_interrupted(built: Connection, other: Connection) -> None:
    other.execute("SELECT pg_advisory_lock(%s, 0)", (locks.REBUILD,))
    other.execute("INSERT INTO projector.runs (kind, started_at) VALUES ('rebuild', now())")
    healed(built)
    assert value(built, "SELECT count(*) FROM projector.runs WHERE outcome = 'interrupted'") == 0


def test_an_interrupted_rebuild_of_one_tenant_is_not_taken_for_one_of_everything(
    built: Connection, other: Connection
) -> None:
    write_source(other, "v")
    refresh_now(built)
    other.execute(DRIFT.encode())

    def interrupt(_point: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), at_points(interrupt):
        rebuild(built, tenants=["u"], progress=QUIET)
    assert not recovery.find_rebuild_reasons(built).interrupted


def test_a_rebuild_by_hand_begins_anew_after_one_that_was_interrupted(
    built: Connection, other: Connection
) -> None:
    other.execute(DRIFT.encode())

    def interrupt(_point: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), at_points(interrupt):
        recovery.rebuild_everything(built, progress=QUIET)
    assert recovery.find_rebuild_reasons(built).interrupted
    # As if it had passed by the lead that differs.
    other.execute("UPDATE projector.sweep_positions SET phase = 'leads', after_first = 'zzz'")
    recovery.rebuild_everything(built, progress=QUIET)
    assert value(built, DRIFTED) == ""
    assert not recovery.find_rebuild_reasons(built).interrupted
