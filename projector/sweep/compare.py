"""The comparison of a piece with the definition, in one snapshot of source, queue and read model.

The steps of a refresh compute the leads of the piece and stage what differs; the steps that write do not run.
The comparison takes no lock, so a differing lead is only a candidate: a refresh may write it at the same
time. A rebuild computes the candidates again under their tenant's lock, and writes. A verify leaves out the
leads that wait in the queue of the same snapshot. If another lead differs, that is a bug, and is reported
field by field.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import psycopg

from projector.core import names, pipeline, staging
from projector.core.batch import first_line
from projector.core.source_reads import SOURCE_PATIENCE_SECONDS, read_steadily, snapshot
from projector.database.rows import Connection
from projector.database.sql import query, steps
from projector.model.leads import COMPARE
from projector.sweep import statistics
from projector.sweep.drift import (
    LEAD,
    STATISTICS,
    Comparison,
    DifferingRow,
    Drift,
    Item,
    differing_fields,
    shorten,
)
from projector.sweep.leads import LeadKey, by_halves, find_wrong_keys_in, lead_arrays
from projector.sweep.pieces import Piece
from projector.sweep.run_log import read_clock

LEADS_PER_SNAPSHOT = 1000
"""Leads that are compared in one snapshot."""

KEYS_FIELD = "source keys"


def compare_piece(conn: Connection, piece: Piece, *, patience: float = SOURCE_PATIENCE_SECONDS) -> Comparison:
    """Compare a piece, except what waits. Raises BlockedError if a table is locked for `patience` seconds."""
    if piece.phase == "statistics":
        return compare_statistics(conn, piece.tenants) + compare_names(conn, piece.tenants, patience=patience)
    comparison = Comparison(read_clock(conn))
    if piece.leads:
        comparison = sum(compare_leads(conn, piece.leads, patience=patience), comparison)
    if piece.keys is None or piece.keys:
        comparison += compare_keys(conn, piece.keys, piece.tenants, patience=patience)
    return comparison


def find_candidates(conn: Connection, leads: Sequence[LeadKey]) -> list[LeadKey]:
    """Return which of these leads differ from the definition, including leads with waiting changes."""

    def compare() -> list[LeadKey]:
        with snapshot(conn):
            staging.clear(conn)
            _compute(conn, leads)
            return conn.execute(query("sweep", "read_differing_leads")).fetchall()

    return read_steadily(conn, compare, differs=bool)


def compare_leads(
    conn: Connection, leads: Sequence[LeadKey], *, patience: float = SOURCE_PATIENCE_SECONDS
) -> Iterator[Comparison]:
    """Compare these leads field by field, except leads with waiting changes.

    A lead that cannot be computed from its source rows is reported as differing, and does not stop the
    others.
    """

    def cannot_be_computed(lead: LeadKey, error: psycopg.Error) -> Comparison:
        reason = shorten(f"cannot be computed: {first_line(error)}")
        drift = Drift(*lead, "lead", "as in the source", reason)
        return Comparison(read_clock(conn), checked=1, compared=[drift.item], drifts=[drift])

    def compare(some: Sequence[LeadKey]) -> Comparison:
        items = [Item(LEAD, *lead) for lead in some]
        return _compare_items(conn, items, partial(_find_drifts_of_leads, conn, some), patience)

    return by_halves(leads, compare, cannot_be_computed)


def compare_keys(
    conn: Connection,
    items: Sequence[Item] | None,
    tenants: Sequence[str] | None = None,
    *,
    patience: float = SOURCE_PATIENCE_SECONDS,
) -> Comparison:
    """Compare these keys, or without them all keys of these tenants or of all; `compared` is then empty.

    A key that leads to no lead, or to a wrong one, would keep a lead stale for ever, and no comparison of
    leads would show it. A right key counts as compared even while a change of its lead waits.
    """

    def find_drifts(comparison: Comparison) -> None:
        if items is None:
            find_wrong_keys_in(conn, tenants)
        else:
            columns = {"kinds": [item.kind for item in items], "keys": [item.key for item in items]}
            conn.execute(query("sweep", "stage_keys"), columns)
        wrong = pipeline.run_steps(conn, "sweep/4_keys/20_read_wrong_keys").fetchall()
        for kind, key, user_id, customer_phone, waits in wrong:
            if waits:
                comparison.left_out.append(Item(kind, key=key))
                continue
            differs = f"{kind.replace('_', ' ')} {key} differs"
            drift = Drift(user_id, customer_phone or "", KEYS_FIELD, "as in the source", differs, kind, key)
            comparison.drifts.append(drift)

    return _compare_items(conn, items or (), find_drifts, patience)


def compare_statistics(conn: Connection, tenants: Sequence[str] | None) -> Comparison:
    """Compare the statistics of these tenants, or of all; `compared` has the tenants that are named."""
    comparison = Comparison(read_clock(conn))
    comparison.compared = [Item(STATISTICS, user_id) for user_id in tenants or ()]
    for difference in statistics.find_differences(conn, tenants):
        facets = [value for name, value in difference.key.items() if name != "user_id"]
        for number, expected in difference.expected.items():
            stored = difference.stored[number]
            if expected != stored:
                name = f"{STATISTICS} {shorten([*facets, number])}"
                drift = Drift(difference.user_id, "", name, str(expected), str(stored), STATISTICS)
                comparison.drifts.append(drift)
    return comparison


def compare_names(
    conn: Connection, tenants: Sequence[str] | None, *, patience: float = SOURCE_PATIENCE_SECONDS
) -> Comparison:
    """Compare the names of these tenants, or of all, but for those that wait."""
    comparison = Comparison(read_clock(conn))
    compare = snapshot(conn)(partial(names.find_differing, conn, tenants))
    for name in read_steadily(conn, compare, differs=bool, patience=patience):
        if not name.waits:
            expected, stored = (shorten(name.expected or "no name"), shorten(name.found or "no name"))
            drift = Drift(name.user_id, "", "tenant name", expected, stored, STATISTICS)
            comparison.drifts.append(drift)
    return comparison


def _compare_items(
    conn: Connection, items: Sequence[Item], find_drifts: Callable[[Comparison], None], patience: float
) -> Comparison:
    """Compare in one snapshot with the queue; `find_drifts` adds what differs, and which of the items wait."""

    def compare() -> Comparison:
        comparison = Comparison(read_clock(conn))
        with snapshot(conn):
            comparison.everything_waits = not _find_waiting_leads(conn)
            if comparison.everything_waits:
                comparison.left_out = [*items]
            else:
                find_drifts(comparison)
        left_out = {*comparison.left_out}
        comparison.compared = [item for item in items if item not in left_out]
        return comparison

    return read_steadily(conn, compare, differs=lambda comparison: bool(comparison.drifts), patience=patience)


def _find_drifts_of_leads(conn: Connection, leads: Sequence[LeadKey], comparison: Comparison) -> None:
    waiting = set(conn.execute(query("sweep", "read_waiting_leads"), lead_arrays(leads)).fetchall())
    comparison.left_out = [Item(LEAD, *lead) for lead in leads if lead in waiting]
    _compute(conn, [lead for lead in leads if lead not in waiting])
    [comparison.checked] = pipeline.run_steps(conn, "sweep/3_report/10_count_leads").fetchone() or (0,)
    comparison.drifts = [
        drift
        for name in ("20_read_differing_rows", "30_read_differing_messages")
        for step in steps(f"sweep/3_report/{name}")
        for row in pipeline.run_step(conn, step).fetchall()
        for drift in differing_fields(DifferingRow(*row))
    ]


def _compute(conn: Connection, leads: Sequence[LeadKey]) -> None:
    """Compute these leads, and stage what differs; nothing is written."""
    pipeline.run_steps(conn, "sweep/2_recompute/10_stage_leads", lead_arrays(leads))
    pipeline.Run(conn).run(*pipeline.RESOLVE, *COMPARE)


def _find_waiting_leads(conn: Connection) -> bool:
    """Clear the temporary tables, and note leads with waiting changes; return False if everything waits."""
    staging.clear(conn)
    conn.execute("TRUNCATE waiting_leads, wrong_keys", prepare=False)
    [everything] = pipeline.run_steps(conn, "sweep/1_leave_out/10_find_waiting_leads").fetchone() or (True,)
    return not everything
