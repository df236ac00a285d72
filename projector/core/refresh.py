"""Refresh: applies all committed changes, batch by batch, even if single leads fail."""

import time
from collections.abc import Sequence

import psycopg
import structlog

from projector.core import pipeline
from projector.core.batch import DEFAULT_BATCH, Batch, failure, refresh_batch
from projector.core.dead_letters import TRIES_OF_A_TURN, find_dead_letters, retry_dead_letters
from projector.core.faults import find_row_failure
from projector.core.late import LateKeys, defer_changes
from projector.core.pipeline import BatchResult
from projector.core.preconditions import require_built
from projector.database import locks, rows
from projector.database.rows import Connection
from projector.database.sql import query
from projector.report.counted import RunReport
from projector.report.errors import BlockedError
from projector.report.progress import Progress

FULL_BATCHES = 2
"""After this many full batches in a row, the oldest single changes are treated as a mass change."""

NEWEST = 100
"""How many single changes a batch then takes: the newest, so that new changes do not wait for the old ones."""

_log = structlog.get_logger(__name__)


def refresh(
    conn: Connection,
    *,
    retry_failed: bool,
    progress: Progress,
    size: int = DEFAULT_BATCH,
) -> RunReport:
    """Make everything that was committed before this call visible in the read model, and return then.

    It waits for refreshes in progress. `retry_failed` tries all dead letters again, not only those that are due.
    Returns the numbers of leads, messages and changes. Raises NotInstalledError before the first build has ended, and
    CaptureGapError if changes may have been missed, which a rebuild heals.
    """
    started = time.monotonic()
    require_built(conn)
    pipeline.prepare_session(conn)
    progress.start("refresh", rows.value(conn, query("core", "count_changes"), {"bound": None}), "changes")
    waiting = _Refresh(conn, progress, size)
    waiting.run()
    warn_of_unresolved(waiting.total.keys, waiting.total.leads)
    tried, failed = _retry(conn, waiting, due_only=not retry_failed)
    progress.finish()
    outcome = f"{failed} failed again" if failed else "none failed again"
    return RunReport(
        "refresh",
        time.monotonic() - started,
        waiting.total.leads,
        waiting.total.messages,
        waiting.changes,
        (f"dead letters tried again: {tried}; {outcome}",) if tried else (),
    )


def warn_of_unresolved(keys: int, leads: int) -> None:
    """Warn if keys were read again and none belongs to a lead: the mapping may not give their rows."""
    if keys and not leads:
        _log.warning("no key of the changes belongs to a lead, now or before: see the mapping", keys=keys)


class Drain:
    """Takes waiting changes step by step, and single changes before all others."""

    def __init__(self, size: int) -> None:
        self.late = LateKeys()
        self._size = size
        self._full_batches = 0

    def take_singles(self, conn: Connection, shards: Sequence[int], *, wait: bool = False) -> Batch:
        """Take single changes, as refresh_batch does. If one fails, the whole batch is deferred."""
        try:
            size = min(NEWEST, self._size) if self._is_flooded else self._size
            done = refresh_batch(conn, shards, size=size, newest=self._is_flooded, wait=wait)
        except (psycopg.Error, BlockedError) as error:
            failed = find_row_failure(conn, error)
            _log.warning("a batch failed, and its changes are tried tenant by tenant", **failure(failed))
            self.late.may_fail = True
            size = max(self._size // len(shards), 1)
            deferred = defer_changes(conn, shards, mass=False, size=size, wait=wait)
            if deferred is not None and not deferred.changes:
                # Nothing waits, so no row is the cause.
                raise
            return deferred or Batch((), 0)
        is_full = bool(done.owned) and not done.drained and not done.has_mass_changes
        self._full_batches = self._full_batches + 1 if is_full else 0
        _note_expansion(done)
        return done

    def take_mass(
        self, conn: Connection, shards: Sequence[int], after: Batch, *, wait: bool = False
    ) -> Batch | None:
        """Take a slice of the queue, or else a piece of the late keys; return None if there are neither.

        `after` is the last result of take_singles.
        """
        if after.has_mass_changes or self._is_flooded:
            done = defer_changes(conn, shards, mass=after.has_mass_changes, wait=wait)
            _note_expansion(done)
            return done
        if not after.has_late_keys:
            return None
        return self.late.take_piece(conn)

    @property
    def _is_flooded(self) -> bool:
        return self._full_batches > FULL_BATCHES


class _Refresh:
    """Takes everything that waits, and counts it."""

    def __init__(self, conn: Connection, progress: Progress, size: int) -> None:
        self.changes, self.total = 0, BatchResult()
        self._conn, self._progress = conn, progress
        self._drain = Drain(size)

    def run(self) -> None:
        done = self._take()
        if done.has_late_keys:
            self._drain.late.take_all(self._conn, self._add)
        self._drain.late.end(self._conn, wait=True)
        if done.has_late_keys:
            # The moment of every tenant stood still meanwhile.
            self._take()

    def _take(self) -> Batch:
        """Take changes until the queue is drained; return what the last batch did."""
        while True:
            done = self._drain.take_singles(self._conn, locks.SHARDS, wait=True)
            self._add(done)
            if done.drained:
                return done
            self._add(self._drain.take_mass(self._conn, locks.SHARDS, done, wait=True))

    def _add(self, done: Batch | None) -> None:
        if done is not None:
            self.changes += done.changes
            self.total += BatchResult(done.leads, done.messages, done.stale_keys)
            self._progress.advance(done.changes + done.keys)


def _retry(conn: Connection, waiting: _Refresh, *, due_only: bool) -> tuple[int, int]:
    """Retry dead letters, a few at a time; return how many, and how many failed again.

    New changes are taken between them.
    """
    failed = 0
    dead_letters = find_dead_letters(conn, due_only=due_only)
    for first in range(0, len(dead_letters), TRIES_OF_A_TURN):
        if first:
            waiting.run()
        some = dead_letters[first : first + TRIES_OF_A_TURN]
        failed += retry_dead_letters(conn, some, patient=not due_only)
    return len(dead_letters), failed


def _note_expansion(done: Batch | None) -> None:
    # A change of a few leads is one piece.
    if done is not None and done.pieces > 1:
        _log.info("a mass change is expanded", pieces=done.pieces)
