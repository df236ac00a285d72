"""What the tests of recovery do to a read model, and look at afterwards."""

from projector.database.rows import Connection
from projector.report.counted import RunReport
from projector.report.progress import QUIET
from projector.sweep import recovery
from tests.support.running import value

SABOTAGE = b"DROP TRIGGER leads_capture_insert ON messages"
"""What a mistake may do: a message that follows is not captured."""


def messages(conn: Connection) -> int:
    return int(value(conn, "SELECT count(*) FROM read_model.lead_messages"))


def healed(conn: Connection) -> RunReport:
    return recovery.refresh_and_heal(conn, retry_failed=False, progress=QUIET)


def ready(conn: Connection) -> bool:
    return bool(value(conn, "SELECT capture_gap IS NULL FROM read_model.projection"))
