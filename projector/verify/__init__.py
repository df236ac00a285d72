"""Verify: compute leads from their source rows and compare them with the read model.

Each chunk is one REPEATABLE READ snapshot of source, queue and read model. In it, a lead that differs and of which
nothing waits is drift, a bug. The leads are computed by the steps of a refresh, which read the source alone where a
lead is compared fully, and nothing is written.
"""

from collections.abc import Iterable, Iterator, Sequence

import psycopg
import structlog

from projector import pipeline, statistics
from projector.log import Personal, digest
from projector.pipeline import Connection
from projector.preconditions import require_built, require_installed, require_tenants
from projector.progress import Progress
from projector.rebuild.in_place import count_leads, find_leads
from projector.rebuild.leads import LeadKey, rebuild_keys, rebuild_leads
from projector.report import counted
from projector.snapshots import read_source
from projector.sql import query, statement, steps
from projector.verify.compare import (
    KEYS_FIELD,
    compare_keys,
    compare_leads,
    compare_statistics,
    compare_steadily,
)
from projector.verify.drift import Drift, VerifyReport

__all__ = ["Drift", "VerifyReport", "verify"]

LEADS_PER_SNAPSHOT = 1000
"""Leads that are compared in one snapshot."""

_log = structlog.get_logger(__name__)


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
    conn.execute(statement("rebuild/keys/10_create_wrong_keys"), prepare=False)
    conn.execute(statement("verify/10_create_waiting_leads"), prepare=False)
    wanted = pipeline.tenants_parameter(tenants)
    run = conn.execute(query("verify", "open_run"), wanted).fetchone()
    report = VerifyReport()
    outcome, note = "interrupted", None
    try:
        _compare(conn, tenants, sample, report, progress)
        if heal and report.drifts:
            report.healed = _heal(conn, report.drifts)
        outcome, note = "done", f"{counted(len(report.drifts), 'field')} drifted" if report.drifts else None
    except psycopg.Error as error:
        outcome, note = "failed", str(error)
        raise
    finally:
        if run is not None and not conn.closed:
            closed = {"run_id": run[0], "outcome": outcome, "note": note, "leads": report.checked}
            conn.execute(query("verify", "close_run"), closed)
    for drift in report.drifts:
        _log.error(
            "drift",
            tenant=drift.user_id,
            lead=Personal(drift.customer_phone, drift.customer_phone and digest(drift.customer_phone)),
            field=drift.field,
            expected=Personal(drift.expected),
            found=Personal(drift.found),
        )
    return report


def _compare(
    conn: Connection,
    tenants: Sequence[str] | None,
    sample: int | None,
    report: VerifyReport,
    progress: Progress,
) -> None:
    if sample is not None:
        keys = _sample(conn, sample, tenants)
        progress.start("verify", len(keys), "customers")
        for start in range(0, len(keys), LEADS_PER_SNAPSHOT):
            _compare_leads(conn, keys[start : start + LEADS_PER_SNAPSHOT], report, progress)
    else:
        progress.start("verify", count_leads(conn, tenants), "customers")
        compare_steadily(conn, report, lambda found: compare_keys(conn, tenants, found))
        for keys in _all_leads(conn, tenants):
            _compare_leads(conn, keys, report, progress)
        compare_statistics(conn, tenants, report)
    progress.finish()


def _sample(conn: Connection, size: int, tenants: Sequence[str] | None) -> list[LeadKey]:
    row = conn.execute(query("verify", "estimate_leads")).fetchone()
    # Four times as many as wanted, since a page holds neighbours.
    percent = min(100.0, 400.0 * size / (row[0] if row else 1.0))
    parameters = {
        "percent": percent if tenants is None else 100.0,
        "size": size,
        **pipeline.tenants_parameter(tenants),
    }
    return read_source(
        conn, lambda: pipeline.run_steps(conn, steps("verify/30_sample_leads"), parameters).fetchall()
    )


def _all_leads(conn: Connection, tenants: Sequence[str] | None) -> Iterator[list[LeadKey]]:
    """The leads of these tenants, or of all, in chunks."""
    ranges = [("", None)] if tenants is None else [(user_id, user_id) for user_id in sorted(set(tenants))]
    for first, last in ranges:
        after = (first, "")
        while keys := find_leads(conn, after, last, LEADS_PER_SNAPSHOT):
            yield keys
            after = keys[-1]


def _compare_leads(
    conn: Connection, keys: Sequence[LeadKey], report: VerifyReport, progress: Progress
) -> None:
    compare_steadily(conn, report, lambda found: compare_leads(conn, keys, found))
    progress.advance(len(keys))


def _heal(conn: Connection, drifts: Iterable[Drift]) -> int:
    """Recompute what drifted; return how many leads that were."""
    drifts = list(drifts)
    leads = sorted({(drift.user_id, drift.customer_phone) for drift in drifts if drift.customer_phone})
    if any(drift.field == KEYS_FIELD for drift in drifts):
        rebuild_keys(conn, sorted({drift.user_id for drift in drifts if drift.field == KEYS_FIELD}))
    for _ in rebuild_leads(conn, leads):
        pass
    statistics.heal(conn, sorted({drift.user_id for drift in drifts}))
    return len(leads)
