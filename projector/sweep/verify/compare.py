"""Compares leads, keys and statistics with the definition, each in one snapshot of source, queue and read model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import class_row

from projector.core import pipeline, staging
from projector.core.batch import first_line, is_lead_failure
from projector.core.pipeline import Connection
from projector.core.snapshots import (
    SOURCE_PATIENCE_SECONDS,
    retry_while_source_is_held,
    snapshot,
    source_files,
)
from projector.database.sql import query, statement, steps
from projector.sweep import statistics
from projector.sweep.drift_log import LEAD, STATISTICS, Item
from projector.sweep.rebuild.leads import LeadKey, find_wrong_keys_in, key_arrays
from projector.sweep.rebuild.run_log import read_clock
from projector.sweep.verify.drift import Comparison, DifferingRow, Drift, differing_fields, shorten

KEYS_FIELD = "source keys"
STATISTICS_FIELD = "statistics"

_KINDS = {"conversation": "conversation", "contact": "contact", "template_send": "template send"}


@dataclass(frozen=True, slots=True)
class WrongKey:
    """A key that leads to no lead, or to a wrong one. `waits` says whether something of its lead waits."""

    kind: str
    key: str
    user_id: str
    customer_phone: str | None
    waits: bool = False

    @property
    def drift(self) -> Drift:
        """What is reported of it."""
        return Drift(
            self.user_id,
            self.customer_phone or "",
            KEYS_FIELD,
            "as in the source",
            f"{_KINDS[self.kind]} {self.key} differs",
            self.kind,
            self.key,
        )


def compare_steadily(
    conn: Connection, compare: Callable[[Comparison], None], *, patience: float = SOURCE_PATIENCE_SECONDS
) -> Comparison:
    """Compare, and again if a source table was truncated or rewritten meanwhile: its rows could not be seen.

    And again while another session holds a source table, since a snapshot that waited for it would keep the others.
    Raises BlockedError after `patience` seconds of that.
    """

    def look() -> tuple[Comparison, bool]:
        before = source_files(conn)
        found = Comparison(read_clock(conn))
        compare(found)
        return found, not found.drifts or source_files(conn) == before

    is_sure = False
    while not is_sure:
        found, is_sure = retry_while_source_is_held(conn, look, patience=patience)
    return found


def compare_leads(
    conn: Connection, keys: Sequence[LeadKey], *, patience: float = SOURCE_PATIENCE_SECONDS
) -> Comparison:
    """Compare these leads fully, but for those of which something waits.

    A lead that cannot be computed from its source rows is found to differ: it stops no other.
    """
    try:
        return compare_steadily(conn, lambda found: _compare_leads(conn, keys, found), patience=patience)
    except psycopg.Error as error:
        if not is_lead_failure(error):
            raise
        if len(keys) == 1:
            [(user_id, customer_phone)] = keys
            item = Item(LEAD, user_id, customer_phone)
            reason = shorten(f"cannot be computed: {first_line(error)}")
            drift = Drift(user_id, customer_phone, "lead", "as in the source", reason)
            return Comparison(read_clock(conn), checked=1, compared=[item], drifts=[drift])
    found = compare_leads(conn, keys[: len(keys) // 2], patience=patience)
    found.add(compare_leads(conn, keys[len(keys) // 2 :], patience=patience))
    return found


def _compare_leads(conn: Connection, keys: Sequence[LeadKey], found: Comparison) -> None:
    with snapshot(conn):
        if not _find_waiting_leads(conn):
            found.everything_waits = True
            found.left_out += [Item(LEAD, *key) for key in keys]
            return
        pipeline.run_steps(conn, steps("rebuild/leads/20_stage_leads"), key_arrays(keys))
        waiting = set(pipeline.run_steps(conn, steps("verify/40_leave_out_waiting_leads")).fetchall())
        found.left_out += [Item(LEAD, *key) for key in keys if key in waiting]
        found.compared += [Item(LEAD, *key) for key in keys if key not in waiting]
        if not found.compared:
            return
        pipeline.Run(conn).run(*pipeline.RESOLVE, *pipeline.COMPARE)
        counted = pipeline.run_steps(conn, steps("verify/50_count_leads")).fetchone()
        found.checked += counted[0] if counted else 0
        for one in steps("verify/drift"):
            with conn.cursor(row_factory=class_row(DifferingRow)) as cursor:
                for differing in cursor.execute(one.text).fetchall():
                    found.drifts.extend(differing_fields(one.name.rpartition("_")[2], differing))


def compare_keys(
    conn: Connection, items: Sequence[Item], *, patience: float = SOURCE_PATIENCE_SECONDS
) -> Comparison:
    """Compare these keys.

    A key that leads to no lead, or to a wrong one, would keep a lead stale for ever without showing in any. One that
    is right is compared even while something of its lead waits.
    """

    def compare(found: Comparison) -> None:
        with snapshot(conn):
            if not _find_waiting_leads(conn):
                found.everything_waits = True
                found.left_out += items
                return
            parameters = {"kinds": [item.kind for item in items], "keys": [item.key for item in items]}
            with conn.cursor(row_factory=class_row(WrongKey)) as cursor:
                wrong = cursor.execute(query("verify", "find_wrong_keys"), parameters).fetchall()
        waiting = {(one.kind, one.key) for one in wrong if one.waits}
        found.left_out += [item for item in items if (item.kind, item.key) in waiting]
        found.compared += [item for item in items if (item.kind, item.key) not in waiting]
        found.drifts += [one.drift for one in wrong if not one.waits]

    return compare_steadily(conn, compare, patience=patience)


def compare_all_keys(conn: Connection, tenants: Sequence[str] | None) -> Comparison:
    """Compare the keys of these tenants, or of all, at once; `compared` is left empty."""

    def compare(found: Comparison) -> None:
        with snapshot(conn):
            if not _find_waiting_leads(conn):
                found.everything_waits = True
                return
            find_wrong_keys_in(conn, tenants)
            cursor = conn.cursor(row_factory=class_row(WrongKey))
            for wrong in cursor.execute(statement("verify/60_find_key_drift")).fetchall():
                found.drifts.append(wrong.drift)

    return compare_steadily(conn, compare)


def compare_statistics(conn: Connection, tenants: Sequence[str] | None) -> Comparison:
    """Compare the statistics of these tenants, or of all; `compared` has the tenants that are named."""
    found = Comparison(read_clock(conn))
    found.compared = [Item(STATISTICS, user_id) for user_id in tenants or ()]
    for difference in statistics.find_differences(conn, tenants):
        facets = [value for name, value in difference.key.items() if name != "user_id"]
        for number, expected in difference.expected.items():
            stored = difference.found[number]
            if expected != stored:
                name = f"{STATISTICS_FIELD} {shorten([*facets, number])}"
                drift = Drift(difference.user_id, "", name, str(expected), str(stored), STATISTICS)
                found.drifts.append(drift)
    return found


def _find_waiting_leads(conn: Connection) -> bool:
    """Note the leads of which something waits; return False if everything waits."""
    staging.clear(conn)
    # Mostly it is empty, and TRUNCATE writes WAL even then.
    if conn.execute(query("verify", "has_waiting_leads")).fetchone() is not None:
        conn.execute("TRUNCATE waiting_leads")
    row = pipeline.run_steps(conn, steps("verify/20_find_waiting_leads")).fetchone()
    return row is not None and not row[0]
