"""Compares leads, keys and statistics with the definition, each in one snapshot of source, queue and read model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from psycopg.rows import class_row

from projector import pipeline, statistics
from projector.pipeline import Connection
from projector.rebuild.leads import LeadKey, find_wrong_keys_in, key_arrays
from projector.snapshots import retry_while_source_is_held, snapshot, source_files
from projector.sql import query, statement, steps
from projector.verify.drift import DifferingRow, Drift, VerifyReport, differing_fields, shorten

KEYS_FIELD = "source keys"
STATISTICS_FIELD = "statistics"

_KINDS = {"conversation": "conversation", "contact": "contact", "template_send": "template send"}


@dataclass(frozen=True, slots=True)
class WrongKey:
    """Compare the keys. A key that leads to a wrong lead, as sql/verify/60_find_key_drift.sql returns it."""

    kind: str
    key: str
    user_id: str
    customer_phone: str | None


def compare_steadily(conn: Connection, report: VerifyReport, compare: Callable[[VerifyReport], None]) -> None:
    """Compare, and again if a source table was truncated or rewritten meanwhile: its rows could not be seen.

    And again while another session holds a source table: a snapshot that waited for it would keep the others.
    """

    def look() -> tuple[VerifyReport, bool]:
        before = source_files(conn)
        found = VerifyReport()
        compare(found)
        return found, not found.drifts or source_files(conn) == before

    is_sure = False
    while not is_sure:
        found, is_sure = retry_while_source_is_held(look)
    report.checked += found.checked
    report.left_out += found.left_out
    report.drifts += found.drifts


def compare_leads(conn: Connection, keys: Sequence[LeadKey], report: VerifyReport) -> None:
    """Compare these leads fully, but for those of which something waits."""
    with snapshot(conn):
        if not _find_waiting_leads(conn):
            report.left_out += len(keys)
            return
        pipeline.run_steps(conn, steps("rebuild/leads/20_stage_leads"), key_arrays(keys))
        row = pipeline.run_steps(conn, steps("verify/40_leave_out_waiting_leads")).fetchone()
        compared = row[0] if row else 0
        report.left_out += len(keys) - compared
        if not compared:
            return
        pipeline.Run(conn).run(*pipeline.RESOLVE, *pipeline.COMPARE)
        counted = pipeline.run_steps(conn, steps("verify/50_count_leads")).fetchone()
        report.checked += counted[0] if counted else 0
        for one in steps("verify/drift"):
            with conn.cursor(row_factory=class_row(DifferingRow)) as cursor:
                for differing in cursor.execute(one.text).fetchall():
                    report.drifts.extend(differing_fields(one.name.rpartition("_")[2], differing))


def compare_keys(conn: Connection, tenants: Sequence[str] | None, report: VerifyReport) -> None:
    """Compare the keys.

    A key that leads to no lead, or to a wrong one, would keep a lead stale for ever without showing in any.
    """
    with snapshot(conn):
        if not _find_waiting_leads(conn):
            return
        find_wrong_keys_in(conn, tenants)
        cursor = conn.cursor(row_factory=class_row(WrongKey))
        for wrong in cursor.execute(statement("verify/60_find_key_drift")).fetchall():
            report.drifts.append(
                Drift(
                    wrong.user_id,
                    wrong.customer_phone or "",
                    KEYS_FIELD,
                    "as in the source",
                    f"{_KINDS[wrong.kind]} {wrong.key} differs",
                )
            )


def compare_statistics(conn: Connection, tenants: Sequence[str] | None, report: VerifyReport) -> None:
    """Compare the statistics of these tenants, or of all."""
    for difference in statistics.find_differences(conn, tenants):
        facets = [value for name, value in difference.key.items() if name != "user_id"]
        for number, expected in difference.expected.items():
            found = difference.found[number]
            if expected != found:
                name = shorten([*facets, number])
                report.drifts.append(
                    Drift(difference.user_id, "", f"{STATISTICS_FIELD} {name}", str(expected), str(found))
                )


def _find_waiting_leads(conn: Connection) -> bool:
    """Note the leads of which something waits; return False if everything waits."""
    pipeline.clear_staging_tables(conn)
    # Mostly it is empty, and TRUNCATE writes WAL even then.
    if conn.execute(query("verify", "has_waiting_leads")).fetchone() is not None:
        conn.execute("TRUNCATE waiting_leads")
    row = pipeline.run_steps(conn, steps("verify/20_find_waiting_leads")).fetchone()
    return row is not None and not row[0]
