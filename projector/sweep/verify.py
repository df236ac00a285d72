"""Verify: compare leads with what their source rows say, all of them, those of some tenants, or a sample.

If a lead differs although no change of it waits, it has drifted, which is a bug. With `heal` it is computed
again, as in a rebuild.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from projector.core import names, pipeline
from projector.core.preconditions import require_built, require_tenants
from projector.database import locks
from projector.database.rows import Connection
from projector.report.counted import counted
from projector.report.progress import Progress
from projector.sweep import drift, statistics
from projector.sweep.compare import KEYS_FIELD, LEADS_PER_SNAPSHOT, compare_piece
from projector.sweep.drift import LEAD, Drift
from projector.sweep.leads import create_tables, rebuild_keys, rebuild_leads
from projector.sweep.pieces import AGAIN, Piece, count_leads, pieces, sample_leads, split_items
from projector.sweep.rolling import Round, add_round
from projector.sweep.run_log import logged_run, read_clock


@dataclass(slots=True)
class VerifyReport:
    """The result of a verify: leads compared, leads left out because a change of theirs waits, and every drift."""

    checked: int = 0
    left_out: int = 0
    drifts: list[Drift] = field(default_factory=list)
    healed: int = 0


def verify(
    conn: Connection, *, tenants: Sequence[str] | None, sample: int | None, heal: bool, progress: Progress
) -> VerifyReport:
    """Compare these tenants, or all, with their statistics; with `sample`, at most so many leads, chosen at random.

    With `heal`, leads that drifted are recomputed from their source rows. Returns what was found. Raises
    NotInstalledError if the read model was never built, and TenantNotFoundError for a tenant that does not exist.
    """
    require_built(conn)
    if tenants is not None:
        require_tenants(conn, tenants)
    pipeline.prepare_session(conn)
    create_tables(conn)
    started_at = read_clock(conn)
    with logged_run(conn, "verify", tenants) as run:
        report = VerifyReport()
        for piece in _pieces(conn, tenants, sample, progress):
            # Each piece is recorded at once, so that no finding is lost. The lock keeps a comparison from
            # before an erasure from being recorded after it.
            with locks.session_lock(conn, locks.ERASURE, is_shared=True):
                comparison = compare_piece(conn, piece)
                with conn.transaction():
                    drift.record(conn, comparison)
            report.checked += comparison.checked
            report.drifts += comparison.drifts
            report.left_out += sum(item.kind == LEAD for item in comparison.left_out)
            progress.advance(len(piece.leads))
        progress.finish()
        if heal and report.drifts:
            report.healed = _heal(conn, report.drifts)
        run.leads = report.checked
        if report.drifts:
            run.note = f"{counted(len(report.drifts), 'field')} drifted"
            run.note += f", {counted(report.healed, 'lead')} healed" if report.healed else ""
        # Nothing was compared if everything waited because a table was truncated.
        if tenants is None and sample is None and (report.checked or not report.left_out):
            _note_round(conn, started_at, report)
    drift.log_drifts(report.drifts)
    return report


def _pieces(
    conn: Connection, tenants: Sequence[str] | None, sample: int | None, progress: Progress
) -> Iterator[Piece]:
    """Yield what is compared: leads chosen at random with the statistics of their tenants, or everything.

    After everything it yields the items that differed before and were not reached, such as a lead that is
    gone.
    """
    if sample is not None:
        leads = sample_leads(conn, sample, tenants)
        progress.start("verify", len(leads), "customers")
        for start in range(0, len(leads), LEADS_PER_SNAPSHOT):
            yield Piece("leads", "leads", leads=leads[start : start + LEADS_PER_SNAPSHOT])
        yield Piece("statistics", "", tenants=sorted({user_id for user_id, _ in leads}))
        return
    progress.start("verify", count_leads(conn, tenants), "customers")
    started_at = read_clock(conn)
    yield from pieces(conn, tenants, LEADS_PER_SNAPSHOT)
    leads, keys = split_items(drift.end_pass(conn, tenants, started_at))
    yield Piece(AGAIN, "", leads=leads, keys=keys)


def _heal(conn: Connection, drifts: Sequence[Drift]) -> int:
    """Correct what has drifted; return how many leads were computed again."""
    began = read_clock(conn)
    leads = sorted({(drift.user_id, drift.customer_phone) for drift in drifts if drift.customer_phone})
    wrong_keys = {drift.user_id for drift in drifts if drift.field == KEYS_FIELD}
    if wrong_keys:
        rebuild_keys(conn, sorted(wrong_keys))
    for _ in rebuild_leads(conn, leads):
        pass
    tenants = sorted({drift.user_id for drift in drifts})
    statistics.heal(conn, tenants)
    names.write_all(conn, tenants)
    items = sorted({drift.item for drift in drifts})
    with conn.transaction():
        drift.end(conn, items, before=began, at=read_clock(conn), outcome="healed")
        drift.publish(conn)
    return len(leads)


def _note_round(conn: Connection, started_at: datetime, report: VerifyReport) -> None:
    """Note that everything was verified."""
    ended_at = read_clock(conn)
    verified = Round(
        started_at=started_at,
        finished_at=ended_at,
        due_at=started_at,
        reached_at=ended_at,
        rows_done=report.checked,
        leads_total=report.checked,
        leads=report.checked,
        left_out=report.left_out,
        differences=len({drift.item for drift in report.drifts}),
    )
    with conn.transaction():
        add_round(conn, verified)
        drift.publish(conn)
