"""Deletes everything of ours about a tenant or a lead that has no source rows any more.

1. Its leads are recomputed as a rebuild does it, 500 in a transaction. Without source rows nothing of them is left, and
   the statistics follow.
2. What the tables still hold of it is deleted, some thousand rows in a transaction.
3. One transaction deletes what the projector remembers of it. It owns the queue and holds the lock of erasures, so that
   no refresh and no verify writes back what it knew before.

An erasure that was killed begins again, and finds less to do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

from psycopg.rows import dict_row

from projector.core import pipeline
from projector.core.collisions import retry_on_collision
from projector.core.dead_letters import count_letters
from projector.core.pipeline import Connection, InjectionPoint
from projector.core.snapshots import SOURCE_LOCK_TIMEOUT, retry_while_source_is_held
from projector.database import locks
from projector.database.sql import query
from projector.operate.erase.standing import Target, require_no_standing_rows
from projector.report.progress import Progress
from projector.sweep import drift_log
from projector.sweep.rebuild.in_place import find_leads
from projector.sweep.rebuild.leads import LEADS_PER_TRANSACTION, LeadKey, rebuild_leads

ROWS_PER_TRANSACTION = 10_000
"""Rows of a table that one transaction deletes."""

ERASED = "[erased]"
"""What is written where a message named the tenant or the lead."""

_TABLES = (
    "read_model.lead_messages",
    "read_model.lead_conversations",
    "read_model.lead_profiles",
    "read_model.leads",
    # A recompute of the leads has just written some.
    "read_model.lead_tombstones",
    "projector.source_keys",
    "projector.dead_letters",
    "projector.drift",
    "projector.verify_left_out",
)
_TABLES_OF_TENANTS = (
    "read_model.lead_counts",
    "read_model.lead_daily_counts",
    "read_model.lead_totals",
    "read_model.tenants",
    "leads_access.api_keys",
)


@dataclass(frozen=True, slots=True)
class Held:
    """How many leads and messages the read model has of a tenant or a lead, and how many API keys a tenant has."""

    leads: int
    messages: int
    api_keys: int


def count_held(conn: Connection, target: Target) -> Held:
    """Return how much there is of it."""
    row = conn.execute(query("erasure", "count_held"), target.parameters).fetchone()
    return Held(*row) if row else Held(0, 0, 0)


def delete_everything(conn: Connection, target: Target, progress: Progress, point: InjectionPoint) -> None:
    """Delete everything of ours about it.

    Raises ErasureRefusedError as soon as source rows would bring it back: what was deleted until then comes back too.
    """
    progress.start("erase", count_held(conn, target).leads, "leads")
    for keys in _leads(conn, target):
        for done in rebuild_leads(conn, keys):
            point("leads")
            progress.advance(done.leads)
    for table in _TABLES:
        while _delete_some(conn, target, table) == ROWS_PER_TRANSACTION:
            point("rows")
    conn.execute(query("erasure", "create_unknown_keys"), prepare=False)
    _in_turn(conn, lambda: _forget(conn, target))
    progress.finish()


def mention(text: str) -> str:
    """Return the regular expression of PostgreSQL for a text that is no part of a longer word or number."""
    literal = "".join(letter if letter.isalnum() else f"\\{letter}" for letter in text)
    return f"(?<![[:alnum:]]){literal}(?![[:alnum:]])"


def _leads(conn: Connection, target: Target) -> Iterator[list[LeadKey]]:
    """The leads to recompute, in chunks."""
    if target.customer_phone is not None:
        yield [(target.user_id, target.customer_phone)]
        return
    after = (target.user_id, "")
    while keys := find_leads(conn, after, target.user_id, LEADS_PER_TRANSACTION):
        yield keys
        after = keys[-1]


def _delete_some(conn: Connection, target: Target, table: str) -> int:
    deleted = 0

    def delete() -> None:
        nonlocal deleted
        _hold(conn, target)
        parameters = {**target.parameters, "size": ROWS_PER_TRANSACTION}
        statement = query("erasure", "delete_some", table=table)
        deleted = conn.execute(statement, parameters).rowcount
        if deleted:
            _begin_history_anew(conn, target)

    _in_turn(conn, delete)
    return deleted


def _forget(conn: Connection, target: Target) -> None:
    """Delete what the projector remembers of it, and what a batch has written since."""
    conn.execute("SELECT pg_advisory_xact_lock(%s, 0)", (locks.ERASURE,))
    for shard in locks.SHARDS:
        conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (locks.SHARD, shard))
    _hold(conn, target)
    for table in _TABLES:
        statement = query("erasure", "delete_some", table=table)
        conn.execute(statement, {**target.parameters, "size": None})
    if target.customer_phone is None:
        for table in _TABLES_OF_TENANTS:
            statement = query("erasure", "delete_of_tenant", table=table)
            conn.execute(statement, {"user_id": target.user_id})
        conn.execute(query("erasure", "forget_runs"), {"user_id": target.user_id})
    else:
        # What was deleted may be from a batch that ended since the leads were recomputed.
        _begin_history_anew(conn, target)
    conn.execute("TRUNCATE unknown_keys")
    conn.execute(query("erasure", "find_unknown_keys"), prepare=False)
    _clean_queue(conn)
    conn.execute(query("erasure", "delete_letters"))
    conn.execute(query("erasure", "delete_drift"), {"user_id": target.user_id})
    _move_positions_back(conn, target)
    conn.execute(query("erasure", "delete_left_out"))
    pattern = mention(target.customer_phone or target.user_id)
    conn.execute(query("erasure", "forget_notes"), {"mention": pattern, "instead": ERASED})
    conn.execute(query("erasure", "forget_gap"), {"mention": pattern, "instead": ERASED})
    count_letters(conn)
    drift_log.publish(conn)


def _begin_history_anew(conn: Connection, target: Target) -> None:
    """Give the tenant a new version, and end the tokens of the change feed: rows went without a tombstone."""
    read_model = conn
    read_model.execute(query("tenants", "change_version"), target.parameters)
    read_model.execute(query("tenants", "change_epoch"), {**target.parameters, "epoch": uuid4()})


def _clean_queue(conn: Connection) -> None:
    """Take the unknown keys out of the queue."""
    with conn.cursor(row_factory=dict_row) as cursor:
        doubtful = cursor.execute(query("erasure", "find_doubtful_messages"), prepare=False).fetchone()
    with conn.cursor(row_factory=dict_row) as cursor:
        stored = cursor.execute(query("erasure", "find_stored_messages"), doubtful, prepare=False).fetchone()
    conn.execute(query("erasure", "clean_queue"), stored, prepare=False)


def _move_positions_back(conn: Connection, target: Target) -> None:
    """Move the positions of a rebuild and of a round of the verify that are at the target to the lead before."""
    at = conn.execute(query("erasure", "read_plan_position"), target.parameters).fetchone()
    if at is not None:
        user_id, phone = _lead_before(conn, *at)
        conn.execute(query("erasure", "move_plan"), {"user_id": user_id, "customer_phone": phone})
    row = conn.execute(query("erasure", "read_round_position"), target.parameters).fetchone()
    if row is not None:
        phase, *at_lead = row
        user_id, phone = _lead_before(conn, *at_lead) if phase in ("leads", "statistics") else ("", "")
        # A phase of keys begins anew.
        to = {"after_first": user_id, "after_second": phone if phase == "leads" else ""}
        conn.execute(query("erasure", "move_round"), to)


def _lead_before(conn: Connection, user_id: str, phone: str) -> LeadKey:
    """Return the lead before another, or two empty texts: the start."""
    lead = {"user_id": user_id, "customer_phone": phone}
    found = conn.execute(query("erasure", "find_lead_before"), lead).fetchone()
    return ("", "") if found is None else (found[0], found[1])


def _hold(conn: Connection, target: Target) -> None:
    """Hold the lock of the tenant, and make sure in a later statement that nothing would bring the target back."""
    pipeline.lock_tenants(conn, [target.user_id])
    conn.execute("SELECT set_config('lock_timeout', %s, true)", (SOURCE_LOCK_TIMEOUT,))
    pipeline.set_based(conn)
    require_no_standing_rows(conn, target)


def _in_turn(conn: Connection, work: Callable[[], None]) -> None:
    """Do the work in a transaction, and again if it collides with a batch or with the platform."""

    def once() -> None:
        with conn.transaction():
            work()

    retry_on_collision(lambda: retry_while_source_is_held(conn, once))
