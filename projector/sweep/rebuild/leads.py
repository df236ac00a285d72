"""Recomputes leads fully, under the lock of their tenant, and corrects the keys that lead to them."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from projector.core import pipeline, staging
from projector.core.batch import recompute
from projector.core.collisions import retry_on_collision
from projector.core.pipeline import BatchResult, Connection, InjectionPoint, no_injection_point
from projector.core.preconditions import require_migrated_version
from projector.core.snapshots import read_source, retry_while_source_is_held
from projector.database.sql import statement, steps

_Result = TypeVar("_Result")

LeadKey = tuple[str, str]
"""A tenant and a canonical phone."""

LEADS_PER_TRANSACTION = 500
"""Leads that are recomputed in one transaction: a quarter of a second, in which no batch of the tenant runs."""


def rebuild_leads(
    conn: Connection, keys: Sequence[LeadKey], point: InjectionPoint = no_injection_point
) -> Iterator[BatchResult]:
    """Recompute these leads and write what differs; yields after each transaction. The keys are in order."""
    for chunk in _chunks(keys):
        yield _retry(conn, lambda chunk=chunk: _rebuild_chunk(conn, chunk, point))  # type: ignore[misc]


def rebuild_keys(conn: Connection, tenants: Sequence[str] | None) -> BatchResult:
    """Correct projector.source_keys for these tenants, or for all, and the leads that a wrong key had kept stale."""
    conn.execute(statement("rebuild/keys/10_create_wrong_keys"), prepare=False)
    read_source(conn, lambda: find_wrong_keys_in(conn, tenants))
    total = BatchResult()
    while (written := _retry(conn, lambda: _rebuild_wrong_keys(conn))) is not None:
        total += written
    return total


def find_wrong_keys_in(conn: Connection, tenants: Sequence[str] | None) -> None:
    """Fill the temporary table wrong_keys, in the caller's transaction."""
    conn.execute("TRUNCATE wrong_keys")
    pipeline.set_based(conn)
    parameters = pipeline.tenants_parameter(tenants)
    pipeline.run_steps(conn, steps("rebuild/keys/20_find_wrong_keys"), parameters)


def _retry(conn: Connection, work: Callable[[], _Result]) -> _Result:
    """As retry_on_collision, but a session that holds one of the platform's tables is waited for as in a comparison.

    A rebuild of hours does not end because the platform has changed a table for some seconds.
    """
    return retry_on_collision(lambda: retry_while_source_is_held(conn, work))


def _rebuild_chunk(conn: Connection, keys: Sequence[LeadKey], point: InjectionPoint) -> BatchResult:
    with conn.transaction():
        pipeline.lock_tenants(conn, {key[0] for key in keys})
        point("locked")
        pipeline.run_steps(conn, steps("rebuild/leads/20_stage_leads"), key_arrays(keys))
        run = pipeline.Run(conn, conditions={"write", "note_keys"}, point=point)
        run.run(*pipeline.RESOLVE, *pipeline.WRITE)
    return BatchResult(len(keys), run.result.messages)


def key_arrays(keys: Sequence[LeadKey]) -> dict[str, object]:
    """Return the keys as the parameters user_ids and customer_phones."""
    return {"user_ids": [key[0] for key in keys], "customer_phones": [key[1] for key in keys]}


def _rebuild_wrong_keys(conn: Connection) -> BatchResult | None:
    with conn.transaction():
        require_migrated_version(conn)
        staging.clear(conn)
        staged = pipeline.run_steps(
            conn, steps("rebuild/keys/30_stage_wrong_keys"), {"size": LEADS_PER_TRANSACTION}
        )
        if not staged.rowcount:
            return None
        return recompute(conn, strict=True)


def _chunks(keys: Sequence[LeadKey]) -> Iterator[Sequence[LeadKey]]:
    """The keys in order, LEADS_PER_TRANSACTION at a time; one transaction never locks more than a few tenants."""
    return (
        keys[start : start + LEADS_PER_TRANSACTION] for start in range(0, len(keys), LEADS_PER_TRANSACTION)
    )
