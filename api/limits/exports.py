"""The exports under way, and the body of an export, which is read from the database as fast as its caller takes it.

An export has a thread while it reads a piece, and a connection of its own, so that no other request waits for it. If
the caller stops reading, PostgreSQL ends the session, and the operating system ends the connection.
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from itertools import takewhile
from threading import Condition
from time import monotonic

import structlog
from werkzeug.exceptions import TooManyRequests

from api.database.snapshot import IDLE_SECONDS, Snapshot
from api.limits.admission import Slots
from api.observe.log import cause_of
from api.request.error_codes import ErrorCode

UNREAD_SECONDS = IDLE_SECONDS
"""How long a caller may take to read a piece."""

LONGEST_SECONDS = 3600
"""After this time an export is broken off: while it runs, PostgreSQL cannot remove any row that others delete."""

# The size of a piece, which is sent at once.
_PIECE_BYTES = 1024 * 1024
_FIRST_LINES, _MOST_LINES = 50, 5000
# How long an export waits for a slot: its caller may have read another export before the server has ended that one.
TAKE_SECONDS = 0.25
RETRY_SECONDS = 10
# How long a slot is kept for a tenant that was refused.
RESERVED_SECONDS = 2 * RETRY_SECONDS

log = structlog.get_logger()


class ExportsBusyError(TooManyRequests):
    """This process runs as many exports as it may, in total or for this tenant."""

    error_code = ErrorCode.EXPORTS_BUSY
    description = "As many exports are under way as there may be (LEADS_EXPORTS): try again later"

    def __init__(self) -> None:
        super().__init__(retry_after=RETRY_SECONDS)


class Exports(Slots):
    """The exports under way. A slot is kept for a tenant that was refused, so that no other takes it every time."""

    def __init__(self, most: int) -> None:
        super().__init__(most)
        self._given_back = Condition(self._lock)
        # The tenants that were refused while they held no slot, oldest first, and until when a slot is kept for each.
        self._refused: dict[str, float] = {}

    def take(self, *names: str) -> bool:
        """Take a slot for a tenant. Returns whether one was free within TAKE_SECONDS."""
        with self._given_back:
            is_free = self._given_back.wait_for(lambda: self._take(*names), TAKE_SECONDS)
            if not is_free and not self._taken[names[0]]:
                self._refused[names[0]] = monotonic() + RESERVED_SECONDS
        return is_free

    def give_back(self, *names: str) -> None:
        """Give a slot back."""
        super().give_back(*names)
        with self._given_back:
            self._given_back.notify_all()

    def _take(self, *names: str) -> bool:
        now = monotonic()
        self._refused = {user_id: until for user_id, until in self._refused.items() if until > now}
        before = list(takewhile(lambda user_id: user_id != names[0], self._refused))
        is_free = self._count + len(before) < self._most and super()._take(*names)
        if is_free:
            self._refused.pop(names[0], None)
        return is_free


class BrokenExportError(Exception):
    """The export was broken off. The server ends the connection before it has sent the announced length."""


class ExportStream(Iterator[bytes]):
    """Yields the lines of a snapshot in pieces.

    `release` ends the snapshot and gives the slot back. It is called at the end of the export, however it ends.
    """

    def __init__(self, source: Snapshot, release: Callable[[], None], correlation_id: str) -> None:
        self._pieces = _read(source, release, correlation_id)
        next(self._pieces)
        self._is_closed = False

    def __next__(self) -> bytes:
        """Return the next piece. Raises BrokenExportError if the export cannot continue."""
        try:
            return next(self._pieces)
        finally:
            if self._is_closed:
                self.close()

    def close(self) -> None:
        """End the export, even if lines are left. The server always calls it."""
        self._is_closed = True
        # ValueError: a thread is reading a piece, and closes the export afterwards.
        with suppress(BrokenExportError, ValueError):
            self._pieces.close()


def _read(source: Snapshot, release: Callable[[], None], correlation_id: str) -> Generator[bytes]:
    ends, count = monotonic() + LONGEST_SECONDS, _FIRST_LINES
    try:
        # The generator has begun, so it releases even if an error keeps the response from reaching the server.
        yield b""
        while lines := source.read(count):
            piece = b"".join(lines)
            count = min(_MOST_LINES, max(1, len(lines) * _PIECE_BYTES // len(piece)))
            given_at = monotonic()
            try:
                yield piece
            finally:
                _require_time(
                    given_at + UNREAD_SECONDS,
                    f"its caller has taken nothing for {UNREAD_SECONDS} seconds",
                )
            _require_time(ends, f"it has taken more than {LONGEST_SECONDS} seconds")
    except Exception as error:
        # Whatever it is, the caller must not take the lines before it for the whole export.
        log.warning("an export was broken off", reason=cause_of(error), correlation_id=correlation_id)
        raise BrokenExportError("The export was broken off: the line of the log before says why") from error
    finally:
        # Before the caller learns of the end, and may begin another export.
        release()


def _require_time(ends: float, problem: str) -> None:
    if monotonic() > ends:
        raise TimeoutError(problem)
