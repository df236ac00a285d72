"""Whether a job of the scheduler may do its work now."""

import psycopg
from psycopg.rows import TupleRow

from projector.core.preconditions import require_migrated_version
from projector.database.sql import query
from projector.sweep import recovery

Connection = psycopg.Connection[TupleRow]

VERIFY_GIVES_WAY_ABOVE_CHANGES = 10_000
"""While more changes wait, a verify would read them all with each slice, and leave out most leads."""

CRON_WINDOW_SECONDS = 50
"""A run from cron is left out where another scheduler began one so recently: their clocks may differ a little, and
cron expressions have minutes."""


def may_verify(conn: Connection) -> bool:
    """Return whether what differs now would be drift, and nothing more urgent is to be done.

    So it is while the read model is of this version, every change is captured, no rebuild of everything is under way,
    and not too many changes wait.
    """
    require_migrated_version(conn)
    reasons = recovery.find_rebuild_reasons(conn)
    is_exact = reasons.reason is None and reasons.switched_off is None and not reasons.interrupted
    return is_exact and not recovery.is_too_deep(conn, VERIFY_GIVES_WAY_ABOVE_CHANGES)


def began_lately(conn: Connection, kind: str) -> bool:
    """Return whether another process has begun this run already."""
    wanted = {"kind": kind, "seconds": CRON_WINDOW_SECONDS}
    return conn.execute(query("scheduler", "began_lately"), wanted).fetchone() == (True,)
