"""Verify: compute leads from their source rows and compare them with the read model.

Each chunk is one REPEATABLE READ snapshot of source, queue and read model. In it, a lead that differs and of which
nothing waits is drift, a bug. The leads are computed by the steps of a refresh, which read the source alone where a
lead is compared fully, and nothing is written.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime

import psycopg

from projector.core import pipeline
from projector.core.pipeline import Connection
from projector.core.preconditions import require_built, require_installed, require_tenants
from projector.core.snapshots import read_source
from projector.database import locks
from projector.database.sql import query, statement, steps
from projector.report.counted import counted
from projector.report.errors import note_of
from projector.report.progress import Progress
from projector.sweep import drift_log, statistics
from projector.sweep.drift_log import LEAD, Item
from projector.sweep.rebuild.in_place import count_leads, find_leads
from projector.sweep.rebuild.leads import LeadKey, rebuild_keys, rebuild_leads
from projector.sweep.rebuild.run_log import read_clock
from projector.sweep.verify import rounds
from projector.sweep.verify.compare import (
    KEYS_FIELD,
    compare_all_keys,
    compare_keys,
    compare_leads,
    compare_statistics,
)
from projector.sweep.verify.drift import Comparison, Drift, VerifyReport
from projector.sweep.verify.record import log_drifts, record, record_healed

__all__ = ["Drift", "VerifyReport", "verify"]

LEADS_PER_SNAPSHOT = 1000
"""Leads that are compared in one snapshot."""


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
    started_at = read_clock(conn)
    wanted = pipeline.tenants_parameter(tenants)
    run = conn.execute(query("verify", "open_run"), wanted).fetchone()
    work = _Verify(conn, tenants, progress)
    outcome, note = "interrupted", None
    try:
        work.compare(sample)
        if heal and work.report.drifts:
            work.heal()
        outcome, note = "done", _note(work.report)
        if tenants is None and sample is None:
            work.note_round(started_at)
    except psycopg.Error as error:
        outcome, note = "failed", note_of(error)
        raise
    finally:
        if run is not None and not conn.closed:
            closed = {"run_id": run[0], "outcome": outcome, "note": note, "leads": work.report.checked}
            conn.execute(query("verify", "close_run"), closed)
    log_drifts(work.report.drifts)
    return work.report


def _note(report: VerifyReport) -> str | None:
    if not report.drifts:
        return None
    found = f"{counted(len(report.drifts), 'field')} drifted"
    return f"{found}, {counted(report.healed, 'lead')} healed" if report.healed else found


class _Verify:
    """A verify in progress. What it finds is recorded comparison by comparison, so that none is lost."""

    def __init__(self, conn: Connection, tenants: Sequence[str] | None, progress: Progress) -> None:
        self.report = VerifyReport()
        self._conn = conn
        self._tenants = tenants
        self._progress = progress

    def compare(self, sample: int | None) -> None:
        """Compare a sample, or everything of the tenants."""
        conn, tenants = self._conn, self._tenants
        if sample is not None:
            keys = _sample(conn, sample, tenants)
            self._progress.start("verify", len(keys), "customers")
            for start in range(0, len(keys), LEADS_PER_SNAPSHOT):
                self._compare_leads(keys[start : start + LEADS_PER_SNAPSHOT])
        else:
            self._progress.start("verify", count_leads(conn, tenants), "customers")
            started_at = read_clock(conn)
            self._add(lambda: compare_all_keys(conn, tenants))
            for keys in _all_leads(conn, tenants):
                self._compare_leads(keys)
            self._add(lambda: compare_statistics(conn, tenants))
            with conn.transaction():
                drift_log.end_statistics(conn, tenants, before=started_at, at=read_clock(conn))
            self._compare_open(drift_log.read_open(conn, tenants, started_at))
        self._progress.finish()

    def heal(self) -> None:
        """Correct what drifted."""
        began = read_clock(self._conn)
        self.report.healed = _heal(self._conn, self.report.drifts)
        items = sorted({drift.item for drift in self.report.drifts})
        record_healed(self._conn, items, began, read_clock(self._conn))

    def note_round(self, started_at: datetime) -> None:
        """Note that everything was verified."""
        report = self.report
        if report.left_out and not report.checked:
            # Everything waited, since a table was truncated.
            return
        found = rounds.Finished(report.checked, report.left_out, len({drift.item for drift in report.drifts}))
        with self._conn.transaction():
            rounds.add_finished(self._conn, started_at, found)
            drift_log.publish(self._conn)

    def _compare_leads(self, keys: Sequence[LeadKey]) -> None:
        found = self._add(lambda: compare_leads(self._conn, keys))
        self.report.left_out += len(found.left_out)
        self._progress.advance(len(keys))

    def _compare_open(self, items: Sequence[Item]) -> None:
        """Compare what differed before and was not met now, such as a lead that is nowhere any more."""
        leads = [(item.user_id, item.customer_phone) for item in items if item.kind == LEAD]
        keys = [item for item in items if item.kind != LEAD]
        for start in range(0, len(leads), LEADS_PER_SNAPSHOT):
            some = leads[start : start + LEADS_PER_SNAPSHOT]
            self._add(lambda some=some: compare_leads(self._conn, some))  # type: ignore[misc]
        for start in range(0, len(keys), LEADS_PER_SNAPSHOT):
            named = keys[start : start + LEADS_PER_SNAPSHOT]
            self._add(lambda named=named: compare_keys(self._conn, named))  # type: ignore[misc]

    def _add(self, compare: Callable[[], Comparison]) -> Comparison:
        """Compare and record. What was compared before an erasure is not recorded after it."""
        with locks.shared_session_lock(self._conn, locks.ERASURE):
            found = compare()
            with self._conn.transaction():
                record(self._conn, found)
        self.report.checked += found.checked
        self.report.drifts += found.drifts
        return found


def _sample(conn: Connection, size: int, tenants: Sequence[str] | None) -> list[LeadKey]:
    stored = conn.execute(query("verify", "estimate_stored_leads")).fetchone() or (1.0,)
    keys = conn.execute(query("verify", "estimate_keys")).fetchone() or (1.0,)
    # Four times as many as wanted, since a page holds neighbours.
    percent = min(100.0, 400.0 * size / max(*stored, *keys))
    parameters = {
        "percent": percent if tenants is None else 100.0,
        "size": size,
        **pipeline.tenants_parameter(tenants),
    }
    found = set(
        read_source(
            conn,
            lambda: pipeline.run_steps(conn, steps("verify/30_sample_source_leads"), parameters).fetchall(),
        )
    )
    found.update(pipeline.run_steps(conn, steps("verify/35_sample_stored_leads"), parameters).fetchall())
    return random.sample(sorted(found), min(size, len(found)))


def _all_leads(conn: Connection, tenants: Sequence[str] | None) -> Iterator[list[LeadKey]]:
    """The leads of these tenants, or of all, in chunks."""
    ranges = [("", None)] if tenants is None else [(user_id, user_id) for user_id in sorted(set(tenants))]
    for first, last in ranges:
        after = (first, "")
        while keys := find_leads(conn, after, last, LEADS_PER_SNAPSHOT):
            yield keys
            after = keys[-1]


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
