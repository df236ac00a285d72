"""The clock of a server against that of this process, which is never set back."""

import time
from datetime import datetime, timedelta

from projector.database.rows import Connection

SLOWEST = 0.9
"""The speed of a server's clock, in seconds a second of this process, below which it was set back."""


class Clock:
    """What was last read from the clock of a server."""

    def __init__(self) -> None:
        self._read: tuple[datetime, float] | None = None

    def note(self, at: datetime) -> None:
        """Note what the clock says."""
        self._read = at, time.monotonic()

    @property
    def least(self) -> datetime | None:
        """What the clock says now at least, unless it was set back; None before it was read."""
        if self._read is None:
            return None
        at, noted_at = self._read
        return at + timedelta(seconds=SLOWEST * (time.monotonic() - noted_at))


_clocks: dict[tuple[str, int, str], Clock] = {}


def clock_of(conn: Connection) -> Clock:
    """Return the clock of the server of this connection, as all sessions of this process have read it."""
    info = conn.info
    return _clocks.setdefault((info.host, info.port, info.dbname), Clock())
