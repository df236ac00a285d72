"""One batch: from stale keys to rows of the read model, the same steps for refresh, rebuild and heal.

Every step is a later statement than the one that took the changes and the one that locked the tenants: in READ
COMMITTED each reads what was committed before it.
"""

from collections.abc import Callable
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from projector import locks
from projector.statements import statement, steps

Connection = psycopg.Connection[TupleRow]
Pause = Callable[[str], None]

# Bytes of two tables of the stage, beyond which scans of what was deleted there cost more than a truncation.
_CROWDED = 4_000_000

PAUSE_POINTS = ("taken", "resolved", "locked", "recomputed", "merged")


def no_pause(_point: str) -> None:
    """What stands at the pause points outside tests: nothing."""


@dataclass(frozen=True, slots=True)
class Written:
    """How many leads a batch recomputed, and how many message rows it wrote or deleted."""

    leads: int
    messages: int


def compose_statement(**tables: sql.Identifier) -> sql.Composed:
    """The definition of a lead row over these tables: leads, profiles, conversations, last_messages."""
    return sql.SQL(statement("compose", "compose_leads")).format(**tables)


STAGE_COMPOSE = compose_statement(
    leads=sql.Identifier("stage_leads"),
    profiles=sql.Identifier("stage_profiles"),
    conversations=sql.Identifier("stage_lead_conversations"),
    last_messages=sql.Identifier("stage_last_messages"),
)
"""The definition over the stage."""


def prepare_session(conn: Connection) -> None:
    """Make the stage, and set what its statements count on, once for a connection."""
    # The stage is never analyzed, so the planner's guesses of it are poor: an index look-up a key is always right here.
    conn.execute("SET enable_seqscan = off")
    conn.execute("SET plan_cache_mode = force_generic_plan")
    for text in steps("session").values():
        conn.execute(text, prepare=False)
    conn.prepare_threshold = 0


def clear_stage(conn: Connection) -> None:
    """Empty the stage, first thing in a transaction that fills it."""
    row = conn.execute(
        "SELECT pg_relation_size('stage_changes') + pg_relation_size('stage_leads')"
    ).fetchone()
    crowded = row is not None and row[0] > _CROWDED
    conn.execute(statement("stage", "truncate_stage" if crowded else "clear_stage"))


def run(conn: Connection, kind: str) -> None:
    """Execute all statements of a kind, in order, in one round trip."""
    with conn.pipeline():
        for text in steps(kind).values():
            conn.execute(text)


def resolve(conn: Connection, pause: Pause = no_pause) -> None:
    """Find the leads of the staged keys, lock their tenants, and note which lead each key belongs to now."""
    conn.execute(statement("resolve", "find_tenants"))
    pause("resolved")
    lock_tenants(conn)
    pause("locked")
    resolve_locked(conn)


def resolve_locked(conn: Connection) -> None:
    """Read the staged keys' rows again, now that their tenants are locked, and note their leads."""
    with conn.pipeline():
        for name, text in steps("resolve").items():
            if name not in ("find_tenants", "lock_tenants"):
                conn.execute(text)


def lock_tenants(conn: Connection) -> None:
    """Lock the staged tenants: their merges take turns."""
    conn.execute(statement("resolve", "lock_tenants"), {"lock_class": locks.TENANT})


def recompute_and_merge(conn: Connection, pause: Pause = no_pause) -> Written:
    """Recompute the dirty leads from the source, and write what differs."""
    run(conn, "recompute")
    pause("recomputed")
    with conn.pipeline():
        for text in steps("merge").values():
            conn.execute(text)
        conn.execute(STAGE_COMPOSE)
        for text in steps("merge_leads").values():
            conn.execute(text)
        counted = conn.execute(
            "SELECT (SELECT count(*) FROM stale_leads), (SELECT count(*) FROM stage_message_changes)"
        )
    pause("merged")
    row = counted.fetchone()
    if row is None:
        raise AssertionError
    return Written(leads=row[0], messages=row[1])
