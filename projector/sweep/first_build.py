"""The first build: all tables of the read model in one transaction, from one snapshot of the source.

A read model that was never built has no readers: the API answers 503 until `read_model.projection` says that it was.
So the build may lock the tables, fill them without indexes, and create the indexes after the rows. One that was built,
and holds no row, is filled beside its readers, who see it empty until the end. The build holds all shards, so that
refreshes wait. A build that is killed leaves nothing that the API reads.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime

import psycopg
import structlog
from psycopg import sql as composing

from projector.core import names, pipeline
from projector.core.pipeline import BatchResult, test_point
from projector.core.preconditions import is_built
from projector.core.source_reads import (
    SOURCE_PATIENCE_SECONDS,
    retry_reading,
    snapshot,
    source_files,
)
from projector.database import locks, rows
from projector.database.distribution import is_finished
from projector.database.retry import Again
from projector.database.rows import Connection
from projector.database.sql import PROJECTION_VERSION, query, steps
from projector.model.leads import TABLES
from projector.report.errors import BlockedError
from projector.report.progress import Progress
from projector.sweep import drift
from projector.sweep.pieces import REBUILD, forget_sweep, read_parts
from projector.sweep.run_log import logged_run, read_clock

BUILD_ATTEMPTS = 3
"""How often a build begins at most, where the platform truncated or rewrote one of its tables meanwhile."""

BUILD_MEMORY = "64MB"
"""Memory of one sort or hash, and of the creation of an index."""

_LISTED = composing.SQL(", ").join(composing.SQL(table) for table in TABLES)

_log = structlog.get_logger(__name__)


def build(conn: Connection, progress: Progress) -> BatchResult | None:
    """Fill the read model, unless it serves rows; return how many leads and messages there are then, or None.

    Raises BlockedError if the platform keeps truncating or rewriting its tables.
    """
    if not _is_empty(conn):
        return None
    with ExitStack() as entered:
        # Refreshes wait, through several transactions.
        for shard in locks.WHOLE_QUEUE:
            entered.enter_context(locks.session_lock(conn, locks.SHARD, shard))
        if not _is_empty(conn):
            return None
        run = entered.enter_context(logged_run(conn, "rebuild", None))
        message = (
            f"The tables of the platform and of the read model could not be locked in {SOURCE_PATIENCE_SECONDS:.0f} s:"
            " another session holds one. See pg_stat_activity for long transactions, and run rebuild again when they"
            " have ended."
        )
        rewritten = Again((RewrittenError,), 0.0, 0.0, tries=BUILD_ATTEMPTS - 1)
        # Unlike a refresh, a build needs the tables of the read model alone as well.
        since = retry_reading(conn, lambda: _build(conn, progress), message=message, also=(rewritten,))
        conn.execute(composing.SQL("VACUUM (SKIP_LOCKED) {}").format(_LISTED), prepare=False)
        names.write_all(conn, None)
        # In a transaction of its own: a gap that was noted meanwhile has written to the same row, which the snapshot
        # could then not update. A build that is killed before this counts as none; the next truncates what it left.
        note_built(conn, since, read_parts(conn))
        drift.end_all(conn, None, since, outcome="rebuilt")
        built = rows.only_row(conn, BatchResult, query("sweep", "count_built"))
        run.add(built)
    return built


def note_built(conn: Connection, since: datetime, parts: Sequence[str]) -> None:
    """Note that everything was built from what was committed before `since`, or later, and these parts filled.

    Raises OperationalError where a server has not finished what was built.
    """
    if not is_finished(conn):
        raise psycopg.OperationalError("a server cannot be reached, or has not finished what was committed")
    with conn.transaction():
        conn.execute(query("sweep", "note_built"), {"version": PROJECTION_VERSION, "parts": list(parts)})
        conn.execute(query("sweep", "begin_freshness"), {"since": since, "shards": len(locks.SHARDS)})
        forget_sweep(conn, REBUILD)


class RewrittenError(BlockedError):
    """The platform has truncated or rewritten a table while it was read: its rows may have been missed."""


def _is_empty(conn: Connection) -> bool:
    """Return whether the read model was never built, or holds no row."""
    # Citus takes no subquery without a column.
    has_row = composing.SQL("EXISTS (SELECT 1 FROM {})")
    has_rows = composing.SQL(" OR ").join(has_row.format(composing.SQL(table)) for table in TABLES)
    return not is_built(conn) or conn.execute(b"SELECT " + has_rows.as_bytes()).fetchone() == (False,)


def _build(conn: Connection, progress: Progress) -> datetime:
    """Build once; return from when on it is fresh. Raises RewrittenError if it has to be done again."""
    since, files = read_clock(conn), source_files(conn)
    try:
        with snapshot(conn):
            _fill(conn, progress)
            if source_files(conn) != files:
                _log.warning("a source table was truncated or rewritten meanwhile: building again")
                raise RewrittenError(
                    "The platform keeps truncating or rewriting its tables: run rebuild again when that is over."
                )
    finally:
        progress.finish()
    return since


def _fill(conn: Connection, progress: Progress) -> None:
    for name, value in _SETTINGS.items():
        conn.execute("SELECT set_config(%s, %s, true)", (name, value))
    fills = steps("sweep/first_build", fence="")
    indexes = [] if is_built(conn) else _empty_tables(conn)
    progress.start("rebuild", len(fills) + len(indexes), "steps")
    for step in fills:
        pipeline.run_step(conn, step)
        progress.advance(1)
    test_point("built")
    for create in indexes:
        conn.execute(create.encode(), prepare=False)
        progress.advance(1)
    conn.execute(composing.SQL("ANALYZE {}").format(_LISTED), prepare=False)
    test_point("indexed")


def _empty_tables(conn: Connection) -> list[str]:
    """Lock the tables that nobody reads, empty them, and drop their indexes; return how to create these.

    A refresh before the first build, or a build of an earlier installation, may have left rows.
    """
    indexes = conn.execute(query("sweep", "find_index_commands"), {"tables": list(TABLES)}).fetchall()
    # While a reader holds one of our tables, the build has done nothing yet that a new attempt would have to repeat.
    # The platform's tables are locked as late as they are read: an ALTER TABLE of the platform waits from then on.
    conn.execute(composing.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(_LISTED), prepare=False)
    # The tables are emptied while they still have their indexes.
    for command in rows.values(conn, query("sweep", "find_empty_commands"), {"tables": list(TABLES)}):
        conn.execute(command.encode(), prepare=False)
    for drop, *_ in indexes:
        conn.execute(drop.encode(), prepare=False)
    return [create for _, create, _ in indexes]


_SETTINGS = {
    "work_mem": BUILD_MEMORY,
    "maintenance_work_mem": BUILD_MEMORY,
    "enable_seqscan": "on",
    "plan_cache_mode": "auto",
    # The planner takes the columns of a lead's key for independent, and a join by all of them for one row: with a
    # million leads it would loop over all of them for each.
    "enable_nestloop": "off",
}
