"""Rebuild in place: compare the leads with the definition, piece by piece, and write only those that differ.

1. The keys are compared as a whole, and those that are wrong are corrected.
2. Each piece of 20,000 leads, across tenants, is compared in one snapshot, without any lock of ours.
3. The leads that differ are computed again, in a later statement and under their tenant's lock, by the steps of a
   refresh: a refresh that came between is not overwritten. Changes that arrive meanwhile stay in the queue.
4. The statistics are compared, and corrected where they differ.
5. A rebuild of everything retries the dead letters.

How far it came is stored after each piece, with the projection version that it builds for. So a rebuild that was
killed is resumed there, by the same version only.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql as composing
from psycopg.rows import class_row

from projector.core import pipeline
from projector.core.dead_letters import retry_dead_letters
from projector.core.pipeline import BatchResult, Connection, InjectionPoint
from projector.core.snapshots import retry_while_source_is_held, snapshot, source_files
from projector.database.sql import PROJECTION_VERSION, query, steps
from projector.report.progress import Progress
from projector.sweep import drift_log, statistics
from projector.sweep.rebuild.failing_lead import naming_the_failing_lead
from projector.sweep.rebuild.leads import LeadKey, key_arrays, rebuild_keys, rebuild_leads
from projector.sweep.rebuild.run_log import add_to_run, logged_run, note_built, read_clock

PIECE_LEADS = 20_000
"""Leads that are compared in one snapshot."""

LARGE_PIECE_SHARE = 8
"""A piece that holds more than one in so many of all keys is joined with whole tables; another looks up each key."""

PIECE_MEMORY = "64MB"
"""Memory of one sort or hash of a comparison."""

VACUUM_ABOVE_LEADS = 5_000
"""A piece that wrote more leads is followed by a vacuum, so that the next one finds room in the tables."""

_WRITTEN_TABLES = ("leads", "lead_profiles", "lead_conversations", "lead_messages")


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a rebuild is: leads up to this one are done."""

    requested_at: datetime
    cursor_user_id: str
    cursor_phone: str


def rebuild_in_place(
    conn: Connection,
    tenants: Sequence[str] | None,
    progress: Progress,
    *,
    resume: bool,
    point: InjectionPoint,
) -> BatchResult:
    """Rebuild these tenants, or everything; return how many leads they have and how many messages were written."""
    cursor = _begin(conn, resume=resume) if tenants is None else None
    pipeline.run_steps(conn, steps("rebuild/piece/10_create_piece_tables"))
    total = count_leads(conn, tenants)
    with logged_run(conn, tenants, total) as run_id:
        # Of a tenant. Not each of them is a lead: one to whom only a template is queued is none yet.
        progress.start("rebuild", total, "customers")
        work = _Rebuild(conn, run_id, progress, point)
        if cursor is not None:
            work.written += rebuild_keys(conn, None)
            work.pieces(cursor.cursor_user_id, cursor.cursor_phone, None)
            statistics.heal(conn, None)
            # Every lead could be projected. A letter is retried, not deleted: batches dropped the changes of its key.
            retry_dead_letters(conn, due_only=False)
            note_built(conn, cursor.requested_at)
            drift_log.end_rebuilt(conn, None, cursor.requested_at)
        else:
            since = read_clock(conn)
            work.written += rebuild_keys(conn, tenants)
            for user_id in sorted(set(tenants or ())):
                work.pieces(user_id, "", user_id)
            statistics.heal(conn, tenants)
            drift_log.end_rebuilt(conn, tenants, since)
        progress.finish()
        return BatchResult(_count_rebuilt(conn, run_id, tenants), work.written.messages)


def find_leads(conn: Connection, after: LeadKey, last_user: str | None, size: int) -> list[LeadKey]:
    """Return the next leads by tenant and phone, from the keys and from what the read model holds."""
    parameters = {"after_user": after[0], "after_phone": after[1], "last_user": last_user, "size": size}
    keyed = pipeline.run_steps(conn, steps("rebuild/leads/10_find_keyed_leads"), parameters).fetchall()
    stored = pipeline.run_steps(conn, steps("rebuild/leads/15_find_stored_leads"), parameters).fetchall()
    # Texts compare here as they do in PostgreSQL under the collation "C".
    return sorted({*keyed, *stored})[:size]


class _Rebuild:
    """A rebuild in progress: its row in the run log, and what it has written."""

    def __init__(self, conn: Connection, run_id: int, progress: Progress, point: InjectionPoint) -> None:
        self.written = BatchResult()
        self._conn = conn
        self._run_id = run_id
        self._progress = progress
        self._point = point
        # Most leads of the piece before differed: then those of the next are computed without a comparison.
        self._most_differ = False

    def pieces(self, after_user: str, after_phone: str, last_user: str | None) -> None:
        """Rebuild all leads after this one, piece by piece, up to the last tenant."""
        conn, after = self._conn, (after_user, after_phone)
        while keys := find_leads(conn, after, last_user, PIECE_LEADS):
            with naming_the_failing_lead(keys, lambda some: _find_differing_leads(conn, some)):
                differing = keys if self._most_differ else _find_differing_leads(conn, keys)
            self._point("compared")
            self._most_differ = 2 * len(differing) > len(keys)
            self._advance(BatchResult(len(keys) - len(differing)))
            with naming_the_failing_lead(differing, lambda some: list(rebuild_leads(conn, some))):
                for written in rebuild_leads(conn, differing, self._point):
                    self._advance(written)
            if len(differing) > VACUUM_ABOVE_LEADS:
                _vacuum(conn)
            after = keys[-1]
            if last_user is None:
                conn.execute(
                    query("rebuild", "move_cursor"), {"user_id": after[0], "customer_phone": after[1]}
                )

    def _advance(self, done: BatchResult) -> None:
        self.written += done
        add_to_run(self._conn, self._run_id, done)
        self._progress.advance(done.leads)


def _begin(conn: Connection, *, resume: bool) -> Cursor:
    """Return where to begin: where a rebuild for this projection version was interrupted, or at the start."""
    with conn.cursor(row_factory=class_row(Cursor)) as cursor:
        parameters = {"version": PROJECTION_VERSION}
        found = cursor.execute(query("rebuild", "read_plan"), parameters).fetchone() if resume else None
    if found is not None:
        return found
    since = read_clock(conn)
    conn.execute(query("rebuild", "begin_plan"), {"version": PROJECTION_VERSION})
    return Cursor(since, "", "")


def _find_differing_leads(conn: Connection, keys: Sequence[LeadKey]) -> list[LeadKey]:
    """Compare a piece with the definition in one snapshot; return the leads that differ.

    It is compared again if the platform truncated or rewrote a table meanwhile, whose rows the snapshot cannot see.
    """

    def compare() -> list[LeadKey] | None:
        files = source_files(conn)
        with snapshot(conn):
            found = _compare(conn, keys)
        return found if source_files(conn) == files else None

    while (differing := retry_while_source_is_held(conn, compare)) is None:
        pass
    return differing


def _compare(conn: Connection, keys: Sequence[LeadKey]) -> list[LeadKey]:
    pipeline.set_based(conn)
    conn.execute("SELECT set_config('work_mem', %s, true)", (PIECE_MEMORY,))
    conn.execute("TRUNCATE piece_leads, piece_keys, differing_leads")
    conn.execute(query("rebuild", "stage_piece"), key_arrays(keys), prepare=False)
    conn.execute("ANALYZE piece_leads")
    pipeline.run_steps(conn, steps("rebuild/piece/20_read_keys"))
    conn.execute("ANALYZE piece_keys")
    row = conn.execute(query("rebuild", "is_large_piece"), {"share": LARGE_PIECE_SHARE}).fetchone()
    # What is left to join are rows of the piece: to loop over them for each would cost their square.
    conn.execute("SELECT set_config('enable_nestloop', 'off', true)")
    fence = "" if row == (True,) else "OFFSET 0"
    pipeline.run_steps(conn, steps("rebuild/piece/compare", fence=fence))
    return conn.execute(query("rebuild", "read_differing_leads")).fetchall()


def _vacuum(conn: Connection) -> None:
    """Make room for the next piece; PostgreSQL passes by a table that is not ours, or that another session holds."""
    names = composing.SQL(", ").join(composing.Identifier("read_model", name) for name in _WRITTEN_TABLES)
    vacuum = composing.SQL("VACUUM (TRUNCATE FALSE, SKIP_LOCKED) {}").format(names)
    conn.execute(vacuum, prepare=False)


def _count_rebuilt(conn: Connection, run_id: int, tenants: Sequence[str] | None) -> int:
    """Return how many leads there are, and note it: not every key that was compared makes a lead."""
    parameters = pipeline.tenants_parameter(tenants)
    row = conn.execute(query("rebuild", "count_read_model_leads"), parameters).fetchone()
    leads = row[0] if row else 0
    conn.execute(query("rebuild", "set_leads_of_run"), {"run_id": run_id, "leads": leads})
    return leads


def count_leads(conn: Connection, tenants: Sequence[str] | None) -> int:
    """Return about how many leads there are to compare."""
    parameters = pipeline.tenants_parameter(tenants)

    row = conn.execute(query("rebuild", "count_read_model_leads"), parameters).fetchone()
    keyed = conn.execute(query("rebuild", "count_keyed_leads"), parameters).fetchone()
    return max(row[0] if row else 0, keyed[0] if keyed else 0)
