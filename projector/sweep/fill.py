"""The first build: a sweep that fills the tables of a read model that was never built, which nobody reads yet.

The API answers 503 until the end, refreshes leave their changes in the queue, and no other session writes. So nothing
is compared and no tenant is locked, pieces are large, and all indexes but the primary keys are created after the rows.
Each transaction stores its position together with the rows that it writes. So a killed build resumes at that
position, and fills no lead twice.
"""

import json
from collections.abc import Iterator, Sequence
from functools import partial
from secrets import token_hex

import psycopg
import structlog

from projector.core import pipeline, staging
from projector.core.batch import failure
from projector.core.late import LateKeys
from projector.core.pipeline import BatchResult, test_point
from projector.core.preconditions import require_migrated_version
from projector.core.source_reads import read_source, retry_reading
from projector.database import rows
from projector.database.kinds import key_kinds
from projector.database.rows import Connection
from projector.database.sql import query, statement
from projector.model.leads import (
    LEAD_TABLES,
    SOURCE_KEYS,
    STATISTICS,
    TABLES,
    TOMBSTONES,
    WRITE,
    places_of_leads,
)
from projector.sweep import pieces
from projector.sweep.leads import LeadKey, by_halves, lead_arrays
from projector.sweep.pieces import REBUILD, Piece, Position, move_sweep

FILL_LEADS = 20_000
"""The least number of leads in a piece. A build of fewer leads is one piece."""

FILL_PASSES = 16
"""The largest number of pieces of a larger build. If the platform lacks an index, each piece reads whole
tables."""

FILL_TENANTS = 100
"""Tenants whose statistics are computed at once."""

FILL_SETTINGS = {
    # Memory of one sort or hash, and of the creation of an index.
    "work_mem": "64MB",
    "maintenance_work_mem": "64MB",
    "enable_seqscan": "on",
    "plan_cache_mode": "force_custom_plan",
    # The planner assumes that the columns of a lead's key are independent, and estimates one row for a join
    # by all of them. With a million leads, a nested loop would scan all leads for each lead.
    "enable_nestloop": "off",
}

DROPPED_INDEXES = "dropped_indexes"
"""The name of the stored setting with the commands that create the dropped indexes again."""

_log = structlog.get_logger(__name__)


class Fill:
    """Fills a read model that was never built."""

    tenants = None

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    def begin(self) -> Position:
        """Empty the tables, drop their indexes, and drop the changes that the build will contain.

        A refresh of an earlier installation, or a build that was given up, may have left rows.
        """
        position = read_source(self._conn, partial(_begin, self._conn))
        _analyze(self._conn, TABLES)
        return position

    def find_pieces(self, position: Position) -> Iterator[Piece]:
        """Yield the keys of each kind, a piece that creates their indexes, the leads, and the statistics."""
        phase, after = position.phase, position.after
        if phase == "keys":
            for kind in sorted(key_kinds()):
                if kind > after[0]:
                    yield Piece("keys", "keys", (kind, ""))
            yield Piece("keys", "leads", keys=None)
            phase, after = "leads", pieces.START
        size = max(FILL_LEADS, -(-pieces.count_leads(self._conn, None) // FILL_PASSES))
        # Every lead has a key, and the leads that are still to be filled have no rows.
        [keys, *_] = places_of_leads()
        while phase == "leads" and (leads := pieces.find_next_leads(self._conn, [keys], after, size)):
            after = leads[-1]
            yield Piece("leads", "leads", after, leads)
        yield Piece("statistics", pieces.AGAIN)

    def do_keys(self, piece: Piece) -> int:
        """Fill the key table with the keys of a kind, or create its indexes."""
        if piece.keys is None:
            _create_indexes(self._conn, SOURCE_KEYS)
            _analyze(self._conn, [SOURCE_KEYS])
        else:
            read_source(self._conn, partial(_fill_keys, self._conn, piece))
        return 0

    def do_leads(self, leads: Sequence[LeadKey]) -> Iterator[BatchResult]:
        """Fill the read model with these leads.

        If a lead cannot be projected, `end` tries each of its keys alone.
        """
        conn = self._conn

        def leave(lead: LeadKey, error: psycopg.Error) -> BatchResult:
            _log.warning("a lead cannot be projected: its keys are tried alone", **failure(error))
            with conn.transaction():
                conn.execute(query("sweep", "leave_keys"), {"user_id": lead[0], "customer_phone": lead[1]})
                move_sweep(conn, REBUILD, "leads", lead)
            return BatchResult(1)

        return by_halves(leads, lambda some: retry_reading(conn, partial(_fill_leads, conn, some)), leave)

    def end(self) -> None:
        """Create the indexes, fill the statistics, and try the keys of leads that could not be projected alone.

        A key that fails again becomes a dead letter.
        """
        conn = self._conn
        staging.clear(conn)
        _create_indexes(conn)
        _analyze(conn, LEAD_TABLES)
        test_point("indexed")
        tenants = rows.values(conn, query("sweep", "read_tenants"))
        for start in range(0, len(tenants), FILL_TENANTS):
            with conn.transaction():
                _set(conn)
                parameters = {"tenants": tenants[start : start + FILL_TENANTS]}
                pipeline.run_steps(conn, "sweep/5_statistics/40_fill_statistics", parameters)
            test_point("statistics")
        _analyze(conn, STATISTICS)
        LateKeys().take_all(conn, lambda _: None)


def _begin(conn: Connection) -> Position:
    require_migrated_version(conn)
    indexes = conn.execute(query("sweep", "find_index_commands"), {"tables": list(TABLES)}).fetchall()
    stored = rows.value(conn, query("database", "read_setting"), {"name": DROPPED_INDEXES})
    # A build that was killed may have dropped some before.
    commands = dict.fromkeys([*json.loads(stored or "[]"), *(create for _, create, _ in indexes)])
    setting = {"name": DROPPED_INDEXES, "value": json.dumps([*commands])}
    conn.execute(query("database", "note_setting"), setting)
    for drop, *_ in indexes:
        conn.execute(drop.encode(), prepare=False)
    # Not TRUNCATE, because an operator's table may reference one of these. The queued changes can be deleted:
    # the build reads their source rows later, and both were committed together.
    for table in (*TABLES, *TOMBSTONES, "projector.changes", "projector.late_keys", "projector.dead_letters"):
        conn.execute(query("sweep", "empty_table", table=table))
    conn.execute(query("sweep", "end_tokens"), {"random": token_hex(16)})
    return pieces.begin_sweep(conn, REBUILD, pieces.PHASES[0])


def _fill_keys(conn: Connection, piece: Piece) -> None:
    _set(conn)
    pipeline.run_steps(conn, "sweep/4_keys/50_fill_keys", {"kind": piece.after[0]})
    conn.execute(statement("refresh/8_write_leads/99_note_swapped_source"))
    move_sweep(conn, REBUILD, piece.phase, piece.after)
    test_point("keys")


def _fill_leads(conn: Connection, leads: Sequence[LeadKey]) -> BatchResult:
    with conn.transaction():
        require_migrated_version(conn)
        _set(conn)
        staging.clear(conn)
        pipeline.run_steps(conn, "sweep/2_recompute/10_stage_leads", lead_arrays(leads))
        pipeline.Run(conn, {"fills", "profiles_stale"}, is_set_based=True).run(*pipeline.RESOLVE, *WRITE)
        move_sweep(conn, REBUILD, "leads", leads[-1])
        done = BatchResult(len(leads), rows.value(conn, query("sweep", "count_new_messages")))
    test_point("filled")
    return done


def _analyze(conn: Connection, tables: Sequence[str]) -> None:
    conn.execute(f"VACUUM (ANALYZE, SKIP_LOCKED) {', '.join(tables)}".encode(), prepare=False)


def _set(conn: Connection) -> None:
    for name, value in FILL_SETTINGS.items():
        conn.execute("SELECT set_config(%s, %s, true)", (name, value))


def _create_indexes(conn: Connection, table: str = "") -> None:
    """Create the dropped indexes, or those of a table, each in a transaction of its own, unless they are there."""
    stored = rows.value(conn, query("database", "read_setting"), {"name": DROPPED_INDEXES})
    for command in json.loads(stored or "[]"):
        if f" ON {table}" in command:
            with conn.transaction():
                _set(conn)
                conn.execute(command.replace("INDEX ", "INDEX IF NOT EXISTS ", 1).encode(), prepare=False)
    if not table:
        conn.execute(query("database", "forget_setting"), {"name": DROPPED_INDEXES})
