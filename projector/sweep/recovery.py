"""Recovery: restore the state in which refreshes alone keep the read model exact.

Recovery rebuilds everything if the read model was never built, if another projection version built it, if
changes may have been missed, or if so many wait that a rebuild is cheaper. One session does it at a time.
Refreshes go on meanwhile, but freshness is frozen as long as a gap is open.
"""

import time
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
import structlog

from projector.capture import control, gaps, source_changes
from projector.capture.source import find_missing_source, foreign_owner, misfit
from projector.core.batch import DEFAULT_BATCH
from projector.core.preconditions import is_built, require_installed
from projector.core.refresh import refresh
from projector.database import locks, rows
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION, query
from projector.report.counted import RunReport, counted
from projector.report.errors import BlockedError, CaptureGapError
from projector.report.progress import Progress
from projector.sweep.pieces import REBUILD, forget_sweep
from projector.sweep.rebuild import only_rebuild, rebuild

SHED_CHANGES_PER_TRANSACTION = 50_000
"""Changes that are shed in one transaction, which owns their shard."""

RECOVERY_ATTEMPTS = 5
"""How often a refresh recovers again because changes may have been missed meanwhile."""

BUSY_PAUSE_SECONDS = 0.1
"""How long a refresh waits before it looks again whether another session has recovered."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RebuildReasons:
    """The reasons to rebuild everything, as sql/queries/sweep.sql returns them."""

    version: str
    built_at: datetime | None
    lacks_parts: bool
    switched_off: str | None
    gap: str | None
    interrupted: bool

    @property
    def reason(self) -> str | None:
        """Return why everything has to be rebuilt; None if nothing is wrong but an interrupted rebuild."""
        if self.gap is not None:
            return f"changes may have been missed: {self.gap}"
        if self.built_at is None:
            return "it was never built"
        if self.version != PROJECTION_VERSION:
            return f"it was built by projection version {self.version}, this is {PROJECTION_VERSION}"
        if self.lacks_parts:
            return "parts of it were never filled"
        return None


def find_rebuild_reasons(conn: Connection) -> RebuildReasons:
    """Return everything that a rebuild may be needed for, but the depth of the queue."""
    return rows.only_row(conn, RebuildReasons, query("sweep", "find_rebuild_reasons"))


def is_too_deep(conn: Connection, limit: int) -> bool:
    """Return whether the rows of waiting mass changes and the late keys are more than the limit."""
    return bool(rows.value(conn, query("sweep", "count_mass_changes"), {"bound": limit + 1}) > limit)


def note_interrupted_runs(conn: Connection) -> None:
    """Note in the run log which rebuilds were killed; does nothing while another session rebuilds.

    A rebuild of everything can be resumed. One of some tenants is not: the leads that it had not reached are
    as exact as before.
    """
    conn.execute(query("sweep", "note_interrupted_runs"), {"rebuild_class": locks.REBUILD})


def restore_capture(conn: Connection, *, patience: float = 60.0) -> bool:
    """Note a gap if there is one, and install the triggers again; what was missed is left to `heal`.

    Returns whether a gap is open; a change of the source tables that changed no row is not a gap. Raises
    SourceMissingError if a table or a column is missing, or belongs to another role; BlockedError if a long
    transaction holds a table; and CaptureGapError if an operator switched capture off. After an error the gap
    stays open, and the caller can try again.
    """
    off = gaps.switched_off(conn)
    if off is not None:
        raise CaptureGapError(
            f"Changes are not seen: {off}. Run `capture on` when that is over; what was missed is rebuilt then."
        )
    source_changes.note_harmless_changes(conn)
    reason = gaps.note_gap(conn)
    if reason is not None:
        _log.error("changes may have been missed", reason=reason)
    missing = find_missing_source(conn)
    if missing:
        raise misfit(missing)
    try:
        control.reinstall(conn, patience=patience)
    except psycopg.errors.InsufficientPrivilege as error:
        foreign = foreign_owner(conn)
        if foreign is None:
            raise
        raise foreign from error
    return bool(gaps.open_gaps(conn))


def heal(conn: Connection, *, progress: Progress, queue_limit: int | None = None) -> RunReport | None:
    """Rebuild everything if there is a reason to; return None if there is none, or if another session rebuilds.

    Only gaps whose triggers were installed again before the rebuild began are closed by it.
    """
    with locks.try_session_lock(conn, locks.REBUILD) as is_ours:
        if not is_ours:
            return None
        source_changes.note_harmless_changes(conn)
        if queue_limit is not None and is_built(conn):
            # A first build itself deletes the changes that it contains; refreshes take later ones after it.
            _shed_queue(conn, queue_limit)
        reasons = find_rebuild_reasons(conn)
        if reasons.switched_off is not None:
            return None
        reason = reasons.reason or ("a rebuild was interrupted" if reasons.interrupted else None)
        if reason is None:
            return None
        return _rebuild_everything(conn, progress, reason, resume=True)


def rebuild_everything(conn: Connection, *, progress: Progress) -> RunReport:
    """Rebuild everything from the start, with or without a reason, which also closes the open gaps.

    Raises BlockedError while another session rebuilds, and what a rebuild raises.
    """
    require_installed(conn)
    with only_rebuild(conn):
        reason = "asked for"
        if find_rebuild_reasons(conn).interrupted:
            reason = "asked for, from the start; `run` would have gone on with the one that was interrupted"
        return _rebuild_everything(conn, progress, reason, resume=False)


def refresh_and_heal(
    conn: Connection,
    *,
    retry_failed: bool,
    progress: Progress,
    size: int = DEFAULT_BATCH,
    queue_limit: int | None = None,
) -> RunReport:
    """Refresh as the command line does: heal first what keeps a refresh from making everything visible.

    `size` is how many changes a batch takes at most; a queue beyond `queue_limit` is shed for a rebuild. Raises
    CaptureGapError if capture is switched off, and what a rebuild raises.
    """
    started = time.monotonic()
    require_installed(conn)
    notes: list[str] = []
    for _ in range(RECOVERY_ATTEMPTS):
        notes += _heal_and_wait(conn, progress, queue_limit)
        try:
            report = refresh(conn, retry_failed=retry_failed, progress=progress, size=size)
        except CaptureGapError:
            continue
        if find_rebuild_reasons(conn).gap is None:
            return replace(report, seconds=time.monotonic() - started, notes=(*notes, *report.notes))
    raise CaptureGapError(
        f"Changes may have been missed, again and again: {find_rebuild_reasons(conn).gap}."
        " Find out what keeps changing the triggers on the platform's tables."
    )


def note_command(conn: Connection) -> None:
    """Note that the command `refresh` succeeded, so that `status` can tell if cron misses the next one."""
    conn.execute(query("scheduler", "note_refresh_command"))
    # Two statements, because on Citus each server has the table of the projection, but no table of the
    # projector.
    for seconds in rows.values(conn, query("scheduler", "read_lateness_of_cron")):
        conn.execute(query("scheduler", "note_lateness"), {"seconds": seconds})


def _rebuild_everything(conn: Connection, progress: Progress, reason: str, *, resume: bool) -> RunReport:
    """Install the triggers again, rebuild, and close the gaps that were open before.

    The caller holds the lock of rebuilds.
    """
    note_interrupted_runs(conn)
    if gaps.switched_off(conn) is None:
        restore_capture(conn)
    _log.info("rebuilding everything", reason=reason)
    gap_ids = gaps.gaps_ready_to_close(conn)
    report = rebuild(conn, tenants=None, progress=progress, resume=resume)
    _log.info(
        "rebuilt everything",
        reason=reason,
        leads=report.leads,
        messages=report.messages,
        seconds=round(report.seconds, 1),
        projection_version=PROJECTION_VERSION,
    )
    if gap_ids:
        gaps.close_gaps(conn, gap_ids)
        _log.warning("healed", gaps=len(gap_ids), leads=report.leads, seconds=round(report.seconds, 1))
    return report


def _heal_and_wait(conn: Connection, progress: Progress, queue_limit: int | None) -> list[str]:
    """Heal until there is nothing more to heal, here or in another session; return what was done, in sentences."""
    notes: list[str] = []
    while True:
        note_interrupted_runs(conn)
        reasons = find_rebuild_reasons(conn)
        reason = reasons.reason
        if reason is None and queue_limit is not None and is_too_deep(conn, queue_limit):
            reason = f"more than {counted(queue_limit, 'change')} waited"
        if reason is None:
            return notes
        if reasons.switched_off is not None:
            restore_capture(conn)
        report = heal(conn, progress=progress, queue_limit=queue_limit)
        if report is None and reasons.built_at is None:
            done = rows.value(conn, query("sweep", "read_rebuild_done")) or 0.0
            raise BlockedError(
                f"The first build goes on, {done:.0%}: until it has ended, changes stay in the queue."
            )
        if report is None:
            time.sleep(BUSY_PAUSE_SECONDS)
        else:
            notes.append(
                f"Rebuilt everything in {report.seconds:.1f} s ({counted(report.leads, 'lead')}), because {reason}."
            )


def _shed_queue(conn: Connection, limit: int) -> None:
    """Delete mass changes and late keys if more of them wait than the limit: a rebuild follows."""
    if not is_too_deep(conn, limit):
        return
    newest = rows.value(conn, query("sweep", "read_newest_change"))
    with conn.transaction():
        forget_sweep(conn, REBUILD)
        reason = f"more than {counted(limit, 'change')} waited and were traded for a rebuild"
        conn.execute(query("capture", "open_reinstalled_gap"), {"reason": reason})
    shed = 0
    for shard in locks.WHOLE_QUEUE:
        name = "shed_late_keys" if shard == locks.LATE_KEYS else "shed_changes"
        deleted = SHED_CHANGES_PER_TRANSACTION
        while deleted == SHED_CHANGES_PER_TRANSACTION:
            with conn.transaction():
                conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (locks.SHARD, shard))
                limits = {"shard": shard, "newest": newest, "size": SHED_CHANGES_PER_TRANSACTION}
                deleted = conn.execute(query("sweep", name), limits).rowcount
            shed += deleted
    _log.warning("the queue was traded for a rebuild", changes=shed, limit=limit)
