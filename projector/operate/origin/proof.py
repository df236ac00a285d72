"""How fresh the read model can be if logical replication brings the rows of the source tables.

Changes that have not arrived cannot be captured, so the clock of this server proves nothing. The clock of the origin
does, together with the position in its WAL: once every subscription has applied the WAL up to a position, everything
that was committed at the origin before its clock was read is here. Freshness does not advance beyond such a moment.
"""

import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg
import structlog

from projector.core.batch import lower_moments
from projector.core.clock import Clock
from projector.core.preconditions import require_installed
from projector.database.connect import PARAMETERS, normalize, redact
from projector.database.rows import Connection, only_row, rows, value, values
from projector.database.sql import query
from projector.operate.origin.publications import (
    Brought,
    look,
    note_left_out,
    read_brought,
    read_left_out,
    say_left_out,
)
from projector.report.counted import counted
from projector.report.errors import ConfigurationError, reason_of

LOOK_EVERY_SECONDS = 0.5

_MOST_MOMENTS = 200
"""How many moments may wait for their proof. The oldest are kept, because they are proved first."""

_MOST_ONCE_SECONDS = 3.0
_PAUSE_ONCE_SECONDS = 0.1

_PARAMETERS = {
    **PARAMETERS,
    "connect_timeout": "5",
    "target_session_attrs": "primary",
    "tcp_user_timeout": "10000",
    "options": "-c search_path=pg_catalog,pg_temp -c statement_timeout=5000 -c default_transaction_read_only=on",
}

_log = structlog.get_logger(__name__)


class _UnprovenError(Exception):
    """The position of the origin cannot be read; the message says why, as a sentence without a full stop."""


@dataclass(frozen=True, slots=True)
class Feed:
    """A subscription that brings rows of source tables, and its position.

    `bytes_behind` is how much of the origin's WAL it has not applied yet; None if that is not known.
    """

    name: str
    slot_name: str | None
    is_enabled: bool
    unready_tables: int
    has_worker: bool
    position: str | None
    errors: int
    bytes_behind: int | None


@dataclass(frozen=True, slots=True)
class _NewestClock:
    """A moment that the origin's clock is only behind if it was set back, and how often a clock was set back."""

    newest_clock: datetime | None
    set_backs: int


class Origin:
    """The server from which the source rows come, by LEADS_ORIGIN_DATABASE_URL; an empty URL if that is not set."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._conn: Connection | None = None
        self._moments: deque[tuple[datetime, str]] = deque()
        self._clock = Clock()
        self._set_backs = 0
        self._logged: str | None = None
        self.has_proved = False

    def follow(self, conn: Connection) -> float:
        """Note what is proved, and what keeps changes from arriving. Returns the seconds until the next call.

        The connection is in autocommit mode, so that readers of the proof see what a subscription has applied.
        """
        feeds = read_feeds(conn)
        problem = None
        if not feeds and not self._url:
            conn.execute(query("origin", "forget_origin"))
        else:
            at, position, brought = None, None, read_brought(conn)
            newest = self._read_newest_clock(conn)
            try:
                at, position, reasons = self._take_moment(feeds, brought)
            except _UnprovenError as error:
                problem, left_out = str(error), read_left_out(conn)
            else:
                self._clock.note(at)
                if newest is not None and at < newest:
                    self._moments.clear()
                    with conn.transaction():
                        lower_moments(conn, None)
                left_out = note_left_out(conn, reasons, brought)
            errors = sum(feed.errors for feed in feeds)
            conn.execute(query("origin", "note_look"), {"clock": at, "position": position, "errors": errors})
            self._prove(conn, errors)
            errors_at_proof = value(conn, query("origin", "read_errors")) or 0
            feed_problem = find_problem(feeds, read_unfed_tables(conn), errors_at_proof)
            problem = feed_problem or problem or say_left_out(left_out)
        conn.execute(query("origin", "note_problem"), {"problem": problem})
        if problem != self._logged:
            if problem is not None:
                _log.warning("changes of the platform may not arrive", reason=problem)
            else:
                _log.info("changes of the platform arrive again")
            self._logged = problem
        return LOOK_EVERY_SECONDS

    def close(self) -> None:
        """Close the connection to the origin."""
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _read_newest_clock(self, conn: Connection) -> datetime | None:
        """Return the least time of the origin's clock, unless it was set back; None if it is not known."""
        stored = only_row(conn, _NewestClock, query("origin", "read_newest_clock"))
        if stored.set_backs != self._set_backs:
            # Another session has found that a clock was set back.
            self._moments.clear()
            self._set_backs = stored.set_backs
        return max(filter(None, (stored.newest_clock, self._clock.least)), default=None)

    def _take_moment(
        self, feeds: list[Feed], brought: list[Brought]
    ) -> tuple[datetime, str, Mapping[str, str]]:
        """Return the clock of the origin, its position, and what is left out there.

        A moment only counts if nothing was left out after it had been read. Raises _UnprovenError if it cannot be read.
        """
        if not self._url:
            raise _UnprovenError(
                "LEADS_ORIGIN_DATABASE_URL is not set, so that nothing proves what has arrived, and X-Data-As-Of"
                " stands still"
            )
        slots = [feed.slot_name for feed in feeds if feed.slot_name is not None]
        try:
            if self._conn is None or self._conn.closed:
                self._conn = Connection.connect(_conninfo(self._url), autocommit=True)
            at, position, slot_count = read_moment(self._conn, slots)
            if self._moments and self._moments[-1][1] == position:
                self._conn.execute(query("origin", "push_to_disk"))
            reasons = look(self._conn, brought)
        except psycopg.Error as error:
            self.close()
            reason = redact(reason_of(error), self._url)
            raise _UnprovenError(
                f"The origin cannot be read by LEADS_ORIGIN_DATABASE_URL: {reason}"
            ) from error
        if slot_count < len(feeds):
            raise _UnprovenError(
                "LEADS_ORIGIN_DATABASE_URL leads to a database without the replication slots of"
                f" {', '.join(feed.name for feed in feeds)}: name the publisher's"
            )
        if len(self._moments) == _MOST_MOMENTS:
            # Drop the latest but one: the oldest will be proved first, and the latest proves most.
            self._moments.pop()
        self._moments.append((at, position))
        return at, position, reasons

    def _prove(self, conn: Connection, errors: int) -> None:
        moments = list(self._moments)
        if not moments:
            return
        ats, positions = map(list, zip(*moments, strict=True))
        proved = value(conn, query("origin", "find_proof"), {"moments": ats, "positions": positions})
        if proved is None:
            return
        proof = {"at": proved, "errors": errors, "set_backs": self._set_backs}
        conn.execute(query("origin", "note_proof"), proof)
        self.has_proved = True
        while self._moments and self._moments[0][0] <= proved:
            self._moments.popleft()


def read_feeds(conn: Connection) -> list[Feed]:
    """Return the subscriptions that bring rows of source tables; none if these are the platform's own."""
    return rows(conn, Feed, query("origin", "read_feeds"))


def read_unfed_tables(conn: Connection) -> list[str]:
    """Return the source tables, or partitions of one, that no subscription brings although one brings others."""
    return values(conn, query("origin", "read_unfed_tables"))


def find_problem(feeds: list[Feed], unfed_tables: list[str], errors_at_proof: int) -> str | None:
    """Return what keeps changes from arriving, as a sentence without a full stop, or None."""
    if not feeds:
        return "No subscription brings rows of the source tables, although LEADS_ORIGIN_DATABASE_URL is set"
    for feed in feeds:
        if not feed.is_enabled:
            return f"The subscription {feed.name} is disabled"
        if feed.unready_tables:
            return f"The subscription {feed.name} has yet to copy {counted(feed.unready_tables, 'table')}"
    if unfed_tables:
        return f"No subscription brings rows of {', '.join(unfed_tables)}"
    failures = sum(feed.errors for feed in feeds) - errors_at_proof
    names = ", ".join(feed.name for feed in feeds)
    if failures > 0:
        return f"The subscription {names} failed {counted(failures, 'time')} since something arrived last"
    idle = next((feed for feed in feeds if not feed.has_worker), None)
    return None if idle is None else f"The subscription {idle.name} has no worker"


def note_once(conn: Connection, url: str) -> None:
    """Note what is proved at this moment, for a process that does not keep running.

    It waits for the subscriptions, which report their positions a moment later.
    """
    require_installed(conn)
    origin = Origin(url)
    deadline = time.monotonic() + _MOST_ONCE_SECONDS
    try:
        origin.follow(conn)
        while url and not origin.has_proved and time.monotonic() < deadline:
            time.sleep(_PAUSE_ONCE_SECONDS)
            origin.follow(conn)
    finally:
        origin.close()


def read_moment(origin: Connection, slots: list[str]) -> tuple[datetime, str, int]:
    """Return the clock of the origin, a position after all earlier commits there, and its number of slots.

    The clock is read first, so that commits between the two are waited for but not promised.
    """
    at = value(origin, query("origin", "read_origin_clock"))
    [(position, slot_count)] = origin.execute(
        query("origin", "read_origin_position"), {"slots": slots}
    ).fetchall()
    return at, position, slot_count


def _conninfo(url: str) -> str:
    """Return the address of the origin with our parameters.

    Raises ConfigurationError where it cannot be read.
    """
    try:
        address = psycopg.conninfo.conninfo_to_dict(normalize(url))
    except psycopg.ProgrammingError:
        raise ConfigurationError(
            "LEADS_ORIGIN_DATABASE_URL cannot be read: write it as postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
        ) from None
    return psycopg.conninfo.make_conninfo(
        "", **{**_PARAMETERS, **address, "application_name": "leads-projector: origin"}
    )
