"""The first build: all tables of the read model in one transaction, from one snapshot of the source.

A read model that was never built has no readers: the API answers 503 until `read_model.projection` says that it was.
So the build may lock the tables, fill them without indexes, and create the indexes after the rows. Its transaction
holds all shards, so that refreshes wait. A build that is killed leaves nothing that the API reads.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

import structlog
from psycopg import sql as composing
from psycopg.rows import class_row

from projector.core import pipeline
from projector.core.pipeline import BatchResult, Connection, InjectionPoint
from projector.core.snapshots import (
    SOURCE_PATIENCE_SECONDS,
    retry_while_source_is_held,
    snapshot,
    source_files,
)
from projector.database import locks
from projector.database.sql import query, steps
from projector.report.errors import BlockedError
from projector.report.progress import Progress
from projector.sweep import drift_log
from projector.sweep.rebuild.run_log import add_to_run, logged_run, note_built, read_clock

TABLES = (
    "read_model.leads",
    "read_model.lead_profiles",
    "read_model.lead_conversations",
    "read_model.lead_messages",
    "read_model.lead_counts",
    "read_model.lead_daily_counts",
    "read_model.lead_totals",
    "projector.source_keys",
)
"""The tables that a first build fills."""

BUILD_ATTEMPTS = 3
"""How often a build begins anew because the platform truncated or rewrote one of its tables meanwhile."""

BUILD_MEMORY = "64MB"
"""Memory of one sort or hash, and of the creation of an index."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class IndexCommands:
    """The commands that drop a key or an index, and create it again."""

    name: str
    drop_command: str
    create_command: str
    place: int


def build(conn: Connection, progress: Progress, *, point: InjectionPoint) -> BatchResult:
    """Fill the read model; return how many leads and messages there are.

    Raises BlockedError if the platform keeps truncating or rewriting its tables.
    """
    with logged_run(conn, None) as run_id, owned_shards(conn):
        for _ in range(BUILD_ATTEMPTS):
            since = _build_when_unlocked(conn, progress, point)
            if since is not None:
                break
            _log.warning("a source table was truncated or rewritten meanwhile: building again")
        else:
            raise BlockedError(
                "The platform keeps truncating or rewriting its tables: run rebuild again when that is over."
            )
        for table in TABLES:
            vacuum = composing.SQL("VACUUM (SKIP_LOCKED) {}").format(composing.SQL(table))
            conn.execute(vacuum, prepare=False)
        # In a transaction of its own: a gap that was noted meanwhile has written to the same row, which the snapshot
        # could then not update. A build that is killed before this counts as none; the next truncates what it left.
        note_built(conn, since)
        drift_log.end_rebuilt(conn, None, since)
        row = conn.execute(query("rebuild", "count_built")).fetchone()
        built = BatchResult(*row) if row else BatchResult()
        add_to_run(conn, run_id, built)
    return built


def _build_when_unlocked(conn: Connection, progress: Progress, point: InjectionPoint) -> datetime | None:
    """Build as soon as no other session holds a table, and again after a build that gave way to the platform.

    Unlike a refresh, a build needs the tables of the read model alone as well.
    """
    return retry_while_source_is_held(
        conn,
        lambda: _build(conn, progress, point),
        message=(
            f"The tables of the platform and of the read model could not be locked in {SOURCE_PATIENCE_SECONDS:.0f} s:"
            " another session holds one. See pg_stat_activity for long transactions, and run rebuild again when they"
            " have ended."
        ),
    )


class _SourceRewrittenError(Exception):
    """The platform truncated or rewrote a source table while the build read it: its rows may have been missed."""


def _build(conn: Connection, progress: Progress, point: InjectionPoint) -> datetime | None:
    """Build once; return from when on it is fresh, or None if it has to be done again, with nothing written."""
    since, files = read_clock(conn), source_files(conn)
    try:
        with snapshot(conn):
            _fill(conn, progress, point)
            _check_source_files(conn, files)
    except _SourceRewrittenError:
        return None
    finally:
        progress.finish()
    return since


def _check_source_files(conn: Connection, files: list[str]) -> None:
    if source_files(conn) != files:
        raise _SourceRewrittenError


def _fill(conn: Connection, progress: Progress, point: InjectionPoint) -> None:
    for name, value in _SETTINGS.items():
        conn.execute("SELECT set_config(%s, %s, true)", (name, value))
    with conn.cursor(row_factory=class_row(IndexCommands)) as cursor:
        indexes = cursor.execute(query("rebuild", "find_index_commands"), {"tables": list(TABLES)}).fetchall()
    # While a reader holds one of our tables, the build has done nothing yet that a new attempt would have to repeat.
    # The platform's tables are locked as late as they are read: an ALTER TABLE of the platform waits from then on.
    names = composing.SQL(", ").join(composing.SQL(table) for table in TABLES)
    conn.execute(composing.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(names), prepare=False)
    work = steps("rebuild/first_build", fence="")
    progress.start("rebuild", len(work) + len(indexes), "steps")
    truncates, fills = work[:_TRUNCATES], work[_TRUNCATES:]
    pipeline.run_steps(conn, truncates)
    progress.advance(_TRUNCATES)
    for index in indexes:
        conn.execute(index.drop_command.encode(), prepare=False)
    for one in fills:
        pipeline.run_steps(conn, [one])
        progress.advance(1)
    point("built")
    for index in indexes:
        conn.execute(index.create_command.encode(), prepare=False)
        progress.advance(1)
    for table in TABLES:
        analyze = composing.SQL("ANALYZE {}").format(composing.SQL(table))
        conn.execute(analyze, prepare=False)
    point("indexed")


# The first steps empty the tables: that is done while they still have their indexes.
_TRUNCATES = 2

_SETTINGS = {
    "work_mem": BUILD_MEMORY,
    "maintenance_work_mem": BUILD_MEMORY,
    "enable_seqscan": "on",
    "plan_cache_mode": "auto",
    # The planner takes the columns of a lead's key for independent, and a join by all of them for one row: with a
    # million leads it would loop over all of them for each.
    "enable_nestloop": "off",
}


@contextmanager
def owned_shards(conn: Connection) -> Iterator[None]:
    """Own every shard of the queue, through several transactions; waits for refreshes in progress."""
    with ExitStack() as stack:
        for shard in locks.SHARDS:
            conn.execute("SELECT pg_advisory_lock(%s, %s)", (locks.SHARD, shard))
            stack.callback(_release, conn, shard)
        yield


def _release(conn: Connection, shard: int) -> None:
    if not conn.closed:
        conn.execute("SELECT pg_advisory_unlock(%s, %s)", (locks.SHARD, shard))
