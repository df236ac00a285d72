"""Recovery: what may have been missed is noticed, named, rebuilt and only then forgotten."""

import threading
from pathlib import Path

import pytest

from projector.database import locks
from projector.database.rows import Connection
from projector.report.errors import BlockedError, RebuildFailedError
from projector.sweep import recovery
from tests.support.commands import run_command
from tests.support.running import (
    write_conversations,
    write_message,
)
from tests.support.server import Database
from tests.unit.projector.recovering import (
    SABOTAGE,
    healed,
    messages,
    open_reasons,
    ready,
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
    for number in range(30):
        write_message(built, f"message {number}")
    built.execute("UPDATE projector.changes SET bulk = true")
    done = run_command(tmp_path, "--database-url", database.url, "refresh", LEADS_QUEUE_LIMIT="29")
    assert "because more than 29 changes waited" in done.stdout, done.stderr
    assert (messages(built), open_reasons(built)) == (31, [])


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
    # It has a second to give up in.
    assert not done.wait(1)
    other.execute("SELECT pg_advisory_unlock(%s, 0)", (locks.REBUILD,))
    thread.join()
    assert (done.is_set(), messages(built)) == (True, 1)
