"""Verify: compute leads from their source rows and compare them with the read model.

Each chunk is one REPEATABLE READ snapshot of source, queue and read model. In it, a lead that differs and of which nothing
waits is drift, a bug. The leads are computed by the steps of a refresh, which read the source alone where a lead is
compared fully, and nothing is written.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import psycopg
import structlog
from psycopg.rows import class_row

from projector import pipeline, statistics
from projector.pipeline import Connection
from projector.preconditions import require_built, require_installed, require_tenants
from projector.progress import Progress
from projector.rebuild.in_place import find_leads
from projector.rebuild.leads import LeadKey, find_wrong_keys_in, key_arrays, rebuild_keys, rebuild_leads
from projector.snapshots import read_source, retry_while_source_is_held, snapshot, source_files
from projector.sql import query, statement, steps

LEADS_PER_SNAPSHOT = 1000
"""Leads that are compared in one snapshot."""

KEYS_FIELD = "source keys"
STATISTICS_FIELD = "statistics"

SHOWN_CHARACTERS = 80
"""A longer value is cut in a message."""

_KINDS = {"conversation": "conversation", "contact": "contact", "template_send": "template send"}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Drift:
    """One field of a lead that is not what the definition says; values are shortened texts."""

    user_id: str
    customer_phone: str
    field: str
    expected: str
    found: str


@dataclass(slots=True)
class VerifyReport:
    """What a verify found: leads compared, leads left out because something of theirs waits, and every drift."""

    checked: int = 0
    left_out: int = 0
    drifts: list[Drift] = field(default_factory=list)
    healed: int = 0


@dataclass(frozen=True, slots=True)
class DifferingRow:
    """A row that differs, as the steps in sql/verify/drift/ return it."""

    user_id: str
    customer_phone: str
    row_key: str | None
    expected: dict[str, Any] | None
    found: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class WrongKey:
    """A key that leads to a wrong lead, as sql/verify/60_find_key_drift.sql returns it."""

    kind: str
    key: str
    user_id: str
    customer_phone: str | None


def verify(
    conn: Connection, *, tenants: Sequence[str] | None, sample: int | None, heal: bool, progress: Progress
) -> VerifyReport:
    """Compare the leads of these tenants, or of all; with `sample`, only so many of them at random.

    With `heal`, leads that drifted are recomputed from their source rows. Returns what was found. Raises
    NotInstalledError if the read model was never built, and TenantNotFoundError for a tenant that nobody knows.
    """
    require_installed(conn)
    require_built(conn)
    if tenants is not None:
        require_tenants(conn, tenants)
    pipeline.prepare_session(conn)
    conn.execute(statement("rebuild/keys/10_create_wrong_keys"), prepare=False)
    conn.execute(statement("verify/10_create_waiting_leads"), prepare=False)
    wanted = {"tenants": None if tenants is None else list(tenants)}
    run = conn.execute(query("verify", "open_run"), wanted).fetchone()
    report = VerifyReport()
    outcome, note = "interrupted", None
    try:
        _compare(conn, tenants, sample, report, progress)
        if heal and report.drifts:
            report.healed = _heal(conn, report.drifts)
        outcome, note = "done", f"{len(report.drifts)} fields drifted" if report.drifts else None
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
            lead=drift.customer_phone,
            field=drift.field,
            expected=drift.expected,
            found=drift.found,
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
        progress.start("verify", len(keys), "leads")
        for start in range(0, len(keys), LEADS_PER_SNAPSHOT):
            _compare_leads(conn, keys[start : start + LEADS_PER_SNAPSHOT], report, progress)
    else:
        row = conn.execute(
            query("rebuild", "count_leads"), {"tenants": None if tenants is None else list(tenants)}
        ).fetchone()
        progress.start("verify", row[0] if row else 0, "leads")
        _steadily(conn, report, lambda found: _verify_keys(conn, tenants, found))
        for keys in _all_leads(conn, tenants):
            _compare_leads(conn, keys, report, progress)
        _verify_statistics(conn, tenants, report)
    progress.finish()


def _sample(conn: Connection, size: int, tenants: Sequence[str] | None) -> list[LeadKey]:
    row = conn.execute(query("verify", "estimate_leads")).fetchone()
    # Four times as many as wanted, since a page holds neighbours.
    percent = min(100.0, 400.0 * size / (row[0] if row else 1.0))
    parameters = {
        "percent": percent if tenants is None else 100.0,
        "size": size,
        "tenants": None if tenants is None else list(tenants),
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
    _steadily(conn, report, lambda found: _verify_leads(conn, keys, found))
    progress.advance(len(keys))


def _steadily(conn: Connection, report: VerifyReport, compare: Callable[[VerifyReport], None]) -> None:
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


def _verify_leads(conn: Connection, keys: Sequence[LeadKey], report: VerifyReport) -> None:
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
                    report.drifts.extend(_drifts(one.name.rpartition("_")[2], differing))


def _drifts(table: str, row: DifferingRow) -> Iterator[Drift]:
    """The fields in which a row differs; the name of a row that is not the lead's own comes before the field."""
    prefix = {"leads": "", "profiles": "profile."}.get(table, f"{table.removesuffix('s')} {row.row_key}.")
    return _fields(row.user_id, row.customer_phone, prefix, row.expected, row.found)


def _verify_keys(conn: Connection, tenants: Sequence[str] | None, report: VerifyReport) -> None:
    """A key that leads to no lead, or to a wrong one, would keep a lead stale for ever without showing in any."""
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


def _verify_statistics(conn: Connection, tenants: Sequence[str] | None, report: VerifyReport) -> None:
    for difference in statistics.find_differences(conn, tenants):
        facets = [value for name, value in difference.key.items() if name != "user_id"]
        for number, expected in difference.expected.items():
            found = difference.found[number]
            if expected != found:
                name = _short([*facets, number])
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


def _fields(
    user_id: str, phone: str, prefix: str, expected: dict[str, Any] | None, found: dict[str, Any] | None
) -> Iterator[Drift]:
    """Each field in which the two sides differ; a document is taken apart into its own fields."""
    if expected is None or found is None:
        texts = ["a row" if side is not None else "no row" for side in (expected, found)]
        yield Drift(user_id, phone, prefix.rstrip(".") or "lead", texts[0], texts[1])
        return
    for name, value in expected.items():
        if value == found.get(name):
            continue
        if name == "document":
            yield from _fields_of_document(user_id, phone, value, found.get(name))
        else:
            yield Drift(user_id, phone, f"{prefix}{name}", _short(value), _short(found.get(name)))


def _fields_of_document(user_id: str, phone: str, expected: str, found: object) -> Iterator[Drift]:
    try:
        sides = [json.loads(expected), json.loads(str(found))]
    except ValueError:
        sides = [{"": expected}, {"": found}]
    same = True
    for key in {**sides[0], **sides[1]}:
        if sides[0].get(key) != sides[1].get(key):
            same = False
            yield Drift(
                user_id, phone, f"document.{key}", _short(sides[0].get(key)), _short(sides[1].get(key))
            )
    if same:
        yield Drift(user_id, phone, "document", _short(expected), _short(found))


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


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
