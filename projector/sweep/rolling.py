"""The rolling verify: a scheduler goes through everything in slices, round after round.

A slice is one comparison, in one short snapshot, and one short transaction that records what it found and moves the
stored position. A process that is killed in between does the slice again. What was left out, because a change of it
waited, is kept and compared again before the round ends; what is still left out then is counted.

A round is spread evenly over the days that an operator gives it. It reaches everything once in the first
PASS_SHARE of them, then compares again what waited. The next round begins after ROUND_SHARE of them, so that two looks
at one lead are not further apart than these days. Where time was lost, the slices follow as if the whole round had
CATCH_UP_SHARE of its days: a projector that was off does not make up for it in a burst.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
import structlog
from psycopg.rows import class_row

from projector.core import pipeline
from projector.core.pipeline import Connection, InjectionPoint, no_injection_point
from projector.core.snapshots import read_source
from projector.database import locks
from projector.database.sql import PROJECTION_VERSION, query
from projector.report.errors import BlockedError, note_of
from projector.sweep import drift, positions
from projector.sweep.compare import compare_piece
from projector.sweep.drift import Comparison, Item, item_arrays
from projector.sweep.leads import create_tables
from projector.sweep.pieces import Piece, find_leads, split_items
from projector.sweep.positions import START, VERIFY
from projector.sweep.run_log import read_clock

PHASES = ("leads", "keys", "conversation", "contact", "template_send", "statistics", "again")
"""What a round compares, in this order: leads, the keys that projector.source_keys has, those of the source by their
kind, the statistics, and again what waited."""

GIVE_WAY_SECONDS = 30.0
"""How long a slice waits that met a lock of the platform, a truncated table, or a gap that a refresh has to see."""

TENANTS_PER_SLICE = 50
"""Tenants whose statistics one slice compares."""

LEADS_OF_STATISTICS = 100_000
"""The leads that the statistics of one slice add up, unless a tenant alone has more."""

PASS_SHARE = 0.8
ROUND_SHARE = 0.9
CATCH_UP_SHARE = 0.1
AGAIN_SHARE = 0.01
"""Part of a round's days after which what waited is compared again."""

LEAST_SLICE, LARGEST_SLICE = 100, 1000
"""Leads or keys of one slice: less is not worth its transaction, more would be a long one."""

SLICE_SECONDS = 300.0
"""A slice is as large as a round needs at one in so many seconds, within these bounds."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Pace:
    """Where a round is. `days` is how long it may take, `elapsed` how long it has taken."""

    days: float
    elapsed: timedelta
    rows_total: int
    rows_done: int

    @property
    def slice_size(self) -> int:
        """How many leads or keys the next slice compares."""
        wanted = SLICE_SECONDS / max(self._seconds_for(1), 1e-6)
        return min(max(round(wanted), LEAST_SLICE), LARGEST_SLICE)

    def pause(self, rows: int, seconds_taken: float) -> timedelta:
        """Return the pause after a slice of so many rows, which began here; as long as the slice took at least."""
        return timedelta(seconds=max(self._seconds_for(rows), seconds_taken))

    def _seconds_for(self, rows: int) -> float:
        """What so many rows get of the time that is left, and as if the whole had CATCH_UP_SHARE at least."""
        if rows == 0:
            return 0.0
        whole = self.days * 86_400
        left = max(PASS_SHARE * whole - max(self.elapsed.total_seconds(), 0.0), 0.0)
        rows_left = max(self.rows_total - self.rows_done, rows)
        all_rows = max(self.rows_total, self.rows_done + rows)
        return max(left * rows / rows_left, CATCH_UP_SHARE * whole * rows / all_rows)


def next_start(started_at: datetime, days: float) -> datetime:
    """Return when the round after the one that started then begins."""
    return started_at + timedelta(days=ROUND_SHARE * days)


def last_attempt(started_at: datetime, reached_at: datetime, days: float) -> datetime:
    """Return until when a round that has reached everything compares again what waited."""
    return max(next_start(started_at, days), reached_at + timedelta(days=CATCH_UP_SHARE * days))


def between_attempts(days: float) -> timedelta:
    """Return the pause before what waited is compared again."""
    return timedelta(days=AGAIN_SHARE * days)


def seconds_until(due_at: datetime, now: datetime, days: float) -> float:
    """Return the seconds until something is due, 0 if it is.

    No pause is as long as a round. A moment further away was noted before the clock was set back: it is due.
    """
    wait = (due_at - now).total_seconds()
    return 0.0 if wait > days * 86_400 else max(wait, 0.0)


@dataclass(frozen=True, slots=True)
class Round:
    """The present round."""

    round_id: int
    version: str
    started_at: datetime
    phase: str
    after_first: str
    after_second: str
    due_at: datetime
    reached_at: datetime | None
    rows_total: int
    rows_done: int
    leads: int
    differences: int

    @property
    def after(self) -> tuple[str, str]:
        """What is done of the phase."""
        return self.after_first, self.after_second

    def pace(self, now: datetime, days: float) -> Pace:
        """Return where it is at this moment, if it may take so many days."""
        return Pace(days, now - self.started_at, self.rows_total, self.rows_done)


def step(
    conn: Connection,
    days: float,
    *,
    may_compare: Callable[[Connection], bool] = lambda _: True,
    point: InjectionPoint = no_injection_point,
) -> float:
    """Compare the next slice of a round that may take so many days, if one is due; return the seconds until the next.

    `may_compare` says whether what differs now would be drift, and is asked before a comparison and after one that
    found some: what a capture gap has hidden is none. The connection is prepared with pipeline.prepare_session(), and
    holds the lock of the job.

    Raises what a comparison raises; `status` shows that until a slice succeeds.
    """
    now = read_clock(conn)
    present = read_round(conn)
    wait = 0.0
    if present is None:
        [last] = conn.execute(query("sweep", "read_last_start")).fetchone() or (None,)
        wait = 0.0 if last is None else seconds_until(next_start(last, days), now, days)
    elif present.version == PROJECTION_VERSION:
        wait = seconds_until(present.due_at, now, days)
    if wait > 0:
        return wait
    if not may_compare(conn):
        return GIVE_WAY_SECONDS
    if present is None or present.version != PROJECTION_VERSION:
        # What another version has proved says nothing of this one.
        present = begin(conn, days, now)
    try:
        # What was compared before an erasure is not recorded after it.
        with locks.shared_session_lock(conn, locks.ERASURE):
            present = read_round(conn) or present
            return _Slice(conn, days, present, now, point).do(may_compare)
    except BlockedError:
        # Another session holds a table of the platform. It has the right of way.
        return _give_way(conn, now)
    except psycopg.Error as error:
        if not conn.closed:
            _write(conn, "note_failure", failure=note_of(error))
        raise


def read_round(conn: Connection) -> Round | None:
    """Return the present round; None while there is none."""
    with conn.cursor(row_factory=class_row(Round)) as cursor:
        return cursor.execute(query("sweep", "read_round")).fetchone()


def begin(conn: Connection, days: float, now: datetime) -> Round:
    """Begin a round, which may take so many days, and return it; one that there is is given up."""
    [leads] = conn.execute(query("sweep", "count_stored_leads"), {"tenants": None}).fetchone() or (0,)
    [keys] = conn.execute(query("sweep", "count_keys")).fetchone() or (0,)
    # The leads once more for the statistics, and the keys as they are stored and as they are in the source.
    numbers = {"rows_total": 2 * leads + 2 * keys, "leads_total": leads}
    with conn.transaction():
        give_up(conn)
        positions.begin(conn, VERIFY, PHASES[0])
        _write(conn, "begin_round", version=PROJECTION_VERSION, days=days, at=now, **numbers)
        begun = read_round(conn)
    if begun is None:
        raise AssertionError
    return begun


def give_up(conn: Connection) -> None:
    """Forget the present round, if there is one."""
    with conn.transaction():
        conn.execute(query("sweep", "give_up_round"))
        positions.forget(conn, VERIFY)


def leave_out(conn: Connection, items: Sequence[Item], at: datetime) -> None:
    """Note what was left out `at` this moment, to be compared again."""
    if items:
        conn.execute(query("sweep", "leave_out"), {**item_arrays(items), "at": at}, prepare=False)


def take_in(conn: Connection, items: Sequence[Item]) -> None:
    """Forget that these items were left out."""
    if items:
        conn.execute(query("sweep", "take_in"), item_arrays(items), prepare=False)


@dataclass(frozen=True, slots=True)
class _Slice:
    """A slice that is due, and what it needs."""

    conn: Connection
    days: float
    present: Round
    now: datetime
    point: InjectionPoint

    def do(self, may_compare: Callable[[Connection], bool]) -> float:
        began = time.monotonic()
        conn, present = self.conn, self.present
        here = present.pace(self.now, self.days)
        create_tables(conn)
        piece = _FIND[present.phase](self, here.slice_size)
        found = compare_piece(conn, piece, patience=0)
        self.point("compared")
        # The truncation that everything waits for has to be seen by a refresh. Until then nothing can be compared, but
        # a round that compares again what waited ends all the same.
        waits = found.everything_waits and present.phase != "again"
        if waits or (found.drifts and not may_compare(conn)):
            return _give_way(conn, self.now)
        drift.log_drifts(found.drifts)
        ended_at = read_clock(conn)
        pause = here.pause(piece.rows, time.monotonic() - began)
        finished = None
        with conn.transaction():
            drift.record(conn, found)
            leave_out(conn, found.left_out, ended_at)
            if present.phase == "again":
                take_in(conn, found.compared)
                pause = self._pause_again(piece, pause, ended_at)
            self._move(piece, found, ended_at, pause)
            if present.phase == "again" and pause == timedelta(0):
                finished = self._finish(ended_at)
        self.point("moved")
        if finished is None:
            return pause.total_seconds()
        leads, left_out, differences = finished
        _log.info("everything is verified", leads=leads, left_out=left_out, differences=differences)
        return seconds_until(next_start(present.started_at, self.days), ended_at, self.days)

    def _move(self, piece: Piece, found: Comparison, ended_at: datetime, pause: timedelta) -> None:
        conn, present = self.conn, self.present
        reached_at = None
        if piece.next_phase != piece.phase == "statistics":
            drift.end_statistics(conn, None, present.started_at)
            reached_at = ended_at
            # What differed and was not met, such as a lead that is nowhere any more.
            leave_out(conn, drift.read_open(conn, None, present.started_at), present.started_at)
        positions.move(conn, VERIFY, piece.next_phase or piece.phase, piece.after)
        _write(
            conn,
            "move_round",
            round_id=present.round_id,
            days=self.days,
            due_at=ended_at + pause,
            reached_at=reached_at,
            rows=piece.rows,
            leads=found.checked,
            differences=len(found.fields),
        )

    def _pause_again(self, piece: Piece, pause: timedelta, now: datetime) -> timedelta:
        """Return the pause before more of what waited is compared; none if the round is over."""
        present = self.present
        if present.reached_at is None:
            raise AssertionError
        if piece.next_phase:
            return pause
        if self.conn.execute(query("sweep", "has_left_out")).fetchone() == (False,):
            return timedelta(0)
        is_over = now >= last_attempt(present.started_at, present.reached_at, self.days)
        return timedelta(0) if is_over else between_attempts(self.days)

    def _finish(self, now: datetime) -> tuple[int, int, int]:
        """End the round; return how many leads it compared and left out to its end, and how many items differed."""
        ended = {"round_id": self.present.round_id, "at": now}
        row = self.conn.execute(query("sweep", "finish_round"), ended).fetchone()
        positions.forget(self.conn, VERIFY)
        drift.publish(self.conn)
        leads, left_out, differences = row or (0, 0, 0)
        return leads, left_out, differences


def _leads(one: _Slice, size: int) -> Piece:
    leads = find_leads(one.conn, one.present.after, None, size)
    return Piece("leads", *_next("leads", leads, size), leads=leads, rows=len(leads))


def _stored_keys(one: _Slice, size: int) -> Piece:
    kind, key = one.present.after
    parameters = {"after_kind": kind, "after_key": key, "size": size}
    found = one.conn.execute(query("sweep", "find_stored_keys"), parameters).fetchall()
    keys = [Item(kind, key=key) for kind, key in found]
    return Piece("keys", *_next("keys", found, size), keys=keys, rows=len(keys))


def _source_keys(one: _Slice, size: int) -> Piece:
    kind = one.present.phase

    def read() -> list[tuple[str]]:
        # Planned for this kind, which has an index of its own.
        pipeline.plan_anew(one.conn)
        parameters = {"kind": kind, "after_key": one.present.after[1], "size": size}
        return one.conn.execute(query("sweep", "find_source_keys"), parameters, prepare=False).fetchall()

    keys = [Item(kind, key=key) for (key,) in read_source(one.conn, read, patience=0)]
    return Piece(kind, *_next(kind, [("", item.key) for item in keys], size), keys=keys, rows=len(keys))


def _statistics(one: _Slice, _size: int) -> Piece:
    tenants: list[str] = []
    rows, after = 0, one.present.after[0]
    while len(tenants) < TENANTS_PER_SLICE:
        user_id, leads = find_tenant(one.conn, after)
        if user_id is None or (tenants and rows + leads > LEADS_OF_STATISTICS):
            break
        tenants.append(user_id)
        rows, after = rows + leads, user_id
    else:
        user_id = after
    to = ("again", START) if user_id is None else ("statistics", (after, ""))
    return Piece("statistics", *to, tenants=tenants, rows=rows)


def find_tenant(conn: Connection, after: str) -> tuple[str | None, int]:
    """Return the next tenant that has leads or statistics, and how many leads; None after the last."""
    found = conn.execute(query("sweep", "find_tenant"), {"after": after}).fetchone()
    return found or (None, 0)


def _again(one: _Slice, _size: int) -> Piece:
    """What waited before: all of it once, and then again after pauses."""
    size = LARGEST_SLICE
    before = max(one.present.reached_at or one.now, one.now - between_attempts(one.days) / 2)
    found = one.conn.execute(query("sweep", "find_left_out"), {"before": before, "size": size})
    items = [Item(*row) for row in found.fetchall()]
    leads, keys = split_items(items)
    return Piece("again", "" if len(items) < size else "again", leads=leads, keys=keys)


_FIND: dict[str, Callable[[_Slice, int], Piece]] = {
    "leads": _leads,
    "keys": _stored_keys,
    "conversation": _source_keys,
    "contact": _source_keys,
    "template_send": _source_keys,
    "statistics": _statistics,
    "again": _again,
}


def _next(phase: str, found: Sequence[tuple[str, str]], size: int) -> tuple[str, tuple[str, str]]:
    """The phase and the position after what was found: the last of it, or the start of the next phase."""
    if len(found) < size:
        return PHASES[PHASES.index(phase) + 1], START
    return phase, found[-1]


def _give_way(conn: Connection, now: datetime) -> float:
    _write(conn, "postpone_round", due_at=now + timedelta(seconds=GIVE_WAY_SECONDS))
    return GIVE_WAY_SECONDS


def _write(conn: Connection, name: str, **parameters: object) -> None:
    conn.execute(query("sweep", name), parameters)
