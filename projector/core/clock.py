"""Compares the clock of a server with the monotonic clock of this process."""

import time
from datetime import datetime, timedelta

from projector.database.rows import Connection

SLOWEST = 0.9
"""If a server's clock is slower than this, in seconds for each second of this process, it was set back."""


class Clock:
    """The last reading of a server's clock."""

    def __init__(self) -> None:
        self._read: tuple[datetime, float] | None = None

    def note(self, at: datetime) -> None:
        """Note the time of the clock."""
        self._read = at, time.monotonic()

    @property
    def least(self) -> datetime | None:
        """The least time that the clock shows now unless it was set back; None before it was read."""
        if self._read is None:
            return None
        at, noted_at = self._read
        return at + timedelta(seconds=SLOWEST * (time.monotonic() - noted_at))


_clocks: dict[tuple[str, int, str], Clock] = {}


def clock_of(conn: Connection) -> Clock:
    """Return the clock of the server of this connection, which all sessions of this process share."""
    info = conn.info
    return _clocks.setdefault((info.host, info.port, info.dbname), Clock())
