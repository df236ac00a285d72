"""Writes into the read model again what it shows of the projector's state.

Where both are in two databases, a crash between two commits can leave there a gap that is not open, or a number of dead
letters that is not right. Rows of leads are made once more with their changes; nothing else would make these.
"""

from projector import capture
from projector.core.dead_letters import count_letters
from projector.core.pipeline import Connection
from projector.sides import is_apart
from projector.sweep import drift_log


def republish(conn: Connection) -> None:
    """Correct it; does nothing where one database holds both."""
    if not is_apart(conn):
        return
    capture.withdraw_gap(conn)
    with conn.transaction():
        count_letters(conn)
        drift_log.publish(conn)
