"""One batch: from stale keys to rows of the read model, the same steps for refresh, rebuild and heal.

Every step is a later statement than the one that took the changes and the one that locked the tenants: in READ
COMMITTED each reads what was committed before it.
"""

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from projector import locks
from projector.statements import statement, steps

Connection = psycopg.Connection[TupleRow]
Cursor = psycopg.Cursor[TupleRow]
Pause = Callable[[str], None]

PAUSE_POINTS = ("taken", "resolved", "locked", "recomputed", "merged")


# A platform's TRUNCATE … CASCADE locks its tables one after the other, and a batch reads them in another order. Before
# PostgreSQL looks for a deadlock, after a second, and may choose the platform's statement, the batch gives up its own.
_SOURCE_LOCK_TIMEOUT = "700ms"
_SET_LOCK_TIMEOUT = "SELECT set_config('lock_timeout', %s, true)"


def no_pause(_point: str) -> None:
    """What stands at the pause points outside tests: nothing."""


@dataclass(frozen=True, slots=True)
class Written:
    """How many leads a batch recomputed, and how many message rows it wrote or deleted."""

    leads: int
    messages: int


STAGE = re.findall(
    r"^CREATE TEMPORARY TABLE IF NOT EXISTS (\w+)", "".join(steps("session").values()), re.MULTILINE
)
"""The tables of the stage."""

ROOM = 128 * 1024
"""Bytes from which on a table of the stage is truncated before a batch, which may be of a single lead."""

# A chunk of some hundred leads fills most tables with more than that, and does not feel what is left in them.
_ROOM_OF_CHUNKS = 4 * 1024 * 1024


def compose_statement(**tables: sql.Identifier) -> LiteralString:
    """The definition of a lead row over these tables: leads, profiles, conversations, last_messages."""
    return sql.SQL(statement("compose", "compose_leads")).format(**tables).as_string()


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
    """Empty the stage, first thing in a transaction that fills it with a chunk."""
    found = conn.execute(statement("stage", "find_crowded"), {"stage": STAGE, "room": _ROOM_OF_CHUNKS})
    empty_stage(conn, [row[0] for row in found.fetchall()])


def empty_stage(conn: Connection, crowded: Sequence[str]) -> None:
    """Delete the rows of the stage, and truncate what is crowded.

    Nothing vacuums a temporary table: what was deleted is scanned by every batch that follows, and taken for rows by
    the planner. But a truncation writes WAL, for the catalog: only the tables are truncated that need it.
    """
    if crowded:
        tables = sql.SQL(", ").join(sql.Identifier("pg_temp", name) for name in crowded)
        conn.execute(sql.SQL("TRUNCATE {}").format(tables), prepare=False)
    conn.execute(statement("stage", "clear_stage"))


def together(conn: Connection, pause: Pause) -> AbstractContextManager[object]:
    """Send the statements of a block in one round trip; one by one where a test pauses between them."""
    return conn.pipeline() if pause is no_pause else nullcontext()


def limit_lock_waits(conn: Connection) -> None:
    """In a transaction that reads the platform's tables: wait for one of them so long at most."""
    conn.execute(_SET_LOCK_TIMEOUT, (_SOURCE_LOCK_TIMEOUT,))


def resolve(conn: Connection, kinds: Collection[str], pause: Pause = no_pause) -> None:
    """Find the leads of the staged keys, lock their tenants, and note which lead each key belongs to now.

    `kinds` are the kinds of the staged changes. In this and the next function no statement's outcome is waited for, so
    that a caller can send all of them together.
    """
    limit_lock_waits(conn)
    conn.execute(statement("resolve", "find_tenants"))
    pause("resolved")
    conn.execute(_SET_LOCK_TIMEOUT, ("0",))
    lock_tenants(conn)
    pause("locked")
    resolve_locked(conn, kinds)


def resolve_locked(conn: Connection, kinds: Collection[str]) -> None:
    """Read the staged keys' rows again, now that their tenants are locked, and note their leads."""
    limit_lock_waits(conn)
    needless = {"find_tenants", "lock_tenants"} | {
        name for name, kind in _KEYS_OF.items() if kind not in kinds
    }
    cursor = conn.cursor()
    for name, text in steps("resolve").items():
        if name not in needless:
            cursor.execute(_encoded(text))


def lock_tenants(conn: Connection) -> None:
    """Lock the staged tenants: their merges take turns."""
    conn.execute(statement("resolve", "lock_tenants"), {"lock_class": locks.TENANT})


def recompute(conn: Connection, pause: Pause = no_pause) -> Cursor:
    """Recompute from the source, and compare the messages; the cursor is for `merge`."""
    cursor = conn.cursor()
    for text in steps("recompute").values():
        cursor.execute(_encoded(text))
    pause("recomputed")
    for name in ("fetch_old_messages", "fetch_old_messages_by_id", "compare_messages", "find_message_work"):
        cursor.execute(_encoded(statement("merge", name)))
    return cursor


def merge(conn: Connection, found: Cursor, pause: Pause = no_pause) -> Written:
    """Write what differs."""
    message_work = _first(found)[0]
    cursor = conn.cursor()
    with together(conn, pause):
        for name, text in merge_statements():
            if name not in _COMPARED and (name not in _MESSAGE_STEPS or name in message_work):
                cursor.execute(_encoded(text))
    work, leads, messages = _first(cursor)
    with together(conn, pause):
        for name, text in steps("merge_leads").items():
            if name in work:
                cursor.execute(_encoded(text))
    pause("merged")
    return Written(leads, messages)


def merge_statements() -> Iterator[tuple[str, LiteralString]]:
    """The steps of a merge up to the writing of leads, in order, with the definition of a lead in its place."""
    for name, text in steps("merge").items():
        if name == "fetch_old_leads":
            yield "compose_leads", STAGE_COMPOSE
        yield name, text


# Which kind of changes the key tables of contacts and sends follow from.
_KEYS_OF = {"merge_contact_keys": "contacts", "merge_send_keys": "template_sends"}
# What `recompute` has done of the merge already.
_COMPARED = {"fetch_old_messages", "fetch_old_messages_by_id", "compare_messages", "find_message_work"}
_MESSAGE_STEPS = {"delete_messages", "upsert_messages"}


@cache
def _encoded(text: LiteralString) -> bytes:
    """A statement as it is sent. For a batch of a single lead, to do this again each time costs more than its rows."""
    return text.encode()


def _first(cursor: Cursor) -> TupleRow:
    row = cursor.fetchone()
    if row is None:
        raise AssertionError
    return row
