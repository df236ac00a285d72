"""The rolling verify: a scheduler goes through everything in slices, round after round.

A slice is one comparison, in one short snapshot, and one short transaction that records what it found and moves the
stored position. A process that is killed in between does the slice again. What was left out, because a change of it
waited, is kept and compared again at the end of the round; what is still left out then is counted.

A round is spread evenly over the days that an operator gives it. It reaches everything once in the first
PASS_SHARE of them, and compares again what waited after ROUND_SHARE of them. The next round begins then, so that two
comparisons of one lead are not further apart than these days. Where time was lost, the slices follow as if the whole
round had CATCH_UP_SHARE of its days: a projector that was off does not make up for it in a burst.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
import structlog

from projector.core.pipeline import reach
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
"""How long a slice waits that met a lock of the platform, a truncated table, or a gap that a refresh has to see."""

PASS_SHARE = 0.8
ROUND_SHARE = 0.9
CATCH_UP_SHARE = 0.1

SLICE_LEADS = 500
"""Leads of one slice: less is not worth its transaction, more would be a long one."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Round(pieces.Position):
    """The present round."""

    round_id: int
    version: str
    due_at: datetime
    reached_at: datetime | None
    leads_total: int
    rows_done: int

    def seconds_for(self, rows: int, now: datetime, days: float) -> float:
        """Return what so many leads get of the time that is left, and as if the whole had CATCH_UP_SHARE at least."""
        if rows == 0:
            return 0.0
        whole = days * 86_400
        elapsed = max((now - self.started_at).total_seconds(), 0.0)
        left = max(PASS_SHARE * whole - elapsed, 0.0)
        rows_left = max(self.leads_total - self.rows_done, rows)
        all_rows = max(self.leads_total, self.rows_done + rows)
        return max(left * rows / rows_left, CATCH_UP_SHARE * whole * rows / all_rows)


def step(
    conn: Connection, days: float, *, may_compare: Callable[[Connection], bool] = lambda _: True
) -> float:
    """Compare the next slice of a round that may take so many days, if one is due; return the seconds until the next.

    `may_compare` says whether what differs now would be drift, and is asked before a comparison and after one that
    found some: what a capture gap has hidden is none. The connection is prepared with pipeline.prepare_session(), and
    holds the lock of the job.

    Raises what a comparison raises; `status` shows that until a slice succeeds.
    """
    now, present = read_clock(conn), read_round(conn)
    is_ours = present is not None and present.version == PROJECTION_VERSION
    due_at = present.due_at if present is not None and is_ours else now
    if present is None:
        last = rows.value(conn, query("sweep", "read_last_start"))
        due_at = now if last is None else _next_start(last, days)
    wait = _seconds_until(due_at, now, days)
    if wait > 0:
        return wait
    if not may_compare(conn):
        return GIVE_WAY_SECONDS
    if not is_ours:
        # What another version has proved says nothing of this one.
        begin(conn, days, now)
    try:
        # What was compared before an erasure is not recorded after it.
        with locks.session_lock(conn, locks.ERASURE, is_shared=True):
            return _compare_slice(conn, days, now, may_compare)
    except BlockedError:
        # Another session holds a table of the platform. It has the right of way.
        return _give_way(conn, now)
    except psycopg.Error as error:
        if not conn.closed:
            conn.execute(query("sweep", "note_failure"), {"failure": note_of(error)})
        raise


def read_round(conn: Connection) -> Round | None:
    """Return the present round; None while there is none."""
    return rows.row(conn, Round, query("sweep", "read_round"))


def begin(conn: Connection, days: float, now: datetime) -> None:
    """Begin a round, which may take so many days; one that there is is given up."""
    leads = rows.value(conn, query("sweep", "count_stored_leads"), {"tenants": None})
    begun = {"version": PROJECTION_VERSION, "days": days, "at": now, "leads_total": leads}
    with conn.transaction():
        give_up(conn)
        pieces.begin_sweep(conn, pieces.VERIFY, pieces.PHASES[0])
        conn.execute(query("sweep", "begin_round"), begun)


def give_up(conn: Connection) -> None:
    """Forget the present round, if there is one."""
    with conn.transaction():
        conn.execute(query("sweep", "give_up_round"))
        pieces.forget_sweep(conn, pieces.VERIFY)


def leave_out(conn: Connection, items: Sequence[Item], at: datetime) -> None:
    """Note what was left out `at` this moment, to be compared again."""
    if items:
        conn.execute(query("sweep", "leave_out"), {**item_arrays(items), "at": at}, prepare=False)


def _compare_slice(
    conn: Connection, days: float, now: datetime, may_compare: Callable[[Connection], bool]
) -> float:
    present = read_round(conn)
    if present is None:
        return 0.0
    began = time.monotonic()
    create_tables(conn)
    piece = _find_piece(conn, present)
    found = compare_piece(conn, piece, patience=0)
    reach("compared")
    # The truncation that everything waits for has to be seen by a refresh. Until then nothing can be compared, but
    # a round that compares again what waited ends all the same.
    waits = found.everything_waits and present.phase != pieces.AGAIN
    if waits or (found.drifts and not may_compare(conn)):
        return _give_way(conn, now)
    drift.log_drifts(found.drifts)
    at = read_clock(conn)
    # As long as the slice took at least.
    due_at = at + timedelta(
        seconds=max(present.seconds_for(len(piece.leads), now, days), time.monotonic() - began)
    )
    reaches_all = piece.next_phase == pieces.AGAIN != present.phase
    with conn.transaction():
        drift.record(conn, found)
        leave_out(conn, found.left_out, at)
        if present.phase == pieces.AGAIN and found.compared:
            conn.execute(query("sweep", "take_in"), item_arrays(found.compared), prepare=False)
        if reaches_all:
            drift.end_all(conn, None, present.started_at, outcome="right", kind=drift.STATISTICS)
            # What differed and was not met, such as a lead that is nowhere any more.
            leave_out(conn, drift.read_open(conn, None, present.started_at), present.started_at)
            if rows.value(conn, query("sweep", "has_left_out")):
                due_at = max(due_at, _next_start(present.started_at, days))
        moved = {
            "round_id": present.round_id,
            "days": days,
            "due_at": due_at,
            "reached_at": at if reaches_all else None,
            "rows": len(piece.leads),
            "leads": found.checked,
            "differences": len(found.fields),
        }
        conn.execute(query("sweep", "move_round"), moved)
        finished = None
        if piece.next_phase:
            pieces.move_sweep(conn, pieces.VERIFY, piece.next_phase, piece.after)
        else:
            ended = {"round_id": present.round_id, "at": at}
            finished = conn.execute(query("sweep", "finish_round"), ended).fetchone()
            pieces.forget_sweep(conn, pieces.VERIFY)
            drift.publish(conn)
    reach("moved")
    if finished is not None:
        leads, left_out, differences = finished
        _log.info("everything is verified", leads=leads, left_out=left_out, differences=differences)
        due_at = _next_start(present.started_at, days)
    return _seconds_until(due_at, at, days)


def _next_start(started_at: datetime, days: float) -> datetime:
    """Return when the round after the one that started then begins."""
    return started_at + timedelta(days=ROUND_SHARE * days)


def _seconds_until(due_at: datetime, now: datetime, days: float) -> float:
    """Return the seconds until something is due, 0 if it is.

    No pause is as long as a round. A moment further away was noted before the clock was set back: it is due.
    """
    wait = (due_at - now).total_seconds()
    return 0.0 if wait > days * 86_400 else max(wait, 0.0)


def _find_piece(conn: Connection, present: Round) -> pieces.Piece:
    """Return the next piece: of everything, or then of what waited before everything had been reached."""
    if present.phase != pieces.AGAIN:
        return next(pieces.pieces(conn, None, SLICE_LEADS, present.phase, present.after))
    wanted = {"before": present.reached_at, "size": SLICE_LEADS}
    items = rows.rows(conn, Item, query("sweep", "find_left_out"), wanted)
    leads, keys = pieces.split_items(items)
    next_phase = "" if len(items) < SLICE_LEADS else pieces.AGAIN
    return pieces.Piece(pieces.AGAIN, next_phase, leads=leads, keys=keys)


def _give_way(conn: Connection, now: datetime) -> float:
    due_at = now + timedelta(seconds=GIVE_WAY_SECONDS)
    conn.execute(query("sweep", "postpone_round"), {"due_at": due_at})
    return GIVE_WAY_SECONDS
