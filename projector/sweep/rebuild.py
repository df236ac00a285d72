"""Rebuild: recompute every lead from its source rows, whatever the read model holds.

A rebuild is a sweep over pieces. If the read model was never built, the rebuild fills it (see fill).
Otherwise it corrects the read model in place, and writes only what differs:

1. All keys are compared. Wrong keys are processed together with the late keys, lead by lead, as in a refresh.
2. Each piece of 1,000 leads, across tenants, is compared in one snapshot, without a lock of the projector.
3. The leads that differ are computed again, in a later statement and under their tenant's lock, by the steps of a
   refresh: a refresh that came between is not overwritten. Changes that arrive meanwhile stay in the queue.
4. The statistics are compared, and corrected where they differ.
5. A rebuild of everything retries the dead letters.

After each piece the rebuild stores its position with its projection version. A killed rebuild is resumed at
that position, by the same version only.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
from projector.core.preconditions import is_built, require_built, require_installed, require_tenants
from projector.database import locks, rows
from projector.database.distribution import is_finished
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION, failing_step, query
from projector.model.leads import LEAD_TABLES
from projector.report.counted import RunReport, escape_hidden
from projector.report.errors import WHERE_SHOWN, BlockedError, RebuildFailedError, condition
from projector.report.log import digest
from projector.report.progress import Progress
from projector.sweep import drift, pieces, statistics
from projector.sweep.compare import LEADS_PER_SNAPSHOT, find_candidates
from projector.sweep.fill import Fill
from projector.sweep.leads import LeadKey, by_halves, create_tables, lead_arrays, rebuild_keys, rebuild_leads
from projector.sweep.run_log import Run, logged_run, read_clock

VACUUM_ABOVE_LEADS = 20_000
"""After writing more leads than this, a rebuild vacuums the tables, so that later pieces reuse the space."""

SETTLED_AT_ONCE = 10_000
"""Changes that are deleted from the queue in one transaction, while no refresh takes any."""


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
    # A view in place of a table could call any function that its owner chose.
    missing = find_missing_source(conn)
    if missing:
        raise misfit(missing)
    if tenants is not None:
        require_built(conn)
        require_tenants(conn, tenants)
    with only_rebuild(conn):
        pipeline.prepare_session(conn)
        try:
            written = _sweep(conn, tenants, progress, resume=resume)
        except (psycopg.Error, BlockedError) as failed:
            error = find_row_failure(conn, failed)
            fault = find_fault(conn) or Fault(first_line(error), error)
            hidden = fault.said if fault.error is None else f"{fault.file or 'a row'}, {condition(error)}"
            raise _stopped(f": {fault.said}", f": {hidden}", "row that cannot be projected") from error
    return RunReport("rebuild", time.monotonic() - started, written.leads, written.messages)


@contextmanager
def only_rebuild(conn: Connection, what_else: str = "Another rebuild") -> Iterator[None]:
    """Be the only session that rebuilds. Raises BlockedError, which says `what_else`, if another one does."""
    with locks.try_session_lock(conn, locks.REBUILD) as is_ours:
        if not is_ours:
            raise BlockedError(
                f"{what_else} is under way: wait until `status` says that it has ended, then try again."
            )
        yield


def _sweep(
    conn: Connection, tenants: Sequence[str] | None, progress: Progress, *, resume: bool
) -> BatchResult:
    """Rebuild these tenants, or everything; return how many leads they have and how many messages were written."""
    fills = tenants is None and not is_built(conn)
    mode = Fill(conn) if fills else _InPlace(conn, tenants, progress)
    position, queued = pieces.Position(read_clock(conn)), []
    if tenants is None:
        stored = pieces.read_position(conn, pieces.REBUILD) if resume else None
        if stored is None:
            # Later statements read all source rows that these changes are about.
            queued = rows.values(conn, query("sweep", "read_queued_changes"))
            conn.execute(query("sweep", "note_rebuild_done"), {"more": None})
        position = stored or mode.begin()
    with ExitStack() as entered:
        if fills:
            # No other session takes the late keys that the fill leaves, and migrate waits.
            entered.enter_context(locks.session_lock(conn, locks.SHARD, locks.LATE_KEYS))
        run = entered.enter_context(logged_run(conn, "rebuild", tenants, progress))
        names.write_all(conn, tenants)
        messages = _do_pieces(conn, mode, run, position)
        if tenants is None:
            # Dead letters are retried and not deleted, because batches have dropped changes of their keys.
            retry_all_dead_letters(conn)
            _note_built(conn, position)
            _settle(conn, queued)
        drift.end_all(conn, tenants, position.started_at, outcome="rebuilt")
        progress.finish()
        # Some of the keys that were compared make no lead, so the stored leads are counted.
        counted_tenants = pipeline.tenants_parameter(tenants)
        run.leads = rows.value(conn, query("sweep", "count_stored_leads"), counted_tenants)
    return BatchResult(run.leads or 0, messages)


class _InPlace:
    """Corrects a read model that serves: compares a piece, and writes the leads that differ."""

    def __init__(self, conn: Connection, tenants: Sequence[str] | None, progress: Progress) -> None:
        create_tables(conn)
        self.tenants = tenants
        self._conn, self._progress = conn, progress
        self._unvacuumed, self._most_differ = 0, False

    def begin(self) -> pieces.Position:
        return pieces.begin_sweep(self._conn, pieces.REBUILD, pieces.PHASES[0])

    def find_pieces(self, position: pieces.Position) -> Iterator[pieces.Piece]:
        return pieces.pieces(self._conn, self.tenants, LEADS_PER_SNAPSHOT, position.phase, position.after)

    def do_keys(self, piece: pieces.Piece) -> int:
        return rebuild_keys(self._conn, piece.tenants, self._progress)

    def do_leads(self, leads: Sequence[LeadKey]) -> Iterator[BatchResult]:
        # If most leads of a piece differed, the leads of the next piece are computed without a comparison.
        candidates = self._find_candidates(leads, compares=not self._most_differ)
        self._most_differ = 2 * len(candidates) > len(leads)
        yield BatchResult(len(leads) - len(candidates))
        yield from rebuild_leads(self._conn, candidates, partial(_stop, self._conn))
        self._unvacuumed = _make_room(self._conn, self._unvacuumed + len(candidates))
        # Until a table that was empty is analyzed, PostgreSQL reads far too much of an index for each lead.
        analyze_if_outgrown(self._conn, BatchResult(len(candidates)))

    def end(self) -> None:
        statistics.heal(self._conn, self.tenants)

    def _find_candidates(self, leads: Sequence[LeadKey], *, compares: bool) -> list[LeadKey]:
        """Return the leads to recompute: those that a comparison finds to differ, or without one, all.

        Leads that were missing with all their keys are left out: rebuild_keys has already written them.
        """
        conn = self._conn
        candidates = conn.execute(query("sweep", "find_leads_left"), lead_arrays(leads)).fetchall()
        if compares and candidates:
            halves = by_halves(candidates, lambda some: find_candidates(conn, some), partial(_stop, conn))
            candidates = [*chain.from_iterable(halves)]
        test_point("compared")
        return candidates


def _do_pieces(conn: Connection, mode: Fill | _InPlace, run: Run, position: pieces.Position) -> int:
    """Do the pieces from a position on, which is stored after each; return how many messages were written."""
    messages = 0
    if position.phase != "keys":
        run.expect(pieces.count_leads(conn, mode.tenants))
    for piece in mode.find_pieces(position):
        if piece.phase == "keys":
            messages += mode.do_keys(piece)
            if piece.next_phase != "keys":
                run.expect(pieces.count_leads(conn, mode.tenants))
        elif piece.phase == "statistics":
            mode.end()
        else:
            for done in mode.do_leads(piece.leads):
                messages += done.messages
                run.add(done)
        if mode.tenants is None:
            pieces.move_sweep(conn, pieces.REBUILD, piece.next_phase, piece.after)
    return messages


def _make_room(conn: Connection, written: int) -> int:
    """Vacuum if enough leads were written since the last vacuum; return the number written since it."""
    if written <= VACUUM_ABOVE_LEADS:
        return written
    # PostgreSQL passes by a table that is not ours, or that a session holds.
    tables = ", ".join(LEAD_TABLES)
    conn.execute(f"VACUUM (TRUNCATE FALSE, SKIP_LOCKED) {tables}".encode(), prepare=False)
    return 0


def _note_built(conn: Connection, position: pieces.Position) -> None:
    """Note that everything is built, with the parts of `position`, at least as of the beginning of the sweep.

    Raises OperationalError if a server has not finished the writes of the build.
    """
    if not is_finished(conn):
        raise psycopg.OperationalError("a server cannot be reached, or has not finished what was committed")
    with conn.transaction():
        if not is_built(conn):
            conn.execute(query("sweep", "tell_listeners"))
        conn.execute(
            query("sweep", "note_built"), {"version": PROJECTION_VERSION, "parts": list(position.parts)}
        )
        freshness = {"since": position.started_at, "shards": len(locks.SHARDS)}
        conn.execute(query("sweep", "begin_freshness"), freshness)
        pieces.forget_sweep(conn, pieces.REBUILD)


def _settle(conn: Connection, change_ids: Sequence[int]) -> None:
    """Delete exactly these changes, which the build contains: one with a lower id may have come later."""
    for start in range(0, len(change_ids), SETTLED_AT_ONCE):
        some = list(change_ids[start : start + SETTLED_AT_ONCE])

        def settle(some: list[int] = some) -> None:
            with conn.transaction():
                locks.own_queue(conn)
                conn.execute(query("sweep", "settle_changes"), {"change_ids": some})

        # This may deadlock: a first build holds the shard of the late keys, which the retry of a dead letter
        # locks last.
        retry(settle, *BATCH)


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
        f"The read model keeps what it held. Correct the source {rows_to_correct}, and run rebuild again."
    )
    return RebuildFailedError(
        f"The rebuild stopped{where_and_why}. {advice}",
        without_values=f"The rebuild stopped{hidden}. {advice} {WHERE_SHOWN}",
    )
