"""What the tests of recovery do to a read model, and look at afterwards."""

from datetime import datetime

from projector import capture
from projector.core.batch import refresh_batch
from projector.database import locks
from projector.database.rows import Connection
from projector.report.counted import RunReport
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.support.running import value, wait_for

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
    return [gap.reason for gap in capture.open_gaps(conn)]


def healed(conn: Connection) -> RunReport:
    return recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)


def ready(conn: Connection) -> bool:
    return bool(value(conn, "SELECT capture_gap IS NULL FROM read_model.projection"))
