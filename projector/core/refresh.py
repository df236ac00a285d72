"""Refresh: bring in what was committed, batch by batch, whatever single lead fails."""

import time
from collections.abc import Sequence

import psycopg
import structlog
from psycopg import sql as composing

from projector.core import pipeline
from projector.core.batch import (
    DEFAULT_BATCH,
    Batch,
    first_line,
    is_lead_failure,
    refresh_batch,
)
from projector.core.dead_letters import (
    TRIES_OF_A_TURN,
    UntriedLetters,
    find_letters,
    isolate_failing_key,
    retry_letters,
)
from projector.core.pipeline import BatchResult
from projector.core.preconditions import require_installed
from projector.core.sharing import BULK_PIECES_PER_BATCH
from projector.database import locks, rows
from projector.database.rows import Connection
from projector.database.sql import failing_step, query
from projector.report.counted import RunReport
from projector.report.log import quoting
from projector.report.progress import Progress

ANALYZE_ABOVE_ROWS = 100
"""A batch that writes more leads and messages looks for tables that have outgrown their statistics."""

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
    Returns how many leads, messages and changes that took. Raises CaptureGapError if changes may have been missed: a
    rebuild heals that.
    """
    started = time.monotonic()
    require_installed(conn)
    pipeline.prepare_session(conn)
    progress.start("refresh", rows.value(conn, query("core", "count_changes"), {"bound": None}), "changes")
    drain = _Drain(conn, progress, size)
    drain.run()
    tried, failed = _retry(conn, drain, due_only=not retry_failed)
    progress.finish()
    outcome = f"{failed} failed again: see status" if failed else "none failed again"
    return RunReport(
        "refresh",
        time.monotonic() - started,
        drain.total.leads,
        drain.total.messages,
        drain.changes,
        (f"dead letters tried again: {tried}; {outcome}",) if tried else (),
    )


class _Drain:
    """Takes all the changes that wait, and counts what that took."""

    def __init__(self, conn: Connection, progress: Progress, size: int) -> None:
        self.changes, self.total = 0, BatchResult()
        self._conn, self._progress = conn, progress
        self._limit = self._size = size

    def run(self) -> None:
        for shard in locks.SHARDS:
            drained = False
            while not drained:
                done, self._size = refresh_with_backoff(
                    self._conn, [shard], size=self._size, limit=self._limit, wait=True
                )
                self.changes += done.changes
                self.total += BatchResult(done.leads, done.messages)
                self._progress.advance(done.changes)
                drained = done.drained


def _retry(conn: Connection, drain: _Drain, *, due_only: bool) -> tuple[int, int]:
    """Do as retry_dead_letters does, a few at a time. What changes meanwhile is taken before the next ones."""
    untried, failed = UntriedLetters(), 0
    while untried.take_turn(conn):
        drain.run()
    letters = find_letters(conn, due_only=due_only)
    for first in range(0, len(letters), TRIES_OF_A_TURN):
        if first:
            drain.run()
        failed += retry_letters(conn, letters[first : first + TRIES_OF_A_TURN])
    # Those that the last drains set aside.
    while untried.take_turn(conn):
        drain.run()
    return len(letters), failed


def refresh_with_backoff(  # noqa: PLR0913  # As refresh_batch, which it repeats.
    conn: Connection,
    shards: Sequence[int],
    *,
    size: int,
    limit: int,
    wait: bool = False,
    choose: bool = False,
) -> tuple[Batch, int]:
    """Do one batch, whatever single lead fails.

    A batch that fails because of its data is tried again without the pieces of mass changes, then with an eighth of the
    single changes, down to one of a shard. What fails alone becomes a dead letter. So the others go on after a few
    batches. With `choose` a batch chooses among changes, unless it is tried again in smaller parts: then it takes the
    oldest, which are those that are isolated.

    Returns the batch, and the size to go on with: up to four times as many changes, `limit` at most.
    """
    bulk_pieces = BULK_PIECES_PER_BATCH
    while True:
        try:
            done = refresh_batch(
                conn,
                shards,
                size=size,
                wait=wait,
                bulk_pieces=bulk_pieces,
                choose=choose and size == limit,
            )
        except psycopg.Error as error:
            if not is_lead_failure(error):
                raise
            _log.warning(
                "a batch failed and is tried in smaller parts",
                changes=size,
                error=quoting(error, first_line(error)),
                step=failing_step(error),
            )
            if bulk_pieces:
                bulk_pieces = 0
                continue
            if size <= len(shards):
                _isolate(conn, shards, bulk=False, wait=wait)
            size = max(size // 8, 1)
        else:
            if not bulk_pieces:
                _isolate(conn, shards, bulk=True, wait=wait)
            # A change of a few leads is one piece.
            if done.pieces > 1:
                _log.info("a mass change is spread", pieces=done.pieces)
            if done.leads + done.messages > ANALYZE_ABOVE_ROWS:
                _analyze_outgrown_tables(conn)
            return done, min(size * 4, limit)


def _isolate(conn: Connection, shards: Sequence[int], *, bulk: bool, wait: bool) -> None:
    for shard in shards:
        isolate_failing_key(conn, shard, bulk=bulk, wait=wait)


def _analyze_outgrown_tables(conn: Connection) -> None:
    """Analyze the tables whose statistics know far fewer rows than they have.

    The statistics of a read model that was built empty say that it is: until autovacuum comes by, each look-up of an
    import into it would read everything that the import has written of the tenant.
    """
    for table in rows.values(conn, query("core", "find_tables_to_analyze")):
        conn.execute(composing.SQL("ANALYZE {}").format(composing.SQL(table)), prepare=False)
