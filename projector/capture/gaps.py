"""Capture gaps: times in which changes of the source tables may have been missed.

A gap has three states. It is open when it is noticed, without working triggers. It is ready to close once the triggers
are installed again: from then on nothing is missed. A rebuild of everything that begins later closes it.
"""

from dataclasses import dataclass
from datetime import datetime

from projector.database import rows
from projector.database.rows import Connection
from projector.database.sql import query

# If two sessions notice the same gap, the second one finds it open.
_ONE_AT_A_TIME = "LOCK TABLE projector.capture_gaps IN SHARE ROW EXCLUSIVE MODE"


@dataclass(frozen=True, slots=True)
class Gap:
    """An open gap. `reinstalled_at` is when the triggers were installed again; None if they were not.

    `fills` says, as a clause, what the rebuild that follows fills; None for a gap that nobody planned.
    """

    gap_id: int
    reason: str
    reinstalled_at: datetime | None
    fills: str | None


def find_gap(conn: Connection) -> str | None:
    """Return in words how the triggers differ from the installed ones; None if capture is intact."""
    reason: str | None = rows.value(conn, query("capture", "find_gap"))
    return reason


def note_gap(conn: Connection) -> str | None:
    """Open a gap if the triggers differ from the installed ones.

    Returns the reason if the gap is new. Returns None if capture is intact, if the gap is already open, or if another
    session, which opened the gap before, has meanwhile installed the triggers again.
    """
    with conn.transaction():
        conn.execute(_ONE_AT_A_TIME)
        reason = find_gap(conn)
        return reason if reason is not None and open_gap(conn, reason) else None


def open_gap(conn: Connection, reason: str, fills: str | None = None) -> bool:
    """Note that changes may be missed from now on, for `status`, for readiness and for the next rebuild.

    `fills` says what that rebuild fills, if the gap is planned: see Gap.

    Returns false if a gap with this reason is already open.
    """
    with conn.transaction():
        conn.execute(_ONE_AT_A_TIME)
        opened = conn.execute(query("capture", "open_gap"), {"reason": reason, "fills": fills})
        _publish(conn)
    return opened.rowcount > 0


def open_gaps(conn: Connection) -> list[Gap]:
    """Return the gaps that no rebuild has closed, the oldest first."""
    return rows.rows(conn, Gap, query("capture", "find_open_gaps"))


def gaps_without_triggers(conn: Connection) -> list[int]:
    """Return the ids of the open gaps since which the triggers were not installed again."""
    return [gap.gap_id for gap in open_gaps(conn) if gap.reinstalled_at is None]


def gaps_ready_to_close(conn: Connection) -> list[int]:
    """Return the ids of the open gaps since which the triggers were installed again.

    A rebuild of everything that begins after this call heals them.
    """
    return [gap.gap_id for gap in open_gaps(conn) if gap.reinstalled_at is not None]


def close_gaps(conn: Connection, gap_ids: list[int]) -> None:
    """Close the gaps that a rebuild has healed; it began after they were ready to close."""
    with conn.transaction():
        conn.execute(query("capture", "note_gaps", moment="healed_at"), {"gap_ids": gap_ids})
        _publish(conn)


def switched_off(conn: Connection) -> str | None:
    """Return why an operator switched capture off; None while it is on."""
    reason: str | None = rows.value(conn, query("database", "read_setting"), {"name": "capture_off"})
    return reason


def _publish(conn: Connection) -> None:
    """Publish in the read model why changes may have been missed, or that none were.

    Of several gaps it publishes the newest, but a planned one does not hide an unplanned one.
    """
    told = max(open_gaps(conn), key=lambda gap: (gap.fills is None, gap.gap_id), default=None)
    parameters = {"reason": told and told.reason, "fills": told and told.fills}
    conn.execute(query("capture", "publish_gap"), parameters)
