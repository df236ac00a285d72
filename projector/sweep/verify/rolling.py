"""The rolling verify: a scheduler goes through everything in slices, round after round.

A slice is one comparison, in one short snapshot, and one short transaction that records what it found and moves the
stored position. A process that is killed in between does the slice again. What was left out, because a change of it
waited, is kept and compared again before the round ends; what is still left out then is counted.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
import structlog

from projector.core import pipeline
from projector.core.pipeline import Connection, InjectionPoint, no_injection_point
from projector.core.snapshots import read_source
from projector.database import locks
from projector.database.sql import PROJECTION_VERSION, statement
from projector.report.errors import BlockedError, note_of
from projector.sweep import drift_log
from projector.sweep.drift_log import LEAD
from projector.sweep.rebuild.in_place import find_leads
from projector.sweep.rebuild.run_log import read_clock
from projector.sweep.verify import pace, rounds
from projector.sweep.verify.compare import compare_keys, compare_leads, compare_statistics
from projector.sweep.verify.drift import Comparison
from projector.sweep.verify.record import log_drifts, record
from projector.sweep.verify.rounds import Move, Position, Round

GIVE_WAY_SECONDS = 30.0
"""How long a slice waits that met a lock of the platform, a truncated table, or a gap that a refresh has to see."""

TENANTS_PER_SLICE = 50
"""Tenants whose statistics one slice compares."""

LEADS_OF_STATISTICS = 100_000
"""The leads that the statistics of one slice add up, unless a tenant alone has more."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Slice:
    """What a slice compared: the rows that it looked at, the position after it, whether it ended its phase."""

    found: Comparison
    rows: int
    after: Position
    is_last: bool


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
    present = rounds.read_present(conn)
    wait = 0.0
    if present is None:
        last = rounds.read_last_start(conn)
        wait = 0.0 if last is None else pace.seconds_until(pace.next_start(last, days), now, days)
    elif present.version == PROJECTION_VERSION:
        wait = pace.seconds_until(present.due_at, now, days)
    if wait > 0:
        return wait
    if not may_compare(conn):
        return GIVE_WAY_SECONDS
    if present is not None and present.version != PROJECTION_VERSION:
        # What another version has proved says nothing of this one.
        rounds.give_up(conn)
        present = None
    if present is None:
        present = rounds.begin(conn, days, now)
    try:
        # What was compared before an erasure is not recorded after it.
        with locks.shared_session_lock(conn, locks.ERASURE):
            present = rounds.read_present(conn) or present
            return _do_slice(_Step(conn, days, present, now, point), may_compare)
    except BlockedError:
        # Another session holds a table of the platform. It has the right of way.
        return _give_way(conn, now)
    except psycopg.Error as error:
        if not conn.closed:
            rounds.note_failure(conn, note_of(error))
        raise


@dataclass(frozen=True, slots=True)
class _Step:
    """A slice that is due, and what it needs."""

    conn: Connection
    days: float
    present: Round
    now: datetime
    point: InjectionPoint


def _do_slice(one: _Step, may_compare: Callable[[Connection], bool]) -> float:
    began = time.monotonic()
    conn, present = one.conn, one.present
    size = present.pace(one.now, one.days).slice_size
    conn.execute(statement("verify/10_create_waiting_leads"), prepare=False)
    done = _compare_again(one) if present.phase == "again" else _COMPARE[present.phase](one, size)
    one.point("compared")
    if done.found.everything_waits or (done.found.drifts and not may_compare(conn)):
        return _give_way(conn, one.now)
    log_drifts(done.found.drifts)
    ended_at = read_clock(conn)
    pause = present.pace(one.now, one.days).pause(done.rows, time.monotonic() - began)
    with conn.transaction():
        record(conn, done.found)
        rounds.leave_out(conn, done.found.left_out, ended_at)
        if present.phase == "again":
            rounds.take_in(conn, done.found.compared)
            pause = _pause_again(one, done, pause, ended_at)
        _move(one, done, ended_at, pause)
        finished = None
        if present.phase == "again" and pause == timedelta(0):
            finished = rounds.finish(conn, present, ended_at)
            drift_log.publish(conn)
    one.point("moved")
    if finished is None:
        return pause.total_seconds()
    _log.info(
        "everything is verified",
        leads=finished.leads,
        left_out=finished.left_out,
        differences=finished.differences,
    )
    return pace.seconds_until(pace.next_start(present.started_at, one.days), ended_at, one.days)


def _move(one: _Step, done: _Slice, ended_at: datetime, pause: timedelta) -> None:
    present, phase, after = one.present, one.present.phase, done.after
    reached_at = None
    if done.is_last and phase != "again":
        phase, after = rounds.PHASES[rounds.PHASES.index(phase) + 1], ("", "")
        if present.phase == "statistics":
            drift_log.end_statistics(one.conn, None, before=present.started_at, at=ended_at)
        if phase == "again":
            reached_at = ended_at
            # What differed and was not met, such as a lead that is nowhere any more.
            rounds.leave_out(
                one.conn, drift_log.read_open(one.conn, None, present.started_at), present.started_at
            )
    differences = len(done.found.differences)
    move = Move(phase, after, ended_at + pause, reached_at, done.rows, done.found.checked, differences)
    rounds.move(one.conn, present, one.days, move)


def _pause_again(one: _Step, done: _Slice, pause: timedelta, now: datetime) -> timedelta:
    """Return the pause before more of what waited is compared; none if the round is over."""
    present = one.present
    if present.reached_at is None:
        raise AssertionError
    if not done.is_last:
        return pause
    if not rounds.has_left_out(one.conn):
        return timedelta(0)
    is_over = now >= pace.last_attempt(present.started_at, present.reached_at, one.days)
    return timedelta(0) if is_over else pace.between_attempts(one.days)


def _give_way(conn: Connection, now: datetime) -> float:
    rounds.postpone(conn, now, timedelta(seconds=GIVE_WAY_SECONDS))
    return GIVE_WAY_SECONDS


def _next_leads(one: _Step, size: int) -> _Slice:
    keys = find_leads(one.conn, one.present.after, None, size)
    found = compare_leads(one.conn, keys, patience=0) if keys else Comparison(one.now)
    return _Slice(found, len(keys), keys[-1] if keys else one.present.after, len(keys) < size)


def _next_stored_keys(one: _Step, size: int) -> _Slice:
    items = rounds.find_stored_keys(one.conn, one.present.after, size)
    found = compare_keys(one.conn, items, patience=0) if items else Comparison(one.now)
    after = (items[-1].kind, items[-1].key) if items else one.present.after
    return _Slice(found, len(items), after, len(items) < size)


def _next_source_keys(one: _Step, size: int) -> _Slice:
    def read() -> list[drift_log.Item]:
        # Planned for this kind, which has an index of its own.
        pipeline.plan_anew(one.conn)
        return rounds.find_source_keys(one.conn, one.present.phase, one.present.after_second, size)

    items = read_source(one.conn, read, patience=0)
    found = compare_keys(one.conn, items, patience=0) if items else Comparison(one.now)
    after = ("", items[-1].key) if items else one.present.after
    return _Slice(found, len(items), after, len(items) < size)


def _next_statistics(one: _Step, _size: int) -> _Slice:
    tenants = rounds.find_tenants(one.conn, one.present.after_first, TENANTS_PER_SLICE)
    some, leads = tenants[:1], sum(number for _, number in tenants[:1])
    for user_id, number in tenants[1:]:
        if leads + number > LEADS_OF_STATISTICS:
            break
        some.append((user_id, number))
        leads += number
    names = [user_id for user_id, _ in some]
    found = compare_statistics(one.conn, names) if names else Comparison(one.now)
    after = (names[-1], "") if names else one.present.after
    return _Slice(found, leads, after, len(some) == len(tenants) < TENANTS_PER_SLICE)


def _compare_again(one: _Step) -> _Slice:
    """Compare what waited before: all of it once, and then again after pauses."""
    present = one.present
    before = max(present.reached_at or one.now, one.now - pace.between_attempts(one.days) / 2)
    items = rounds.find_left_out(one.conn, before, pace.LARGEST_SLICE)
    leads = [(item.user_id, item.customer_phone) for item in items if item.kind == LEAD]
    keys = [item for item in items if item.kind != LEAD]
    found = Comparison(one.now)
    if leads:
        found = compare_leads(one.conn, leads, patience=0)
    if keys:
        found.add(compare_keys(one.conn, keys, patience=0))
    # The truncation that everything waits for has to be seen by a refresh. Until then nothing can be compared.
    found.everything_waits = False
    return _Slice(found, 0, present.after, len(items) < pace.LARGEST_SLICE)


_COMPARE: dict[str, Callable[[_Step, int], _Slice]] = {
    "leads": _next_leads,
    "keys": _next_stored_keys,
    "conversation": _next_source_keys,
    "contact": _next_source_keys,
    "template_send": _next_source_keys,
    "statistics": _next_statistics,
}
