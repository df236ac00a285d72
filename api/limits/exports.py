"""The exports under way, and the body of one, which a thread reads from the database a little ahead of its caller.

An export has a thread of the server and a connection on top of those of the other requests, so that none of them waits
for it. A caller that stops reading keeps the thread until the system ends its connection; the connection to the
database is given back before.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import takewhile
from queue import Empty, Full, Queue
from threading import Condition, Event, Thread
from time import monotonic

import structlog
from werkzeug.exceptions import TooManyRequests

from api.database.snapshot import Snapshot
from api.limits.running import most_of_tenant
from api.observe.log import cause_of

UNREAD_SECONDS = 30
"""How long a caller may take for the next piece."""

LONGEST_SECONDS = 3600
"""After which time an export ends unfinished: for as long, PostgreSQL keeps every row that was deleted meanwhile."""

# A piece that is sent at once. Two of them wait for a caller, and a third one is being read.
_PIECE_BYTES = 1024 * 1024
_PIECES_AHEAD = 2
_FIRST_LINES, _MOST_LINES = 50, 5000
# How long an export waits for its place: a caller may have the last bytes of another before the server has ended it.
TAKE_SECONDS = 0.25
RETRY_SECONDS = 10
# How long a place is kept for a tenant that was refused.
TURN_SECONDS = 2 * RETRY_SECONDS

log = structlog.get_logger()


class ExportsBusyError(TooManyRequests):
    """This process has as many exports under way as it takes, of all tenants or of this one."""

    description = "As many exports are under way as there may be (LEADS_EXPORTS): try again later"

    def __init__(self) -> None:
        super().__init__(retry_after=RETRY_SECONDS)


class Exports:
    """Counts the exports under way. Of several places no tenant has all, and no tenant has the only one every time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = Condition()
        self._taken: Counter[str] = Counter()
        # The tenants that were refused while they had no place, the first of them first, and until when one is kept.
        self._refused: dict[str, float] = {}

    def take(self, tenant: str) -> None:
        """Begin an export. Raises ExportsBusyError if there is no place for it soon."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._has_place(tenant), TAKE_SECONDS):
                if not self._taken[tenant]:
                    self._refused[tenant] = monotonic() + TURN_SECONDS
                raise ExportsBusyError
            self._refused.pop(tenant, None)
            self._taken[tenant] += 1

    def give_back(self, tenant: str) -> None:
        """End an export."""
        with self._changed:
            self._taken -= Counter([tenant])
            self._changed.notify_all()

    def _has_place(self, tenant: str) -> bool:
        now = monotonic()
        self._refused = {one: until for one, until in self._refused.items() if until > now}
        before = list(takewhile(lambda one: one != tenant, self._refused))
        return (
            self._taken[tenant] < most_of_tenant(self._most)
            and self._taken.total() + len(before) < self._most
        )


class BrokenExportError(Exception):
    """An export cannot go on. The server then ends the connection before the length that was announced is reached."""


class ExportStream:
    """Yields the opening and then the lines of a snapshot in pieces; closes the snapshot, whatever happens.

    `release` is called once, when neither the caller nor the database has to do with it any more.
    """

    def __init__(
        self, source: Snapshot, opening: bytes, release: Callable[[], None], correlation_id: str
    ) -> None:
        self._source = source
        self._opening = opening
        self._release = release
        self._correlation_id = correlation_id
        self._pieces: Queue[bytes | BrokenExportError | StopIteration] = Queue(_PIECES_AHEAD)
        # What ends the iteration, when it has ended: whoever asks again gets the same.
        self._end: BrokenExportError | StopIteration | None = None
        self._reader: Thread | None = None
        self._closed = Event()

    def __iter__(self) -> Iterator[bytes]:
        """Returns itself, as iterators do."""
        return self

    def __next__(self) -> bytes:
        """Returns the next piece. Raises BrokenExportError where there is none although there should be."""
        if self._reader is None:
            self._reader = Thread(target=self._read, name="export", daemon=True)
            self._reader.start()
            if self._opening:
                return self._opening
        if self._end is None:
            piece = self._pieces.get()
            if isinstance(piece, bytes):
                return piece
            self._end = piece
            self.close()
        raise self._end

    def close(self) -> None:
        """End the export, also before its end. A WSGI server calls it in any case."""
        if self._closed.is_set():
            return
        self._closed.set()
        if self._reader is None:
            self._source.close()
            self._release()
        self._forget_pieces()

    def __del__(self) -> None:
        """Give the place back where an error kept the response from reaching the server."""
        self.close()

    def _read(self) -> None:
        """Put all pieces into the queue, and then how the iteration ends."""
        ends, count = monotonic() + LONGEST_SECONDS, _FIRST_LINES
        problem: str | None = None
        try:
            while not self._closed.is_set() and (lines := self._source.read(count)):
                piece = b"".join(lines)
                count = min(_MOST_LINES, max(1, len(lines) * _PIECE_BYTES // len(piece)))
                self._pieces.put(piece, timeout=UNREAD_SECONDS)
                if monotonic() > ends:
                    problem = f"it has taken more than {LONGEST_SECONDS} seconds"
                    break
            # Before the caller learns of the end, and may begin another export.
            self._source.close()
            if problem is None:
                self._pieces.put(StopIteration(), timeout=UNREAD_SECONDS)
        except Full:
            problem = f"its caller has taken nothing for {UNREAD_SECONDS} seconds"
        except Exception as error:  # noqa: BLE001  # Whatever it is, the caller must not take this for the end.
            problem = cause_of(error)
        finally:
            self._source.close()
        if problem is not None:
            if not self._closed.is_set():
                log.warning("an export was broken off", reason=problem, correlation_id=self._correlation_id)
            # What waits is of no use any more, and the caller has to learn of the end.
            self._forget_pieces()
            self._pieces.put(
                BrokenExportError("The export was broken off: the line of the log before says why")
            )
        self._closed.wait()
        self._release()

    def _forget_pieces(self) -> None:
        with suppress(Empty):
            while True:
                self._pieces.get_nowait()
