"""What the tests of recovery do to a read model, and look at afterwards."""

from projector.capture import gaps
from projector.database.rows import Connection
from projector.report.counted import RunReport
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.support.running import value

# What a mistake may do, each followed by a message that is not captured.
SABOTAGE = {
    "disabled": "ALTER TABLE messages DISABLE TRIGGER leads_capture_insert",
    "dropped": "DROP TRIGGER leads_capture_insert ON messages",
}


def messages(conn: Connection) -> int:
    return int(value(conn, "SELECT count(*) FROM read_model.lead_messages"))


def open_reasons(conn: Connection) -> list[str]:
    return [gap.reason for gap in gaps.open_gaps(conn)]


def healed(conn: Connection) -> RunReport:
    return recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)


def ready(conn: Connection) -> bool:
    return bool(value(conn, "SELECT capture_gap IS NULL FROM read_model.projection"))
