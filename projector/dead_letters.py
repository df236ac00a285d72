"""Dead letters: keys whose refresh failed alone. They are set aside with the error, and tried again."""

from dataclasses import dataclass

import psycopg
import structlog

from projector import locks, pipeline
from projector.batch import (
    first_line,
    is_lead_failure,
    log_run,
    open_batch,
    recompute,
    spread_changes,
    take_changes,
)
from projector.collisions import retry_on_collision
from projector.log import quoting
from projector.pipeline import Connection
from projector.preconditions import require_migrated_version
from projector.sql import query

_log = structlog.get_logger(__name__)

_LETTER_KINDS = {
    "contacts": "contact",
    "template_sends": "template_send",
    "reload_conversations": "conversation",
}
"""Kinds of change that a dead letter has, and the kind of key in projector.source_keys."""


@dataclass(frozen=True, slots=True)
class Retried:
    """How many dead letters were tried again, and how many of them failed again."""

    tried: int
    failed: int


def retry_dead_letters(conn: Connection, *, due_only: bool, limit: int | None = None) -> Retried:
    """Try the dead letters again, at most `limit` of them, each in a transaction of its own."""
    failed = 0
    wanted = {"due_only": due_only, "limit": limit}
    letters = conn.execute(query("dead_letters", "find_letters"), wanted).fetchall()
    for kind, key in letters:
        try:
            retry_on_collision(lambda kind=kind, key=key: _retry(conn, kind, key))  # type: ignore[misc]
        except psycopg.Error as error:
            if not is_lead_failure(error):
                raise
            with conn.transaction():
                move_to_dead_letters(conn, kind, key, error)
            failed += 1
    return Retried(len(letters), failed)


def isolate_failing_key(conn: Connection, shard: int, *, wait: bool) -> None:
    """Take the oldest change of a shard alone; if it fails again, split it, or set its only key aside."""
    for limits in ((1, 0), (0, 1)):
        tried: list[int] = []
        try:
            retry_on_collision(
                lambda limits=limits, tried=tried: _refresh_one(conn, shard, limits, tried, wait=wait)  # type: ignore[misc]
            )
        except psycopg.Error as error:
            if not is_lead_failure(error):
                raise
            with conn.transaction():
                opened = open_batch(conn, [shard], wait=True)
                take_changes(conn, opened, single_changes=limits[0], bulk_pieces=limits[1])
                if _staged_ids(conn) != tried:
                    # Another refresh was quicker: what is the oldest now has not failed yet.
                    raise psycopg.Rollback from None
                _split_or_set_aside(conn, error)


def move_to_dead_letters(conn: Connection, kind: str, key: str, error: psycopg.Error) -> None:
    """Set a key aside with its error, in the caller's transaction."""
    text = first_line(error)
    parameters = {"kind": kind, "key": key, "error": text, "key_kind": _LETTER_KINDS[kind]}
    conn.execute(query("dead_letters", "set_aside"), parameters)
    count_letters(conn)
    _log.error(
        "set aside as a dead letter",
        kind=kind,
        key=key,
        error=quoting(error, text),
        step=pipeline.failing_step(error),
    )


def _refresh_one(
    conn: Connection, shard: int, limits: tuple[int, int], tried: list[int], *, wait: bool
) -> None:
    """Refresh the oldest single change, or the oldest piece, of a shard; `tried` becomes its change_id."""
    with conn.transaction():
        opened = open_batch(conn, [shard], wait=wait)
        if not opened.owned:
            return
        taken = take_changes(conn, opened, single_changes=limits[0], bulk_pieces=limits[1])
        tried[:] = _staged_ids(conn)
        if taken.spreads:
            spread_changes(conn)
        if taken.changes:
            log_run(conn, opened, taken.changes, recompute(conn))


def _staged_ids(conn: Connection) -> list[int]:
    return [row[0] for row in conn.execute(query("dead_letters", "read_staged_ids")).fetchall()]


def _split_or_set_aside(conn: Connection, error: psycopg.Error) -> None:
    for kind, keys in conn.execute(query("dead_letters", "read_staged_changes")).fetchall():
        if len(keys) > 1:
            conn.execute(query("dead_letters", "split_change"))
        else:
            move_to_dead_letters(
                conn, kind if kind in _LETTER_KINDS else "reload_conversations", keys[0], error
            )


def _retry(conn: Connection, kind: str, key: str) -> None:
    letter = {"kind": kind, "key": key}
    with conn.transaction():
        # A take drops the changes of a key that has a dead letter: none may happen between this recompute and its
        # end.
        for shard in locks.SHARDS:
            conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (locks.SHARD, shard))
        require_migrated_version(conn)
        if conn.execute(query("dead_letters", "lock_letter"), letter).fetchone() is None:
            return
        pipeline.clear_staging_tables(conn)
        conn.execute(query("dead_letters", "stage_letter"), letter)
        recompute(conn, retried=(kind, key))
        conn.execute(query("dead_letters", "delete_letter"), letter)
        count_letters(conn)


def count_letters(conn: Connection) -> None:
    """Write into the rows of the tenants how many dead letters they have, in the caller's transaction."""
    conn.execute(query("dead_letters", "count_letters"))
    conn.execute(query("dead_letters", "clear_counts"))
