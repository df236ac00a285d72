"""Recomputes leads fully, under the lock of their tenant, and corrects the keys that lead to them."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import chain
from typing import TypeVar

import psycopg

from projector.core import pipeline
from projector.core.batch import Batch, is_lead_failure
from projector.core.late import LateKeys, defer_mass_changes
from projector.core.pipeline import BatchResult
from projector.core.source_reads import read_source, retry_reading
from projector.database import locks, rows
from projector.database.rows import Connection
from projector.database.sql import query
from projector.model.leads import WRITE
from projector.report.errors import CaptureGapError
from projector.report.progress import QUIET, Progress

LeadKey = tuple[str, str]
"""A tenant and a canonical phone."""

LEADS_PER_TRANSACTION = 500
"""Leads that are recomputed in one transaction: a quarter of a second, in which no batch of the tenant runs."""

KEYS_SECONDS = 0.25
"""How long one transaction of late keys should take."""


_Result = TypeVar("_Result")

Failed = Callable[[LeadKey, psycopg.Error], _Result]
"""Handles a lead that fails alone, and returns the result for it."""


def by_halves(
    leads: Sequence[LeadKey], work: Callable[[Sequence[LeadKey]], _Result], failed: Failed[_Result]
) -> Iterator[_Result]:
    """Do the work for these leads, and for halves of them if the data of one fails: PostgreSQL does not name the row.

    Yields what `work` returns, and what `failed` returns of leads that fail alone.
    """
    results: Iterable[_Result]
    try:
        results = [work(leads)]
    except psycopg.Error as error:
        if not is_lead_failure(error):
            raise
        if len(leads) == 1:
            results = [failed(leads[0], error)]
        else:
            halves = leads[: len(leads) // 2], leads[len(leads) // 2 :]
            results = chain.from_iterable(by_halves(half, work, failed) for half in halves)
    yield from results


def rebuild_leads(
    conn: Connection,
    leads: Sequence[LeadKey],
    failed: Failed[BatchResult] | None = None,
    *,
    all_keys: bool = False,
) -> Iterator[BatchResult]:
    """Recompute these leads and write what differs; yields after each transaction. The leads are in order.

    `failed` is called with a lead that fails alone. Without it, the error of such a lead is raised. `all_keys` is as
    for recompute_leads.
    """

    def rebuild(some: Sequence[LeadKey]) -> BatchResult:
        return retry_reading(conn, lambda: _rebuild_chunk(conn, some, all_keys=all_keys))

    for start in range(0, len(leads), LEADS_PER_TRANSACTION):
        chunk = leads[start : start + LEADS_PER_TRANSACTION]
        if failed is None:
            yield rebuild(chunk)
        else:
            yield from by_halves(chunk, rebuild, failed)


def rebuild_keys(conn: Connection, tenants: Sequence[str] | None, progress: Progress = QUIET) -> int:
    """Correct projector.source_keys for these tenants, or for all, and the leads that a wrong key had kept stale.

    Wrong keys are processed with the late keys, lead by lead, so that no key that a mass change queued is
    done twice.
    Returns how many messages were written. Raises the error of a key that fails alone.
    """
    # Wait for batches that began before the triggers were complete: they may have missed rows, and could
    # write a wrong key later.
    with conn.transaction():
        locks.own_queue(conn)
    read_source(conn, lambda: _queue_wrong_keys(conn, tenants))
    if tenants is not None:
        # If capture is not intact, a later refresh takes the waiting changes.
        with suppress(CaptureGapError):
            defer_mass_changes(conn)
    messages = 0

    def note(done: Batch) -> None:
        nonlocal messages
        messages += done.messages
        progress.advance(done.keys)

    waiting = rows.value(conn, query("core", "count_changes"), {"bound": None})
    if waiting:
        progress.start("late keys", waiting, "keys")
    served = rows.values(conn, query("sweep", "find_served_tenants"))
    LateKeys(strict=True, piece_seconds=KEYS_SECONDS, served=served).take_all(conn, note)
    return messages


def create_tables(conn: Connection) -> None:
    """Create the temporary tables of a piece, unless this session has them, and forget what was missing before."""
    pipeline.run_steps(conn, "sweep/0_piece_tables")
    conn.execute("TRUNCATE missing_leads")


def find_wrong_keys_in(conn: Connection, tenants: Sequence[str] | None) -> None:
    """Fill the temporary table wrong_keys, in the caller's transaction."""
    conn.execute("TRUNCATE wrong_keys")
    pipeline.set_based(conn)
    parameters = pipeline.tenants_parameter(tenants)
    pipeline.run_steps(conn, "sweep/4_keys/10_find_wrong_keys", parameters)


def lead_arrays(leads: Sequence[LeadKey], *, all_keys: bool = False) -> dict[str, object]:
    """Return the leads as the parameters user_ids and customer_phones, and all_keys."""
    columns = {"user_ids": [lead[0] for lead in leads], "customer_phones": [lead[1] for lead in leads]}
    return {**columns, "all_keys": all_keys}


def recompute_leads(conn: Connection, leads: Sequence[LeadKey], *, all_keys: bool) -> BatchResult:
    """Recompute leads and write what differs, in the caller's transaction, which has begun with lock_tenants.

    With `all_keys`, it also reads again to which lead their contacts and template sends belong. Otherwise
    queued changes do that.
    """
    pipeline.run_steps(conn, "sweep/2_recompute/10_stage_leads", lead_arrays(leads, all_keys=all_keys))
    run = pipeline.Run(conn, conditions={"write"})
    run.run(*pipeline.RESOLVE, *WRITE)
    return BatchResult(len(leads), run.result.messages)


def _rebuild_chunk(conn: Connection, leads: Sequence[LeadKey], *, all_keys: bool) -> BatchResult:
    with conn.transaction():
        pipeline.lock_tenants(conn, {lead[0] for lead in leads})
        return recompute_leads(conn, leads, all_keys=all_keys)


def _queue_wrong_keys(conn: Connection, tenants: Sequence[str] | None) -> None:
    find_wrong_keys_in(conn, tenants)
    pipeline.run_steps(conn, "sweep/4_keys/30_queue_wrong_keys")
    # For a join of local and distributed tables, Citus would copy all distributed rows to the coordinator.
    if conn.dialect.joins_temporary_tables:
        pipeline.run_steps(conn, "sweep/4_keys/40_note_missing_leads")
