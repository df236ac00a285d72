"""The rolling verify: a scheduler goes through everything in slices, round after round.

A slice is one comparison, in one short snapshot, and one short transaction that records what it found and moves the
stored position. If the process is killed in between, the slice is done again. An item with a waiting change
is left out, noted, and compared again at the end of the round. The round counts the items that are still left
out then.

A round is spread evenly over the days that an operator gives it. It compares everything once in the first
PASS_SHARE of these days. After ROUND_SHARE of them it compares again what waited, and the next round begins,
so that two comparisons of one lead are not further apart than these days. After lost time, the pauses are at
least those of a round with CATCH_UP_SHARE of its days, so a projector that was off does not catch up in a
burst.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta

import psycopg
import structlog

from projector.core.pipeline import test_point
from projector.database import locks, rows
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION, query
from projector.report.errors import BlockedError, note_of
from projector.sweep import drift, pieces
from projector.sweep.compare import compare_piece
from projector.sweep.drift import Item, item_arrays
from projector.sweep.leads import create_tables
from projector.sweep.run_log import read_clock

GIVE_WAY_SECONDS = 30.0
"""The pause after a slice met a lock of the platform, a truncated table, or a gap that a refresh must see."""

PASS_SHARE = 0.8
ROUND_SHARE = 0.9
CATCH_UP_SHARE = 0.1

SLICE_LEADS = 500
"""Leads in one slice. Fewer are not worth a transaction; more would make it long."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Round(pieces.Position):
    """A row of projector.verify_rounds, with the position of the present round."""

    round_id: int | None = None
    version: str = PROJECTION_VERSION
    days: float | None = None
    finished_at: datetime | None = None
    due_at: datetime
    reached_at: datetime | None = None
    rows_done: int = 0
    leads_total: int
    leads: int = 0
    left_out: int = 0
    differences: int = 0
    failure: str | None = None

    def seconds_for(self, leads: int, now: datetime, days: float) -> float:
        """Return the time for so many leads: their share of what is left, or of CATCH_UP_SHARE if longer."""
        if leads == 0:
            return 0.0
        whole = days * 86_400
        elapsed = max((now - self.started_at).total_seconds(), 0.0)
        left = max(PASS_SHARE * whole - elapsed, 0.0)
        leads_left = max(self.leads_total - self.rows_done, leads)
        all_leads = max(self.leads_total, self.rows_done + leads)
        return max(left * leads / leads_left, CATCH_UP_SHARE * whole * leads / all_leads)


def step(
    conn: Connection, days: float, *, may_compare: Callable[[Connection], bool] = lambda _: True
) -> float:
    """Compare the next slice of a round that may take so many days, if one is due; return the seconds until the next.

    `may_compare` says whether a difference now would be drift; one that a capture gap has hidden is not. It
    is called before a comparison, and again after one that found differences. The connection is prepared with
    pipeline.prepare_session(), and holds the lock of the job.

    Raises what a comparison raises; `status` shows that until a slice succeeds.
    """
    # An erasure waits for this lock, so a comparison from before it is never recorded after it.
    with locks.session_lock(conn, locks.ERASURE, is_shared=True):
        now, present = read_clock(conn), read_round(conn)
        # A round of another projection version proves nothing about this one.
        is_ours = present is not None and present.version == PROJECTION_VERSION
        due_at = now if present is None or not is_ours else present.due_at
        if present is None and (last := rows.value(conn, query("sweep", "read_last_start"))) is not None:
            due_at = _next_start(last, days)
        wait = _seconds_until(due_at, now, days)
        if wait > 0:
            return wait
        if not may_compare(conn):
            return GIVE_WAY_SECONDS
        if present is None or not is_ours:
            present = begin(conn, days, now)
        try:
            return _compare_slice(conn, present, days, now, may_compare)
        except BlockedError:
            # Another session holds a table of the platform. It has the right of way.
            return _give_way(conn, present, now)
        except psycopg.Error as error:
            if not conn.closed:
                _write(conn, replace(present, failure=note_of(error)))
            raise


def read_round(conn: Connection) -> Round | None:
    """Return the present round; None while there is none."""
    return rows.row(conn, Round, query("sweep", "read_round"))


def begin(conn: Connection, days: float, now: datetime) -> Round:
    """Begin a round that may take so many days, and return it. The present round, if any, is given up."""
    leads = rows.value(conn, query("sweep", "count_stored_leads"), {"tenants": None})
    with conn.transaction():
        give_up(conn)
        pieces.begin_sweep(conn, pieces.VERIFY, pieces.PHASES[0])
        add_round(conn, Round(days=days, started_at=now, due_at=now, leads_total=leads))
        return rows.only_row(conn, Round, query("sweep", "read_round"))


def add_round(conn: Connection, verified: Round) -> None:
    """Note a round that begins, or one that has ended."""
    conn.execute(query("sweep", "add_round"), asdict(verified))


def give_up(conn: Connection) -> None:
    """Forget the present round, if there is one."""
    with conn.transaction():
        conn.execute(query("sweep", "give_up_round"))
        conn.execute(query("sweep", "forget_left_out"))
        pieces.forget_sweep(conn, pieces.VERIFY)


def leave_out(conn: Connection, items: Sequence[Item], at: datetime) -> None:
    """Note what was left out `at` this moment, to be compared again."""
    if items:
        conn.execute(query("sweep", "leave_out"), {**item_arrays(items), "at": at}, prepare=False)


def _compare_slice(
    conn: Connection,
    present: Round,
    days: float,
    now: datetime,
    may_compare: Callable[[Connection], bool],
) -> float:
    began = time.monotonic()
    create_tables(conn)
    piece = _find_piece(conn, present)
    comparison = compare_piece(conn, piece, patience=0)
    test_point("compared")
    # After a truncation everything waits until a refresh has processed it, and nothing can be compared. A
    # round in its last phase ends all the same.
    waits = comparison.everything_waits and present.phase != pieces.AGAIN
    if waits or (comparison.drifts and not may_compare(conn)):
        return _give_way(conn, present, now)
    drift.log_drifts(comparison.drifts)
    at = read_clock(conn)
    # The pause is at least as long as the slice took.
    pause = max(present.seconds_for(len(piece.leads), now, days), time.monotonic() - began)
    moved = replace(
        present,
        days=days,
        due_at=at + timedelta(seconds=pause),
        rows_done=present.rows_done + len(piece.leads),
        leads=present.leads + comparison.checked,
        differences=present.differences + len(comparison.fields),
        failure=None,
    )
    with conn.transaction():
        drift.record(conn, comparison)
        leave_out(conn, comparison.left_out, at)
        if present.phase == pieces.AGAIN:
            conn.execute(query("sweep", "take_in"), item_arrays(comparison.compared), prepare=False)
        elif piece.next_phase == pieces.AGAIN:
            # The round did not meet these items that differed before, such as a lead that no longer exists.
            leave_out(conn, drift.end_pass(conn, None, present.started_at), present.started_at)
            is_left = rows.value(conn, query("sweep", "has_left_out"))
            due_at = max(moved.due_at, _next_start(present.started_at, days)) if is_left else moved.due_at
            moved = replace(moved, reached_at=at, due_at=due_at)
        if piece.next_phase:
            pieces.move_sweep(conn, pieces.VERIFY, piece.next_phase, piece.after)
            _write(conn, moved)
        else:
            moved = _finish(
                conn, replace(moved, finished_at=at, due_at=_next_start(present.started_at, days))
            )
    test_point("moved")
    if moved.finished_at is not None:
        numbers = {"leads": moved.leads, "left_out": moved.left_out, "differences": moved.differences}
        _log.info("everything is verified", **numbers)
    return _seconds_until(moved.due_at, at, days)


def _finish(conn: Connection, present: Round) -> Round:
    """End the round, with what is left out for good, and return it."""
    ended = replace(present, left_out=conn.execute(query("sweep", "forget_left_out")).rowcount)
    _write(conn, ended)
    pieces.forget_sweep(conn, pieces.VERIFY)
    drift.publish(conn)
    return ended


def _write(conn: Connection, present: Round) -> None:
    conn.execute(query("sweep", "write_round"), asdict(present))


def _next_start(started_at: datetime, days: float) -> datetime:
    """Return when the next round begins after a round that started at this moment."""
    return started_at + timedelta(days=ROUND_SHARE * days)


def _seconds_until(due_at: datetime, now: datetime, days: float) -> float:
    """Return the seconds until something is due, 0 if it is.

    No pause is as long as a round. A moment further away was noted before the clock was set back: it is due.
    """
    wait = (due_at - now).total_seconds()
    return 0.0 if wait > days * 86_400 else max(wait, 0.0)


def _find_piece(conn: Connection, present: Round) -> pieces.Piece:
    """Return the next piece of everything; in the last phase, of the items that waited during that pass."""
    if present.phase != pieces.AGAIN:
        return next(pieces.pieces(conn, None, SLICE_LEADS, present.phase, present.after))
    limits = {"before": present.reached_at, "size": SLICE_LEADS}
    items = rows.rows(conn, Item, query("sweep", "find_left_out"), limits)
    leads, keys = pieces.split_items(items)
    next_phase = "" if len(items) < SLICE_LEADS else pieces.AGAIN
    return pieces.Piece(pieces.AGAIN, next_phase, leads=leads, keys=keys)


def _give_way(conn: Connection, present: Round, now: datetime) -> float:
    _write(conn, replace(present, due_at=now + timedelta(seconds=GIVE_WAY_SECONDS)))
    return GIVE_WAY_SECONDS
