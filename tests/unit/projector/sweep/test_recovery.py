"""Recovery: what may have been missed is noticed, named, rebuilt and only then forgotten."""

import threading
from datetime import timedelta
from pathlib import Path

import pytest

from projector.core.batch import refresh_batch
from projector.database import locks
from projector.report.errors import BlockedError, RebuildFailedError
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.support.commands import run_command
from tests.support.running import (
    running_scheduler,
    value,
    wait_for,
    wait_until,
    write_conversations,
    write_message,
)
from tests.support.server import Database
from tests.unit.projector.recovering import (
    SABOTAGE,
    Connection,
    as_of,
    clock,
    healed,
    messages,
    open_reasons,
    ready,
    wait_until_fresh,
)


def test_the_command_line_tells_what_it_healed(database: Database, built: Connection, tmp_path: Path) -> None:
    built.execute(SABOTAGE["disabled"].encode())
    write_message(built, "missed")
    status = run_command(tmp_path, "--database-url", database.url, "status")
    assert status.returncode == 1
    assert "leads_capture_insert on messages was changed" in status.stdout
    done = run_command(tmp_path, "--database-url", database.url, "refresh")
    assert done.returncode == 0, done.stderr
    assert "Rebuilt everything" in done.stdout
    assert run_command(tmp_path, "--database-url", database.url, "status").returncode == 0
    assert messages(built) == 1


def test_a_refresh_trades_a_queue_beyond_the_limit_for_a_rebuild(
    database: Database, built: Connection, other: Connection, tmp_path: Path
) -> None:
    for number in range(30):
        write_message(other, f"message {number}")
    done = run_command(tmp_path, "--database-url", database.url, "refresh", LEADS_QUEUE_LIMIT="29")
    assert done.returncode == 0, done.stderr
    assert "because more than 29 changes waited" in done.stdout
    assert messages(built) == 30
    assert value(built, "SELECT count(*) FROM projector.changes") == 0
    assert open_reasons(built) == []


@pytest.mark.usefixtures("built")
def test_the_scheduler_heals_by_itself(database: Database, other: Connection, tmp_path: Path) -> None:
    with running_scheduler(database.url, tmp_path) as scheduler:
        scheduler.wait_for_event("the projector runs")
        with other.transaction():
            other.execute(SABOTAGE["dropped"].encode())
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


def test_a_row_that_cannot_be_projected_keeps_the_gap_open(built: Connection, other: Connection) -> None:
    other.execute(SABOTAGE["dropped"].encode())
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
