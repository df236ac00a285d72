"""Healing: bring the read model back to where refreshes alone keep it exact.

That takes a rebuild of everything where it was never built, where it is of another projection version, where changes
may have been missed, and where more of them wait than a rebuild costs. One session does it at a time; refreshes go on
beside it, but freshness stands still as long as a gap is open.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
import structlog
from psycopg.rows import TupleRow

from projector import beside, capture, db, locks, rebuild
from projector import refresh as refreshing
from projector.errors import BlockedError, CaptureGapError, RebuildFailedError, SourceMissingError
from projector.migrate import PROJECTION_VERSION, missing_source
from projector.progress import Progress
from projector.report import RunReport
from projector.statements import statement

Connection = psycopg.Connection[TupleRow]

_TRADED_AT_ONCE = 50_000
_ROUNDS = 5
_PAUSE = 0.1

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Needs:
    """What a rebuild of everything would be for."""

    version: int
    built_at: datetime | None
    switched_off: str | None
    gap: str | None
    planned: bool
    beside: bool
    unsettled: bool

    @property
    def reason(self) -> str | None:
        """Why everything has to be rebuilt, an interrupted rebuild aside; None where nothing is wrong."""
        if self.gap is not None:
            return f"changes may have been missed: {self.gap}"
        if self.built_at is None:
            return "it was never built"
        if self.version != PROJECTION_VERSION:
            return f"it was built by projection version {self.version}, this is {PROJECTION_VERSION}"
        return None

    @property
    def interrupted(self) -> bool:
        """Whether a rebuild of everything ended before its end, in place or beside, or is under way elsewhere."""
        return self.planned or self.beside

    @property
    def is_resumable(self) -> bool:
        """Whether what an interrupted rebuild had done is of this projection version."""
        return self.version == PROJECTION_VERSION


def find_needs(conn: Connection) -> Needs:
    """Look at everything that a rebuild may be needed for, but the depth of the queue."""
    row = conn.execute(statement("upkeep", "find_needs")).fetchone()
    if row is None:
        return Needs(PROJECTION_VERSION, None, None, None, planned=False, beside=False, unsettled=False)
    return Needs(*row)


def is_too_deep(conn: Connection, limit: int) -> bool:
    """Whether more changes wait than the limit."""
    row = conn.execute(statement("upkeep", "count_changes"), {"bound": limit + 1}).fetchone()
    return row is not None and row[0] > limit


def settle(conn: Connection, needs: Needs) -> None:
    """Clear up after rebuilds that were killed; one of everything is left to be gone on with.

    One of some tenants is forgotten: what it had not done yet is as exact as it was. Nothing is done where another
    session rebuilds.
    """
    if not needs.unsettled or not rebuild.try_lock(conn):
        return
    try:
        conn.execute(statement("upkeep", "note_interrupted_runs"))
        conn.execute("DELETE FROM projector.rebuild_tenants WHERE NOT whole_rebuild")
        beside.drop_leftovers(conn)
    finally:
        _unlock(conn)


def restore_capture(conn: Connection, *, patience: float = 60.0) -> None:
    """Note a gap where there is one, and have the triggers stand again; what was missed is left to `heal`.

    Raises SourceMissingError where there is no table to put them on, BlockedError where a long transaction is in the
    way, and CaptureGapError where an operator switched capture off: the gap stays open, to be tried again.
    """
    db.follow_source(conn)
    off = capture.switched_off(conn)
    if off is not None:
        raise CaptureGapError(
            f"Changes are not seen: {off}. Run `capture on` when that is over; what was missed is rebuilt then."
        )
    reason = capture.note_gap(conn)
    if reason is not None:
        _log.error("changes may have been missed", reason=reason)
    missing = missing_source(conn)
    if missing:
        raise SourceMissingError(
            f"Changes may be missed, and the platform's tables are not all there: {'; '.join(missing)}."
            " Once they are back, the triggers are installed again and what was missed is rebuilt. If they have moved"
            " to another schema, run migrate --source-schema NAME."
        )
    capture.reinstall(conn, patience=patience)


def heal(conn: Connection, *, progress: Progress, queue_limit: int | None = None) -> RunReport | None:
    """Rebuild everything if there is a reason to; None where there is none, or where another session is at it.

    Only gaps whose triggers stood again before the rebuild began are closed by it.
    """
    if not rebuild.try_lock(conn):
        return None
    try:
        if queue_limit is not None:
            _trade_queue(conn, queue_limit)
        needs = find_needs(conn)
        if needs.switched_off is not None:
            return None
        reason = needs.reason or ("a rebuild was interrupted" if needs.interrupted else None)
        if reason is None:
            return None
        return _rebuild_everything(conn, progress, reason, resume=needs.is_resumable)
    finally:
        _unlock(conn)


def rebuild_everything(conn: Connection, *, progress: Progress) -> RunReport:
    """Rebuild everything anew, reason or not, and heal with that whatever gap is open."""
    refreshing.require_installed(conn)
    if not rebuild.try_lock(conn):
        raise BlockedError(
            "Another rebuild is under way: wait until `status` says that it has ended, then try again."
        )
    try:
        return _rebuild_everything(conn, progress, "asked for", resume=False)
    finally:
        _unlock(conn)


def refresh_and_heal(
    conn: Connection,
    *,
    retry_failed: bool,
    progress: Progress,
    size: int = refreshing.DEFAULT_BATCH,
    queue_limit: int | None = None,
) -> RunReport:
    """Refresh as the command line does: heal first what keeps a refresh from making everything visible.

    `size` is how many changes a batch takes at most; a queue beyond `queue_limit` is traded for a rebuild.
    Raises CaptureGapError where capture is switched off, and what a rebuild raises where it cannot be done.
    """
    started = time.monotonic()
    refreshing.require_installed(conn)
    notes: list[str] = []
    for _ in range(_ROUNDS):
        notes += _heal_and_wait(conn, progress, queue_limit)
        try:
            report = refreshing.refresh(conn, retry_failed=retry_failed, progress=progress, size=size)
        except CaptureGapError:
            continue
        if find_needs(conn).gap is None:
            return replace(report, seconds=time.monotonic() - started, notes=(*notes, *report.notes))
    raise CaptureGapError(
        f"Changes may have been missed, again and again: {find_needs(conn).gap}."
        " Find out what keeps changing the triggers on the platform's tables."
    )


def _rebuild_everything(conn: Connection, progress: Progress, reason: str, *, resume: bool) -> RunReport:
    """With the lock of rebuilds: triggers first, then the rebuild, then the gaps that were open before it."""
    conn.execute(statement("upkeep", "note_interrupted_runs"))
    if capture.switched_off(conn) is None:
        restore_capture(conn)
    _log.info("rebuilding everything", reason=reason)
    gap_ids = capture.gaps_ready_to_close(conn)
    report = rebuild.rebuild(conn, tenants=None, progress=progress, resume=resume)
    if gap_ids:
        capture.close_gaps(conn, gap_ids)
        _log.warning("healed", gaps=len(gap_ids), leads=report.leads, seconds=round(report.seconds, 1))
    return report


def _unlock(conn: Connection) -> None:
    if not conn.closed:
        conn.execute("SELECT pg_advisory_unlock(%s, 0)", (locks.REBUILD,))


def _heal_and_wait(conn: Connection, progress: Progress, queue_limit: int | None) -> list[str]:
    """Heal until there is nothing more to heal, here or in another session; the answer is what was done."""
    notes: list[str] = []
    while True:
        needs = find_needs(conn)
        settle(conn, needs)
        reason = needs.reason
        if reason is None and queue_limit is not None and is_too_deep(conn, queue_limit):
            reason = f"more than {queue_limit:,} changes waited"
        if reason is None:
            return [*notes, *_do_anew(conn, needs, progress)]
        if needs.switched_off is not None:
            restore_capture(conn)
        report = heal(conn, progress=progress, queue_limit=queue_limit)
        if report is None:
            time.sleep(_PAUSE)
        else:
            notes.append(_rebuilt(report, reason))


def _do_anew(conn: Connection, needs: Needs, progress: Progress) -> list[str]:
    """Do a rebuild beside anew that was killed, unless another session is at it; the answer is what was done.

    Else every refresh would note its changes for that rebuild for ever. One in place leaves nothing of the kind.
    """
    if not needs.beside:
        return []
    try:
        report = heal(conn, progress=progress)
    # What a rebuild cannot do keeps no change from being refreshed.
    except RebuildFailedError as error:
        return [f"A rebuild that was killed was tried anew. {error}"]
    return [] if report is None else [_rebuilt(report, "a rebuild was interrupted")]


def _rebuilt(report: RunReport, reason: str) -> str:
    return f"Rebuilt everything in {report.seconds:.1f} s ({report.leads:,} leads), because {reason}."


def _trade_queue(conn: Connection, limit: int) -> None:
    """Where more changes wait than the limit, give them up for a rebuild that follows."""
    if not is_too_deep(conn, limit):
        return
    row = conn.execute("SELECT max(change_id) FROM projector.changes").fetchone()
    newest = row[0] if row else None
    with conn.transaction():
        conn.execute("DELETE FROM projector.rebuild_tenants WHERE whole_rebuild")
        reason = f"more than {limit:,} changes waited and were traded for a rebuild"
        conn.execute(statement("upkeep", "open_traded_gap"), {"reason": reason})
    traded = 0
    for shard in locks.SHARDS:
        deleted = _TRADED_AT_ONCE
        while deleted == _TRADED_AT_ONCE:
            with conn.transaction():
                conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (locks.SHARD, shard))
                deleted = conn.execute(
                    statement("upkeep", "trade_changes"),
                    {"shard": shard, "newest": newest, "size": _TRADED_AT_ONCE},
                ).rowcount
            traded += deleted
    _log.warning("the queue was traded for a rebuild", changes=traded, limit=limit)
