"""Rebuild: every lead from its source rows, whatever the read model held.

A read model that was never built, or holds no row, is filled in one transaction (first_build). One that serves rows is
rebuilt in place, and only what differs is written:

1. The keys are compared as a whole. Those that are wrong are taken with the late keys, lead by lead, as a refresh takes
   them.
2. Each piece of 1,000 leads, across tenants, is compared in one snapshot, without a lock of the projector.
3. The leads that differ are computed again, in a later statement and under their tenant's lock, by the steps of a
   refresh: a refresh that came between is not overwritten. Changes that arrive meanwhile stay in the queue.
4. The statistics are compared, and corrected where they differ.
5. A rebuild of everything retries the dead letters.

How far it came is stored after each piece, with the projection version that it builds for. So a rebuild that was
killed is resumed there, by the same version only.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import chain
from typing import NoReturn

import psycopg

from projector.capture.source import find_missing_source, misfit
from projector.core import names, pipeline
from projector.core.batch import analyze_if_outgrown, first_line
from projector.core.dead_letters import retry_all_dead_letters
from projector.core.faults import Fault, find_fault, find_fault_of_lead, find_row_failure
from projector.core.pipeline import BatchResult, test_point
from projector.core.preconditions import require_installed, require_tenants
from projector.database import locks, rows
from projector.database.rows import Connection
from projector.database.sql import failing_step, query
from projector.model.leads import LEAD_TABLES
from projector.report.counted import RunReport, escape_hidden
from projector.report.errors import WHERE_SHOWN, BlockedError, RebuildFailedError, condition
from projector.report.log import digest
from projector.report.progress import Progress
from projector.sweep import drift, pieces, statistics
from projector.sweep.compare import LEADS_PER_SNAPSHOT, find_candidates
from projector.sweep.first_build import build, note_built
from projector.sweep.leads import LeadKey, by_halves, create_tables, lead_arrays, rebuild_keys, rebuild_leads
from projector.sweep.run_log import logged_run, read_clock

VACUUM_ABOVE_LEADS = 20_000
"""Pieces that wrote more leads are followed by a vacuum, so that the next ones find room in the tables."""


def rebuild(
    conn: Connection,
    *,
    tenants: Sequence[str] | None,
    progress: Progress,
    resume: bool = False,
) -> RunReport:
    """Rebuild the given tenants, or everything; with `resume`, go on with a rebuild that was interrupted.

    Returns how many leads there are, and how many messages were written. Raises RebuildFailedError at the first
    lead that cannot be projected: unlike a refresh, a rebuild is strict. Raises BlockedError while another session
    rebuilds, and TenantNotFoundError for a tenant that does not exist.
    """
    started = time.monotonic()
    require_installed(conn)
    # A view in place of a table would call what its owner likes.
    missing = find_missing_source(conn)
    if missing:
        raise misfit(missing)
    if tenants is not None:
        require_tenants(conn, tenants)
    with only_rebuild(conn):
        pipeline.prepare_session(conn)
        try:
            written = build(conn, progress) if tenants is None else None
            if written is None:
                written = _rebuild_in_place(conn, tenants, progress, resume=resume)
        except (psycopg.Error, BlockedError) as failed:
            error = find_row_failure(conn, failed)
            if error is None:
                raise
            fault = find_fault(conn) or Fault(first_line(error), error)
            hidden = fault.said if fault.error is None else f"{fault.file or 'a row'}, {condition(error)}"
            raise _stopped(f": {fault.said}", f": {hidden}", "row that cannot be projected") from error
    return RunReport("rebuild", time.monotonic() - started, written.leads, written.messages)


@contextmanager
def only_rebuild(conn: Connection, what_else: str = "Another rebuild") -> Iterator[None]:
    """Be the only session that rebuilds; raises BlockedError, which names what else may, while another one does."""
    with locks.try_session_lock(conn, locks.REBUILD) as is_ours:
        if not is_ours:
            raise BlockedError(
                f"{what_else} is under way: wait until `status` says that it has ended, then try again."
            )
        yield


def _rebuild_in_place(
    conn: Connection, tenants: Sequence[str] | None, progress: Progress, *, resume: bool
) -> BatchResult:
    """Rebuild these tenants, or everything; return how many leads they have and how many messages were written."""
    create_tables(conn)
    position, unknown = pieces.Position(read_clock(conn)), []
    if tenants is None:
        stored = pieces.read_position(conn, pieces.REBUILD) if resume else None
        # They wait since before it begins, and it computes everything again.
        unknown = rows.values(conn, query("sweep", "find_unknown_changes")) if stored is None else []
        position = stored or pieces.begin_sweep(conn, pieces.REBUILD, position.phase)
        if stored is None:
            conn.execute(query("sweep", "note_rebuild_done"), {"more": None})
    total = pieces.count_leads(conn, tenants)
    with logged_run(conn, "rebuild", tenants, total) as run:
        names.write_all(conn, tenants)
        # Of a tenant. A customer with only a queued template is not a lead yet.
        if position.phase != pieces.PHASES[0]:
            progress.start("rebuild", total, "customers")
        messages, unvacuumed, most_differ = 0, 0, False
        for piece in pieces.pieces(conn, tenants, LEADS_PER_SNAPSHOT, position.phase, position.after):
            if piece.phase == "keys":
                messages += rebuild_keys(conn, piece.tenants, progress)
                progress.start("rebuild", pieces.count_leads(conn, tenants), "customers")
            elif piece.phase == "statistics":
                statistics.heal(conn, piece.tenants)
            else:
                # Where most leads of a piece differed, those of the next are computed without a comparison.
                candidates = _find_candidates(conn, piece.leads, compares=not most_differ)
                most_differ = 2 * len(candidates) > len(piece.leads)
                right = BatchResult(len(piece.leads) - len(candidates))
                for written in chain((right,), rebuild_leads(conn, candidates, partial(_stop, conn))):
                    messages += written.messages
                    run.add(written)
                    progress.advance(written.leads)
                unvacuumed = _make_room(conn, unvacuumed + len(candidates))
                # Without statistics of a table that was empty, PostgreSQL looks up each lead by an index of all.
                analyze_if_outgrown(conn, BatchResult(len(candidates)))
            if tenants is None:
                pieces.move_sweep(conn, pieces.REBUILD, piece.next_phase, piece.after)
                conn.execute(query("sweep", "note_rebuild_done"), {"more": len(piece.leads) / max(total, 1)})
        if tenants is None:
            # Every lead could be projected. A dead letter is retried, not deleted: batches dropped changes of its key.
            retry_all_dead_letters(conn)
            note_built(conn, position.started_at, position.parts)
            conn.execute(query("sweep", "drop_unknown_changes"), {"change_ids": unknown})
        drift.end_all(conn, tenants, position.started_at, outcome="rebuilt")
        progress.finish()
        # Not every key that was compared makes a lead.
        counted_tenants = pipeline.tenants_parameter(tenants)
        run.leads = rows.value(conn, query("sweep", "count_stored_leads"), counted_tenants)
    return BatchResult(run.leads or 0, messages)


def _find_candidates(conn: Connection, leads: Sequence[LeadKey], *, compares: bool) -> list[LeadKey]:
    """Return those of these leads that a comparison finds to differ, or without one, all but those known to be right.

    Those that came in whole with their keys are right.
    """
    candidates = conn.execute(query("sweep", "find_leads_left"), lead_arrays(leads)).fetchall()
    if compares and candidates:
        halves = by_halves(candidates, lambda some: find_candidates(conn, some), partial(_stop, conn))
        candidates = [*chain.from_iterable(halves)]
    test_point("compared")
    return candidates


def _make_room(conn: Connection, written: int) -> int:
    """Vacuum if so many leads were written since the last time; return how many are written since."""
    if written <= VACUUM_ABOVE_LEADS:
        return written
    # PostgreSQL passes by a table that is not ours, or that a session holds.
    tables = ", ".join(LEAD_TABLES)
    conn.execute(f"VACUUM (TRUNCATE FALSE, SKIP_LOCKED) {tables}".encode(), prepare=False)
    return 0


def _stop(conn: Connection, lead: LeadKey, error: psycopg.Error) -> NoReturn:
    """Stop at a lead that cannot be projected, and name it."""
    user_id, customer_phone = lead
    step = failing_step(error)
    kind = condition(error) if step is None else f"{condition(error)} ({step})"
    tenant = escape_hidden(user_id)
    with conn.transaction():
        fault = find_fault_of_lead(conn, user_id, customer_phone)
    said = first_line(error) if fault is None else fault.said
    raise _stopped(
        f" at customer {escape_hidden(customer_phone)} of tenant {tenant}: {said}",
        f" at a customer of tenant {tenant} whose phone has the digest {digest(customer_phone)}: {kind}",
        "rows of this customer",
    ) from error


def _stopped(where_and_why: str, hidden: str, rows_to_correct: str) -> RebuildFailedError:
    """Return the error of a rebuild that stopped; `hidden` says where and why without values of rows."""
    advice = (
        f"The read model serves what it held. Correct the source {rows_to_correct}, and run rebuild again."
    )
    return RebuildFailedError(
        f"The rebuild stopped{where_and_why}. {advice}",
        without_values=f"The rebuild stopped{hidden}. {advice} {WHERE_SHOWN}",
    )
