"""Refresh: bring in what was committed, batch by batch, whatever single lead fails."""

import time
from collections.abc import Sequence

import psycopg
import structlog
from psycopg import sql as composing

from projector import locks, pipeline
from projector.batch import DEFAULT_BATCH, Batch, first_line, is_lead_failure, refresh_batch
from projector.dead_letters import Retried, isolate_failing_key, retry_dead_letters
from projector.log import quoting
from projector.pipeline import BatchResult, Connection, InjectionPoint, no_injection_point
from projector.preconditions import require_installed
from projector.progress import Progress
from projector.report import RunReport
from projector.sql import query

ANALYZE_ABOVE_ROWS = 100
"""A batch that writes more leads and messages looks for tables that have outgrown their statistics."""

_log = structlog.get_logger(__name__)


def refresh(
    conn: Connection,
    *,
    retry_failed: bool,
    progress: Progress,
    size: int = DEFAULT_BATCH,
    point: InjectionPoint = no_injection_point,
) -> RunReport:
    """Make everything that was committed before this call visible in the read model, and return then.

    It waits for refreshes in progress. `retry_failed` tries all dead letters again, not only those that are due.
    Returns how many leads, messages and changes that took. Raises CaptureGapError if changes may have been missed: a
    rebuild heals that.
    """
    started = time.monotonic()
    require_installed(conn)
    pipeline.prepare_session(conn)
    waiting = conn.execute(query("refresh", "count_changes")).fetchone()
    progress.start("refresh", waiting[0] if waiting else 0, "changes")
    changes, total = 0, BatchResult()
    size_now = size
    for shard in locks.SHARDS:
        drained = False
        while not drained:
            done, size_now = refresh_with_backoff(
                conn, [shard], size=size_now, limit=size, wait=True, point=point
            )
            changes, total = changes + done.changes, total + BatchResult(done.leads, done.messages)
            progress.advance(done.changes)
            drained = done.drained
    retried = retry_dead_letters(conn, due_only=not retry_failed)
    progress.finish()
    return RunReport(
        "refresh", time.monotonic() - started, total.leads, total.messages, changes, _notes(retried)
    )


def _notes(retried: Retried) -> tuple[str, ...]:
    if not retried.tried:
        return ()
    failed = f"{retried.failed} failed again: see status" if retried.failed else "none failed again"
    return (f"dead letters tried again: {retried.tried}; {failed}",)


def refresh_with_backoff(  # noqa: PLR0913  # As refresh_batch, which it repeats.
    conn: Connection,
    shards: Sequence[int],
    *,
    size: int,
    limit: int,
    wait: bool = False,
    point: InjectionPoint = no_injection_point,
) -> tuple[Batch, int]:
    """Do one batch, whatever single lead fails.

    A batch that fails because of its data is tried again with an eighth of the changes, down to one; that one is
    split by key, and a single key that still fails becomes a dead letter. So the others go on after a few batches.

    Returns the batch, and the size to go on with: up to four times as many changes, `limit` at most.
    """
    while True:
        try:
            done = refresh_batch(conn, shards, size=size, wait=wait, point=point)
        except psycopg.Error as error:
            if not is_lead_failure(error):
                raise
            _log.warning(
                "a batch failed and is tried in smaller parts",
                changes=size,
                error=quoting(error, first_line(error)),
                step=pipeline.failing_step(error),
            )
            if size <= len(shards):
                for shard in shards:
                    isolate_failing_key(conn, shard, wait=wait)
            size = max(size // 8, 1)
        else:
            # A change of a few leads is one piece.
            if done.pieces > 1:
                _log.info("a mass change is spread", pieces=done.pieces)
            if done.leads + done.messages > ANALYZE_ABOVE_ROWS:
                analyze_outgrown_tables(conn)
            return done, min(size * 4, limit)


def analyze_outgrown_tables(conn: Connection) -> None:
    """Analyze the tables whose statistics know far fewer rows than they have.

    The statistics of a read model that was built empty say that it is: until autovacuum comes by, each look-up of an
    import into it would read everything that the import has written of the tenant.
    """
    for (table,) in conn.execute(query("refresh", "find_tables_to_analyze")).fetchall():
        conn.execute(composing.SQL("ANALYZE {}").format(composing.SQL(table)), prepare=False)
