"""Verify: recompute leads from their source rows and compare them with the read model.

Each chunk is one REPEATABLE READ snapshot of source, queue and read model: in it, a lead that differs and of which
nothing waits is drift, a bug. The definition is the refresh's own, but reads the source alone.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

import psycopg
import structlog
from psycopg.rows import TupleRow

from projector import batch, beside, rebuild
from projector.progress import Progress
from projector.refresh import require_installed, require_tenants
from projector.statements import statement

Connection = psycopg.Connection[TupleRow]
LeadKey = tuple[str, str]
_Item = TypeVar("_Item")

CHUNK = 1000
"""Leads that are compared in one snapshot."""

KEYS_FIELD = "key tables"
STATS_FIELD = "statistics"

_SHORT = 80
_KEY_TABLES = {"resync": "conversation", "contacts": "contact", "template_sends": "template send"}

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


def verify(
    conn: Connection, *, tenants: Sequence[str] | None, sample: int | None, heal: bool, progress: Progress
) -> VerifyReport:
    """Compare the leads of these tenants, or of all; with `sample`, only so many of them at random.

    With `heal`, leads that drifted are recomputed whole from their source rows.
    """
    require_installed(conn)
    if tenants is not None:
        require_tenants(conn, tenants)
    batch.prepare_session(conn)
    conn.execute(statement("rebuild", "create_wrong_keys"), prepare=False)
    conn.execute(statement("verify", "create_waiting_leads"), prepare=False)
    run = conn.execute(
        "INSERT INTO projector.runs (kind, started_at, tenants)"
        " VALUES ('verify', clock_timestamp(), %s) RETURNING run_id",
        (None if tenants is None else list(tenants),),
    ).fetchone()
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
            conn.execute(
                "UPDATE projector.runs SET finished_at = clock_timestamp(), outcome = %s, note = %s, leads = %s"
                " WHERE run_id = %s",
                (outcome, note, report.checked, run[0]),
            )
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
        for chunk in _batched(keys, CHUNK):
            _steadily(conn, report, lambda found, chunk=chunk: _verify_leads(conn, chunk, found))  # type: ignore[misc]
            progress.advance(len(chunk))
    else:
        if tenants is None:
            tenants = rebuild.find_tenants(conn)
        row = conn.execute(
            "SELECT count(*) FROM read_model.leads WHERE user_id = ANY(%s)", (list(tenants),)
        ).fetchone()
        progress.start("verify", row[0] if row else 0, "leads")
        for user_id in tenants:
            _steadily(conn, report, lambda found, user_id=user_id: _verify_keys(conn, user_id, found))  # type: ignore[misc]
            for phones in _lead_chunks(conn, user_id):
                keys = [(user_id, phone) for phone in phones]
                _steadily(conn, report, lambda found, keys=keys: _verify_leads(conn, keys, found))  # type: ignore[misc]
                progress.advance(len(phones))
            _verify_stats(conn, user_id, report)
    progress.finish()


def _sample(conn: Connection, size: int, tenants: Sequence[str] | None) -> list[LeadKey]:
    row = conn.execute(
        "SELECT greatest(max(reltuples), 1) FROM pg_class WHERE oid = ANY("
        " ARRAY['read_model.leads', 'projector.conversation_keys']::regclass[])"
    ).fetchone()
    # Four times as many as wanted, since a page holds neighbours.
    percent = min(100.0, 400.0 * size / (row[0] if row else 1.0))
    wanted = {"percent": percent if tenants is None else 100.0, "size": size}
    keys = rebuild.read_source(
        conn, lambda: conn.execute(statement("verify", "sample_leads"), wanted).fetchall()
    )
    return [(user_id, phone) for user_id, phone in keys if tenants is None or user_id in tenants]


def _lead_chunks(conn: Connection, user_id: str) -> Iterator[list[str]]:
    after = ""
    while True:
        found = conn.execute(
            statement("rebuild", "find_leads"), {"user_id": user_id, "after": after, "size": CHUNK}
        ).fetchall()
        if not found:
            return
        phones = [row[0] for row in found]
        yield phones
        after = phones[-1]


def _steadily(conn: Connection, report: VerifyReport, compare: Callable[[VerifyReport], None]) -> None:
    """Compare, and again where a source table was truncated or rewritten meanwhile: its rows were not to be seen.

    And again where somebody holds a source table: a snapshot that waited for it would keep the others.
    """

    def look() -> tuple[VerifyReport, bool]:
        before = beside.source_files(conn)
        found = VerifyReport()
        compare(found)
        return found, not found.drifts or beside.source_files(conn) == before

    is_sure = False
    while not is_sure:
        found, is_sure = rebuild.give_way(look)
    report.checked += found.checked
    report.left_out += found.left_out
    report.drifts += found.drifts


def _verify_leads(conn: Connection, keys: Sequence[LeadKey], report: VerifyReport) -> None:
    with _snapshot(conn):
        if not _find_waiting(conn):
            report.left_out += len(keys)
            return
        staged = conn.execute(
            statement("verify", "stage_leads"),
            {"user_ids": [key[0] for key in keys], "customer_phones": [key[1] for key in keys]},
        ).fetchone()
        compared = staged[0] if staged else 0
        report.left_out += len(keys) - compared
        if not compared:
            return
        for kind, name in (
            ("resolve", "recompute_conversations"),
            ("recompute", "recompute_messages"),
            ("recompute", "recompute_profiles"),
            ("verify", "compose_conversations"),
            ("verify", "compose_last_messages"),
            ("merge", "fetch_old_messages"),
            ("merge", "compare_messages"),
            ("merge", "collect_stale_leads"),
            ("merge", "fetch_old_conversations"),
            ("merge", "fetch_old_profiles"),
            ("merge", "fetch_old_leads"),
        ):
            conn.execute(statement(kind, name))
        conn.execute(batch.STAGE_COMPOSE)
        counted = conn.execute(statement("verify", "count_leads")).fetchone()
        report.checked += counted[0] if counted else 0
        for name, prefix in (("lead", ""), ("profile", "profile."), ("conversation", ""), ("message", "")):
            rows = conn.execute(statement("verify", f"find_{name}_drift")).fetchall()
            for user_id, phone, row_key, expected, found in rows:
                title = f"{name} {row_key}." if row_key else prefix
                report.drifts.extend(_fields(user_id, phone, title, expected, found))


def _verify_keys(conn: Connection, user_id: str, report: VerifyReport) -> None:
    """A key that leads to no lead, or to a wrong one, would keep a lead stale for ever without showing in any."""
    with _snapshot(conn):
        if not _find_waiting(conn):
            return
        conn.execute("TRUNCATE wrong_keys")
        conn.execute(statement("rebuild", "find_wrong_keys"), {"user_id": user_id})
        for kind, key, phone in conn.execute(statement("verify", "find_key_drift")).fetchall():
            report.drifts.append(
                Drift(
                    user_id, phone or "", KEYS_FIELD, "as in the source", f"{_KEY_TABLES[kind]} {key} differs"
                )
            )


def _verify_stats(conn: Connection, user_id: str, report: VerifyReport) -> None:
    for name in ("stats", "day_stats", "span_stats"):
        rows = conn.execute(statement("verify", f"find_{name}_drift"), {"user_id": user_id}).fetchall()
        report.drifts.extend(
            Drift(
                user_id,
                "",
                f"{STATS_FIELD} {_short(json.dumps(facets, default=str))}",
                str(expected),
                str(found),
            )
            for *facets, expected, found in rows
        )


def _find_waiting(conn: Connection) -> bool:
    """Note the leads of which something waits; false where everything does."""
    batch.clear_stage(conn)
    # Mostly it is empty, and to truncate nothing writes WAL all the same.
    if conn.execute("SELECT FROM waiting_leads LIMIT 1").fetchone() is not None:
        conn.execute("TRUNCATE waiting_leads")
    row = conn.execute(statement("verify", "find_waiting_leads")).fetchone()
    return row is not None and not row[0]


def _fields(
    user_id: str, phone: str, title: str, expected: dict[str, Any] | None, found: dict[str, Any] | None
) -> Iterator[Drift]:
    """Each field in which the two sides differ; a document is taken apart into its own fields."""
    if expected is None or found is None:
        texts = ["a row" if side is not None else "no row" for side in (expected, found)]
        yield Drift(user_id, phone, title.rstrip(".") or "lead", texts[0], texts[1])
        return
    for name, value in expected.items():
        if value == found.get(name):
            continue
        if name != "document":
            yield Drift(user_id, phone, f"{title}{name}", _short(value), _short(found.get(name)))
            continue
        try:
            sides = [json.loads(value), json.loads(str(found.get(name)))]
        except ValueError:
            sides = [{"": value}, {"": found.get(name)}]
        same = True
        for key in {**sides[0], **sides[1]}:
            if sides[0].get(key) != sides[1].get(key):
                same = False
                yield Drift(
                    user_id, phone, f"document.{key}", _short(sides[0].get(key)), _short(sides[1].get(key))
                )
        if same:
            yield Drift(user_id, phone, "document", _short(value), _short(found.get(name)))


def _heal(conn: Connection, drifts: Iterable[Drift]) -> int:
    """Recompute what drifted; the answer is how many leads that were."""
    leads = {(drift.user_id, drift.customer_phone) for drift in drifts if drift.customer_phone}
    for user_id in sorted({drift.user_id for drift in drifts}):
        if any(drift.field == KEYS_FIELD and drift.user_id == user_id for drift in drifts):
            rebuild.rebuild_keys(conn, user_id)
        for phones in _batched(sorted(phone for tenant, phone in leads if tenant == user_id), rebuild.CHUNK):
            rebuild.rebuild_leads(conn, user_id, phones)
        rebuild.heal_stats(conn, user_id)
    return len(leads)


@contextmanager
def _snapshot(conn: Connection) -> Iterator[None]:
    """One REPEATABLE READ transaction."""
    before = conn.isolation_level
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with conn.transaction():
            batch.limit_lock_waits(conn)
            yield
    finally:
        if not conn.closed:
            conn.isolation_level = before


def _batched(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    return (items[start : start + size] for start in range(0, len(items), size))


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHORT else text[: _SHORT - 1] + "…"
