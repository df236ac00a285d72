"""One batch of a refresh: take changes, recompute the leads that they made stale, and write what differs.

A batch is one transaction in READ COMMITTED. A crash at any moment gives its changes back to the queue.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import class_row

from projector.core import pipeline, staging
from projector.core.pipeline import BatchResult
from projector.core.preconditions import require_version
from projector.core.sharing import BULK_PIECES_PER_BATCH, ROWS_PER_PIECE, choose_changes
from projector.core.yielding import yielding
from projector.database import locks, rows
from projector.database.distribution import is_distributed, is_finished
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection, Row
from projector.database.sql import failing_step, query, statement, step
from projector.report.errors import CaptureGapError

DEFAULT_BATCH = 1000
"""Changes that one batch takes at most, a fourth of them from each shard."""

IDLE_FRESHNESS_INTERVAL = timedelta(seconds=1)
"""How old freshness is before a refresh with nothing to do moves it, unless a caller waits for it."""

# Data that could not be foreseen: out of range, a broken rule, too large for an index, raised by a function.
# Everything else concerns the server or our own statements, and would fail for every lead.
_LEAD_FAILURES = ("22", "23", "54", "P0")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one batch did. `owned` is empty if other refreshes own all wanted shards; `pieces` are of mass changes."""

    owned: Sequence[int]
    changes: int
    leads: int = 0
    messages: int = 0
    drained: bool = False
    oldest: datetime | None = None
    pieces: int = 0


@dataclass(frozen=True, slots=True)
class OpenedBatch:
    """A batch that was opened, as sql/refresh/1_take/20_open_batch.sql returns it."""

    started_at: datetime
    fresh_until: datetime
    owned: Sequence[int]
    clock: datetime
    gap: str | None
    has_changes: bool
    migrated_version: str | None
    freshness_frozen: bool
    bloated_tables: Sequence[str]


def refresh_batch(  # noqa: PLR0913  # What a batch takes, and how.
    conn: Connection,
    shards: Sequence[int],
    *,
    size: int = DEFAULT_BATCH,
    wait: bool = False,
    bulk_pieces: int = BULK_PIECES_PER_BATCH,
    choose: bool = False,
) -> Batch:
    """Do one batch of the given shards, or of those of them that no other refresh owns; with `wait`, of all of them.

    With `bulk_pieces` 0 it leaves mass changes in the queue, and is never the last batch of a drain.

    With `choose` it chooses changes of few tenants (projector/core/sharing.py). Otherwise it takes the oldest changes.

    It is tried again if it collides with another session. Raises BlockedError after some of that.
    """

    def once() -> Batch:
        with conn.transaction():
            opened = open_batch(conn, shards, wait=wait)
            done = Batch((), 0)
            if opened.owned:
                single_changes = max(size // len(opened.owned), 1)
                done = _take_and_recompute(conn, opened, single_changes, bulk_pieces, choose=choose)
            # Who waits for a refresh may ask for data of the time at which it began.
            at_least = timedelta(0) if wait or done.changes else IDLE_FRESHNESS_INTERVAL
            advances = done.drained and not opened.freshness_frozen
            with pipeline.pipelined(conn):
                if done.changes:
                    log_run(conn, opened, done.changes, BatchResult(done.leads, done.messages))
                if advances and not is_distributed(conn):
                    advance_freshness(conn, opened.owned, opened.fresh_until, opened.clock, at_least)
        if advances and is_distributed(conn):
            advance_after_commit(conn, opened.owned, opened.fresh_until, at_least)
        return done

    return retry(once, *BATCH)


def is_lead_failure(error: psycopg.Error) -> bool:
    """Return whether the data of a single lead can be the reason."""
    return error.sqlstate is not None and error.sqlstate[:2] in _LEAD_FAILURES


def first_line(error: psycopg.Error) -> str:
    """Return what PostgreSQL says, in one line, and which step failed."""
    text = (error.diag.message_primary or str(error)).splitlines()[0]
    failed = failing_step(error)
    return text if failed is None else f"{text} ({failed})"


def open_batch(conn: Connection, shards: Sequence[int], *, wait: bool) -> OpenedBatch:
    """Own shards of the queue.

    Raises CaptureGapError if capture is not intact, and NotInstalledError if another projection version has migrated.
    """
    parameters = {
        "shard_class": locks.SHARD,
        "shards": list(shards),
        "staging_tables": staging.TABLES,
        "truncate_above_bytes": staging.TRUNCATE_ABOVE_BYTES,
    }
    if wait:
        conn.execute(statement("refresh/1_take/10_wait_for_shards"), parameters)
    opened = rows.only_row(conn, OpenedBatch, step("refresh/1_take/20_open_batch").text, parameters)
    require_version(opened.migrated_version)
    if opened.gap is not None:
        raise CaptureGapError(opened.gap)
    return opened


def take_changes(  # noqa: PLR0913  # What is taken, and how.
    conn: Connection,
    opened: OpenedBatch,
    *,
    single_changes: int,
    bulk_pieces: int,
    rows_per_piece: int = ROWS_PER_PIECE,
    choose: bool = False,
) -> Row:
    """Move the next changes of the owned shards from the queue to the staging tables, which are cleared first.

    Returns what sql/refresh/1_take/40_take_changes.sql does.
    """
    limits = {
        "shards": opened.owned,
        "single_changes": single_changes,
        "bulk_pieces": bulk_pieces,
        "rows_per_piece": rows_per_piece,
    }
    chosen, all_chosen = None, None
    if choose and len(opened.owned) < len(locks.SHARDS):
        chosen, all_chosen = choose_changes(conn, limits)
    with pipeline.pipelined(conn):
        staging.clear(conn, opened.bloated_tables)
        cursor = conn.cursor(row_factory=class_row(Row))
        parameters = {**limits, "chosen": chosen, "all_chosen": all_chosen}
        cursor.execute(step("refresh/1_take/40_take_changes").text, parameters)
    taken = cursor.fetchone()
    if taken is None:
        raise AssertionError
    return taken


def spread_changes(conn: Connection) -> int:
    """Queue again what the taken changes refer to; return the number of pieces."""
    with yielding(conn):
        return int(rows.value(conn, statement("refresh/1_take/50_spread_changes")))


def recompute(conn: Connection, *, strict: bool = False) -> BatchResult:
    """From the staged changes to rows of the read model.

    `strict` includes the keys that are set aside as dead letters.
    """
    run = pipeline.Run(conn, conditions={"write"}, parameters={"strict": strict})
    with yielding(conn):
        run.run("refresh/1_take/60_collect_stale_keys", *pipeline.LOCK_AND_RESOLVE, *pipeline.WRITE)
    return run.result


def log_run(conn: Connection, opened: OpenedBatch, changes: int, written: BatchResult) -> None:
    """Write the row of the run log."""
    parameters = {
        "started_at": opened.started_at,
        "changes": changes,
        "leads": written.leads,
        "messages": written.messages,
    }
    conn.execute(statement("refresh/9_finish/10_log_run"), parameters)


def advance_freshness(
    conn: Connection, shards: Sequence[int], fresh_until: datetime, clock: datetime, at_least: timedelta
) -> None:
    """Note that the read model has everything of these shards that was committed before, if that is `at_least` newer.

    Nothing of them waits, capture is intact, and the caller's transaction owns them. `clock` is a time since then.
    """
    wanted = {"shards": list(shards), "fresh_until": fresh_until, "clock": clock, "at_least": at_least}
    conn.execute(statement("refresh/9_finish/20_advance_freshness"), wanted)


def advance_after_commit(
    conn: Connection, shards: Sequence[int], fresh_until: datetime, at_least: timedelta
) -> None:
    """Note the same of a distributed read model, whose servers may finish later than the commit.

    Freshness stays where it is while a server is in doubt, or where another refresh owns one of the shards by now.
    """
    wanted = {"shards": list(shards), "fresh_until": fresh_until, "at_least": at_least}
    if conn.execute(query("core", "is_older"), wanted).fetchone() != (True,) or not is_finished(conn):
        return
    with conn.transaction():
        owned = conn.execute(
            query("core", "own_shards"), {"shard_class": locks.SHARD, "shards": list(shards)}
        )
        [(is_owned, clock)] = owned.fetchall()
        if is_owned:
            advance_freshness(conn, shards, fresh_until, clock, at_least)


def _take_and_recompute(
    conn: Connection, opened: OpenedBatch, single_changes: int, bulk_pieces: int, *, choose: bool
) -> Batch:
    if not opened.has_changes:
        # An idle batch does not touch the staging tables: to clear them costs more than all the rest of it.
        return Batch(opened.owned, changes=0, drained=True)
    taken = take_changes(conn, opened, single_changes=single_changes, bulk_pieces=bulk_pieces, choose=choose)
    pipeline.reach("taken")
    pieces = spread_changes(conn) if taken.spreads else 0
    written = recompute(conn) if taken.changes else BatchResult()
    drained = taken.drained and pieces == 0 and bulk_pieces > 0
    return Batch(opened.owned, taken.changes, written.leads, written.messages, drained, taken.oldest, pieces)
