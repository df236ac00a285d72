"""Verify: compare leads with what their source rows say, all of them, those of some tenants, or a sample.

A lead that differs and of which nothing waits is drift, a bug. With `heal` it is computed again, as in a rebuild.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from projector.core import pipeline
from projector.core.pipeline import Connection
from projector.core.preconditions import require_built, require_installed, require_tenants
from projector.database import locks
from projector.database.sql import PROJECTION_VERSION, query
from projector.report.counted import counted
from projector.report.progress import Progress
from projector.sweep import drift, statistics
from projector.sweep.compare import KEYS_FIELD, compare_piece
from projector.sweep.drift import LEAD, Drift
from projector.sweep.leads import create_tables, rebuild_keys, rebuild_leads
from projector.sweep.pieces import Piece, count_leads, pieces, sample_leads, split_items
from projector.sweep.run_log import logged_run, read_clock

LEADS_PER_SNAPSHOT = 1000
"""Leads that are compared in one snapshot."""


@dataclass(slots=True)
class VerifyReport:
    """What a verify found: leads compared, leads left out because something of theirs waits, and every drift."""

    checked: int = 0
    left_out: int = 0
    drifts: list[Drift] = field(default_factory=list)
    healed: int = 0

    @property
    def note(self) -> str | None:
        """What the run log says of it."""
        if not self.drifts:
            return None
        found = f"{counted(len(self.drifts), 'field')} drifted"
        return f"{found}, {counted(self.healed, 'lead')} healed" if self.healed else found


def verify(
    conn: Connection, *, tenants: Sequence[str] | None, sample: int | None, heal: bool, progress: Progress
) -> VerifyReport:
    """Compare the leads of these tenants, or of all; with `sample`, at most so many, chosen at random.

    With `heal`, leads that drifted are recomputed from their source rows. Returns what was found. Raises
    NotInstalledError if the read model was never built, and TenantNotFoundError for a tenant that does not exist.
    """
    require_installed(conn)
    require_built(conn)
    if tenants is not None:
        require_tenants(conn, tenants)
    pipeline.prepare_session(conn)
    create_tables(conn)
    started_at = read_clock(conn)
    with logged_run(conn, "verify", tenants) as run:
        work = _Verify(conn, tenants, progress)
        if sample is None:
            work.compare_everything()
        else:
            work.compare_sample(sample)
        if heal and work.report.drifts:
            work.heal()
        run.note, run.leads = work.report.note, work.report.checked
        if tenants is None and sample is None:
            _note_round(conn, started_at, work.report)
    drift.log_drifts(work.report.drifts)
    return work.report


class _Verify:
    """A verify in progress. What it finds is recorded comparison by comparison, so that none is lost."""

    def __init__(self, conn: Connection, tenants: Sequence[str] | None, progress: Progress) -> None:
        self.report = VerifyReport()
        self._conn = conn
        self._tenants = tenants
        self._progress = progress

    def compare_sample(self, size: int) -> None:
        """Compare leads that are chosen at random."""
        leads = sample_leads(self._conn, size, self._tenants)
        self._progress.start("verify", len(leads), "customers")
        for start in range(0, len(leads), LEADS_PER_SNAPSHOT):
            self._compare(Piece("leads", "leads", leads=leads[start : start + LEADS_PER_SNAPSHOT]))
        self._progress.finish()

    def compare_everything(self) -> None:
        """Compare all keys, leads and statistics, and what differed before and was not met now.

        Such as a lead that is nowhere any more.
        """
        conn, tenants = self._conn, self._tenants
        self._progress.start("verify", count_leads(conn, tenants), "customers")
        started_at = read_clock(conn)
        for piece in pieces(conn, tenants, LEADS_PER_SNAPSHOT):
            self._compare(piece)
        with conn.transaction():
            drift.end_statistics(conn, tenants, started_at)
        leads, keys = split_items(drift.read_open(conn, tenants, started_at))
        self._compare(Piece("again", "", leads=leads, keys=keys))
        self._progress.finish()

    def heal(self) -> None:
        """Correct what drifted."""
        conn, drifts = self._conn, self.report.drifts
        began = read_clock(conn)
        leads = sorted({(one.user_id, one.customer_phone) for one in drifts if one.customer_phone})
        wrong_keys = {one.user_id for one in drifts if one.field == KEYS_FIELD}
        if wrong_keys:
            rebuild_keys(conn, sorted(wrong_keys))
        for _ in rebuild_leads(conn, leads):
            pass
        statistics.heal(conn, sorted({one.user_id for one in drifts}))
        self.report.healed = len(leads)
        items = sorted({one.item for one in drifts})
        with conn.transaction():
            drift.end(conn, items, before=began, at=read_clock(conn), outcome="healed")
            drift.publish(conn)

    def _compare(self, piece: Piece) -> None:
        """Compare a piece and record what is found. What was compared before an erasure is not recorded after it."""
        with locks.shared_session_lock(self._conn, locks.ERASURE):
            found = compare_piece(self._conn, piece)
            with self._conn.transaction():
                drift.record(self._conn, found)
        self.report.checked += found.checked
        self.report.drifts += found.drifts
        self.report.left_out += sum(item.kind == LEAD for item in found.left_out)
        self._progress.advance(len(piece.leads))


def _note_round(conn: Connection, started_at: datetime, report: VerifyReport) -> None:
    """Note that everything was verified, unless everything waited, since a table was truncated."""
    if report.left_out and not report.checked:
        return
    parameters = {
        "version": PROJECTION_VERSION,
        "started_at": started_at,
        "leads": report.checked,
        "left_out": report.left_out,
        "differences": len({one.item for one in report.drifts}),
    }
    with conn.transaction():
        conn.execute(query("sweep", "add_finished_round"), parameters)
        drift.publish(conn)
