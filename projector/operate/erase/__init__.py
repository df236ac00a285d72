"""Erasure: deletes a tenant or a lead from all of our tables, again after a backup was restored.

The platform has to delete its rows first: otherwise the next refresh would bring back what was erased. A ledger of
hashes has what was erased; it is written before anything is deleted. Then:

1. The leads are recomputed as in a rebuild, 500 in a transaction. Without source rows nothing of them remains, and the
   statistics follow.
2. Further transactions own the queue and the tenant. They recompute the leads that batches have written since, and
   delete the tombstones, some thousand in a transaction.
3. The last of these also deletes everything else, such as late keys and dead letters. The lock of erasures keeps a
   verify from writing back earlier findings. Its last statement checks the source: a later commit finds no key, and a
   batch reads it whole.

Only the steps that write delete a lead, its messages and its keys, because they also update the statistics.

Before that the queue is drained, because it has keys of rows without their tenants.

An erasure that was killed begins again, and finds less to do.
"""

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import UUID, uuid4

from psycopg import sql
from psycopg.errors import SerializationFailure

from projector.core import pipeline
from projector.core.batch import count_dead_letters, follow_dead_letters
from projector.core.late import LateKeys
from projector.core.pipeline import test_point
from projector.core.preconditions import is_built
from projector.core.refresh import refresh
from projector.core.source_reads import SOURCE_LOCK_TIMEOUT, retry_reading
from projector.database import locks
from projector.database.rows import Connection, only_row, rows, value
from projector.database.schema import tables
from projector.database.sql import query
from projector.model.leads import LEAD_TABLES, SOURCE_KEYS, TOMBSTONES
from projector.operate.erase import ledger
from projector.operate.erase.ledger import Target, synchronize
from projector.report.counted import counted, escape_hidden
from projector.report.errors import CaptureGapError, ErasureRefusedError
from projector.report.progress import Progress
from projector.sweep import drift
from projector.sweep.leads import LEADS_PER_TRANSACTION, LeadKey, rebuild_leads, recompute_leads
from projector.sweep.pieces import REBUILD, find_leads, forget_sweep, pieces
from projector.sweep.rebuild import only_rebuild

ROWS_PER_TRANSACTION = 10_000
"""Tombstones that one transaction deletes."""

OTHERS_SECONDS = 0.05
"""How long the projectors get the queue between two transactions, which is longer than they wait for changes."""

ERASED = "[erased]"
"""The text that replaces the tenant or the lead in a message."""

_SHED = "what waited was given up for an erasure"
_TABLES_OF_KEYS = ("projector.dead_letters", "projector.drift", "projector.verify_left_out")
_RECOMPUTED = (*LEAD_TABLES, SOURCE_KEYS)
# The ledger itself stays: a line names no customer once its erasure has ended. A function deletes API keys.
_NAMING = [
    table
    for table in tables().values()
    if "user_id" in table.columns and not table.name.startswith("leads_access.")
]
_TABLES = [table.name for table in _NAMING if "customer_phone" in table.columns]
_TABLES_OF_TENANTS = [table.name for table in _NAMING if "customer_phone" not in table.columns]
_NOTES = (
    ("projector.runs", "note"),
    ("projector.verify_rounds", "failure"),
    ("projector.dead_letters", "error"),
    ("projector.capture_gaps", "reason"),
    ("read_model.projection", "capture_gap"),
)


@dataclass(slots=True)
class Held:
    """What is stored of a target: its leads and messages in the read model, and the API keys of a tenant."""

    leads: int
    messages: int
    api_keys: int = 0


@dataclass(frozen=True, slots=True)
class StoredTable:
    """A table with values of rows, as the query `find_tables` returns it."""

    name: str
    has_statistics: bool


def find_target(conn: Connection, user_id: str, phone: str | None) -> Target | None:
    """Return the target with the phone in its canonical form; None if the phone is blank."""
    if phone is None:
        return Target(user_id)
    canonical = value(conn, query("operate", "canonical_phone"), {"phone": phone})
    return None if canonical is None else Target(user_id, canonical)


def find_matches(conn: Connection) -> list[tuple[UUID, Target]]:
    """Return the tenants and leads in the ledger that exist again, here or in the source.

    They include those whose erasure has not ended, which has to go on.
    """
    elsewhere = f"({query('operate', 'leads_elsewhere').rstrip(';')})"
    columns = {
        **dict.fromkeys((*_TABLES, elsewhere), "held.customer_phone"),
        **dict.fromkeys((*_TABLES_OF_TENANTS, "leads_access.tenants_of_keys()"), "NULL"),
    }
    erasures: dict[Target, UUID] = {}
    with conn.transaction():
        # It reads whole tables.
        conn.execute("SELECT set_config('enable_seqscan', 'on', true)")
        for table, phone in columns.items():
            matches = query("operate", "find_matches", table=table, phone=phone)
            for erasure_id, *target in conn.execute(matches, prepare=False):
                erasures.setdefault(Target(*target), erasure_id)
        erasures.update({target: erasure_id for erasure_id, target in ledger.read_unfinished(conn)})
    in_order = sorted(erasures, key=lambda target: (target.user_id, target.customer_phone or ""))
    return [(erasures[target], target) for target in in_order]


def check_erase(conn: Connection, target: Target) -> Held:
    """Return how many leads and messages the read model has of the target, and how many API keys a tenant has.

    Raises ErasureRefusedError, which lists them, while rows of the source would bring it back.
    """
    _require_no_standing_rows(conn, target)
    held = only_row(conn, Held, query("operate", "count_held"), target.parameters)
    held.api_keys = value(conn, query("operate", "count_keys"), target.parameters)
    return held


def erase(conn: Connection, target: Target, *, progress: Progress, ledger_file: Path | None = None) -> None:
    """Delete everything about a tenant or a lead from our tables.

    Raises ErasureRefusedError while rows of the source would bring it back, ProjectorError if the file of the ledger
    cannot be used, and BlockedError while another session rebuilds.
    """
    _require_no_standing_rows(conn, target)
    with _exclusively(conn):
        # If the file cannot be used, the line is removed: an erasure that never started cannot be resumed.
        with conn.transaction():
            erasure_id = ledger.note(conn, target)
            if ledger_file is not None:
                synchronize(conn, ledger_file)
        _drain(conn, progress)
        _erase(conn, target, erasure_id, progress)
        _renew_statistics(conn)


def replay(conn: Connection, *, progress: Progress) -> tuple[list[Target], list[ErasureRefusedError]]:
    """Erase again what is in the ledger and exists again; return what was erased, and why the rest was not.

    Raises BlockedError while another session rebuilds.
    """
    erased: list[Target] = []
    refused: list[ErasureRefusedError] = []
    with _exclusively(conn):
        _drain(conn, progress)
        for erasure_id, target in find_matches(conn):
            try:
                _erase(conn, target, erasure_id, progress)
            except ErasureRefusedError as error:
                refused.append(error)
            else:
                erased.append(target)
        _renew_statistics(conn)
    return erased, refused


def rewrite_commands(conn: Connection) -> list[str]:
    """Return the commands that rewrite the files of our tables, indexes and planner's statistics.

    VERBOSE makes PostgreSQL say how many deleted rows it had to keep for an older transaction.
    """
    return [f"VACUUM (FULL, VERBOSE) {table.name};" for table in _find_tables(conn)]


def mention(text: str) -> str:
    """Return the regular expression of PostgreSQL for a text that is not part of a longer word or number."""
    literal = "".join(letter if letter.isalnum() else f"\\{letter}" for letter in text)
    return f"(?<![[:alnum:]]){literal}(?![[:alnum:]])"


def _require_no_standing_rows(conn: Connection, target: Target) -> None:
    """Raise ErasureRefusedError, which lists them, while rows of the source would bring the target back."""
    standing = conn.execute(
        query("operate", "find_standing_rows"), target.parameters, prepare=False
    ).fetchall()
    if not standing:
        return
    listed = "\n".join(
        f"  {table}: {counted(rows, 'row')}, such as {escape_hidden(example)}"
        for table, rows, example in standing
    )
    counts = ", ".join(f"{counted(rows, 'row')} of {table}" for table, rows, _ in standing)
    raise ErasureRefusedError(
        f"The platform's tables still have rows of {target}, which would bring it back:\n{listed}\n"
        "Delete them there first, and run erase again.",
        without_values=(
            "The platform's tables still have rows of the tenant or the lead, which would bring it back: "
            f"{counts}. Delete them there first, and run erase again."
        ),
    )


@contextmanager
def _exclusively(conn: Connection) -> Iterator[None]:
    """Exclude rebuilds, which would write back what they have read before."""
    pipeline.prepare_session(conn)
    with only_rebuild(conn, "A rebuild or another erasure"):
        yield


def _drain(conn: Connection, progress: Progress) -> None:
    """Empty the queue, which has keys of the target: apply all changes, including the deletion of the source rows.

    That is not possible before the first build, or while changes may have been missed. The erasure does not wait for
    the rebuild that follows: it deletes the queue, as when a full queue is replaced by a rebuild.
    """
    is_there = is_built(conn)
    if is_there:
        with suppress(CaptureGapError):
            refresh(conn, retry_failed=False, progress=progress)
            return
    with conn.transaction():
        locks.own_queue(conn)
        forget_sweep(conn, REBUILD)
        if is_there:
            conn.execute(query("capture", "open_reinstalled_gap"), {"reason": _SHED})
        conn.execute(query("operate", "shed_queue"))


def _erase(conn: Connection, target: Target, erasure_id: UUID, progress: Progress) -> None:
    """Delete everything about the target from our tables, and note that.

    Raises ErasureRefusedError as soon as source rows would bring it back, also what was already deleted.
    """
    progress.start("erase", check_erase(conn, target).leads, "leads")
    for keys in _leads(conn, target):
        for done in rebuild_leads(conn, keys, all_keys=True):
            progress.advance(done.leads)
    test_point("leads")
    while retry_reading(conn, conn.transaction()(partial(_delete_some, conn, target))):
        test_point("rows")
        time.sleep(OTHERS_SECONDS)
    # A projector may not know that the tenant was late.
    LateKeys().end(conn, wait=True)
    ledger.finish(conn, erasure_id)
    progress.finish()


def _leads(conn: Connection, target: Target) -> Iterable[Sequence[LeadKey]]:
    """Return the leads to recompute, in chunks."""
    if target.customer_phone is not None:
        return [[(target.user_id, target.customer_phone)]]
    return (piece.leads for piece in pieces(conn, [target.user_id], LEADS_PER_TRANSACTION, "leads"))


def _delete_some(conn: Connection, target: Target) -> bool:
    """Delete some or all of the rest; return whether there may be more."""
    conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.ERASURE,))
    # Wait until no batch, slice or piece is in progress, which could write again what is deleted here.
    locks.own_queue(conn)
    pipeline.lock_tenants(conn, [target.user_id])
    leads = _find_left(conn, target)
    if leads:
        _recompute(conn, target, leads)
    pipeline.set_based(conn)
    conn.execute("SELECT set_config('lock_timeout', %s, true)", (SOURCE_LOCK_TIMEOUT,))
    tombstones = max(_delete_from(conn, target, table, ROWS_PER_TRANSACTION) for table in TOMBSTONES)
    _end_tokens(conn, target)
    if len(leads) == LEADS_PER_TRANSACTION or tombstones == ROWS_PER_TRANSACTION:
        return True
    _forget(conn, target)
    test_point("deleted")
    _require_no_standing_rows(conn, target)
    return False


def _find_left(conn: Connection, target: Target) -> list[LeadKey]:
    """Return the next leads with a row in the read model or a key in the projector's tables."""
    condition = "r.user_id = %(user_id)s"
    if target.customer_phone is not None:
        condition += " AND r.customer_phone = %(customer_phone)s"
    return find_leads(conn, _RECOMPUTED, condition, {**target.parameters, "size": LEADS_PER_TRANSACTION})


def _recompute(conn: Connection, target: Target, leads: Sequence[LeadKey]) -> None:
    """Recompute the remaining leads, and make sure that nothing of them remains."""
    recompute_leads(conn, leads, all_keys=True)
    if not set(leads).isdisjoint(_find_left(conn, target)):
        _require_no_standing_rows(conn, target)
        raise SerializationFailure(
            "a lead that is erased was in the source while it was recomputed, and is not any more"
        )


def _forget(conn: Connection, target: Target) -> None:
    """Delete the rest of the target's data in the projector's tables. Its leads are already gone."""
    # A key that has moved to another lead keeps its dead letter, because its changes are missing there too.
    conn.execute(query("operate", "stage_dead_letters"), target.parameters)
    follow_dead_letters(conn)
    for table in _TABLES:
        if table not in _RECOMPUTED:
            _delete_from(conn, target, table)
    if target.customer_phone is None:
        for table in _TABLES_OF_TENANTS:
            conn.execute(query("operate", "delete_of_tenant", table=table), target.parameters)
        conn.execute(query("operate", "delete_keys"), target.parameters)
        conn.execute(query("operate", "forget_runs"), target.parameters)
    for table in _TABLES_OF_KEYS:
        conn.execute(query("operate", "delete_unknown", table=table), target.parameters, prepare=False)
    conn.execute(query("operate", "restart_phases"), target.parameters)
    replacement = {"mention": mention(target.customer_phone or target.user_id), "instead": ERASED}
    for table, column in _NOTES:
        conn.execute(query("operate", "forget_note", table=table, column=column), replacement)
    conn.execute(query("operate", "forget_reason"), replacement)
    count_dead_letters(conn)
    drift.publish(conn)


def _delete_from(conn: Connection, target: Target, table: str, size: int | None = None) -> int:
    parameters = {**target.parameters, "size": size}
    return conn.execute(query("operate", "delete_some", table=table), parameters).rowcount


def _end_tokens(conn: Connection, target: Target) -> None:
    """Give the tenant a new version, and invalidate the tokens of its feed, because rows went without a tombstone."""
    conn.execute(query("tenants", "change_version"), target.parameters)
    conn.execute(query("tenants", "change_epoch"), {**target.parameters, "epoch": uuid4()})
    # A stream that began after the deletions ends too.
    conn.execute(query("tenants", "tell_listeners"))


def _renew_statistics(conn: Connection) -> None:
    """Analyze each table with statistics, because these contain frequent values of rows."""
    for table in _find_tables(conn):
        if table.has_statistics:
            conn.execute(sql.SQL("ANALYZE {}").format(sql.SQL(table.name)), prepare=False)


def _find_tables(conn: Connection) -> list[StoredTable]:
    return rows(conn, StoredTable, query("operate", "find_tables"))
