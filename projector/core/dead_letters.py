"""Dead letters: keys whose refresh failed. They are found, set aside with the error, and tried again.

What made a batch fail is split by tenant until it is of one. Then all its keys are set aside at once: the retries find
the failing ones among them. Where key after key of one tenant fails, its other keys that wait are set aside too. So
thousands of failing keys of a tenant keep the others waiting for seconds, not for minutes.

Most failed alone. Some were only set aside together with others that failed: these count no attempt yet, and are tried
at once, many of one tenant together and fewer after each failure, until each one is done or has failed alone.
"""

import time
from collections.abc import Sequence
from functools import partial

import psycopg
import structlog

from projector.core import staging
from projector.core.batch import (
    first_line,
    is_lead_failure,
    log_run,
    open_batch,
    recompute,
    spread_changes,
    take_changes,
)
from projector.core.preconditions import require_migrated_version
from projector.database import locks, rows
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.sql import failing_step, query
from projector.report.log import quoting

KEY_KINDS = {
    "contacts": "contact",
    "template_sends": "template_send",
    "reload_conversations": "conversation",
}
"""Kinds of change that a dead letter has, and the kind of key in projector.source_keys."""

TRIES_OF_A_TURN = 10
"""Tries after which new changes are taken before the next ones, whatever is due."""

SECONDS_OF_A_TURN = 1.0
"""No try begins in a turn that has lasted this long."""

LARGEST_GROUP = 500
"""Untried letters of one tenant that are tried together at most."""

FAILURES_OF_A_CROWD = 8
"""After so many failures of one tenant within a minute, its keys that wait are set aside without a try."""

CROWD_CHANGES = 10_000
"""How many single changes of a shard are searched for keys of such a tenant at once, and a tenth of that of pieces."""

_log = structlog.get_logger(__name__)

Letter = tuple[str, str]
"""The kind and the key of a dead letter."""


def find_letters(conn: Connection, *, due_only: bool, limit: int | None = None) -> list[Letter]:
    """Return the dead letters that have failed alone and are to be tried next, at most `limit` of them."""
    wanted = {"due_only": due_only, "limit": limit}
    return conn.execute(query("core", "find_letters"), wanted).fetchall()


def retry_letters(conn: Connection, letters: Sequence[Letter]) -> int:
    """Try these dead letters again, each in a transaction of its own; return how many failed again."""
    return sum(not _succeeds(conn, kind, [key]) for kind, key in letters)


def retry_dead_letters(conn: Connection) -> tuple[int, int]:
    """Try all dead letters again, however long that takes.

    Returns how many were tried that had failed alone, and how many of them failed again.
    """
    groups = UntriedLetters()
    while groups.take_turn(conn):
        pass
    letters = find_letters(conn, due_only=False)
    return len(letters), retry_letters(conn, letters)


class UntriedLetters:
    """Tries those letters that were set aside with others. It remembers how many of them to try together."""

    def __init__(self) -> None:
        self._size = LARGEST_GROUP

    def take_turn(self, conn: Connection) -> bool:
        """Try some of them; return whether more may be left."""
        ends_at = time.monotonic() + SECONDS_OF_A_TURN
        for _ in range(TRIES_OF_A_TURN):
            found = conn.execute(query("core", "find_untried"), {"limit": self._size}).fetchall()
            if not found:
                return False
            if _succeeds(conn, found[0][0], [key for _, key in found]):
                self._size = min(self._size * 4, LARGEST_GROUP)
            else:
                # A letter that failed alone counts as tried from now on.
                self._size = max(len(found) // 8, 1)
            if time.monotonic() >= ends_at:
                break
        return True


def count_letters(conn: Connection) -> None:
    """Write into the rows of the tenants how many dead letters they have, in the caller's transaction."""
    user_ids, numbers = conn.execute(query("core", "count_letters")).fetchone() or ([], [])
    counts = {"user_ids": user_ids, "numbers": numbers}
    conn.execute(query("core", "write_counts"), counts)
    conn.execute(query("core", "clear_counts"), counts)


def set_aside(
    conn: Connection, kind: str, keys: Sequence[str], error: psycopg.Error, *, failed_alone: bool
) -> int:
    """Set a key aside that failed alone, or keys among which some fail, to be tried at once; return how many it were.

    A key of which nothing is left is not set aside.
    """
    text = first_line(error)
    parameters = {
        "kind": kind,
        "keys": list(keys),
        "error": text if failed_alone else f"not tried alone yet; among such keys: {text}",
        "key_kind": KEY_KINDS[kind],
        "attempts": int(failed_alone),
    }
    count = conn.execute(query("core", "set_aside"), parameters).rowcount
    count_letters(conn)
    if failed_alone and count:
        _log.error(
            "set aside as a dead letter",
            kind=kind,
            key=keys[0],
            error=quoting(error, text),
            step=failing_step(error),
        )
    return count


def _succeeds(conn: Connection, kind: str, keys: Sequence[str]) -> bool:
    """Try letters of one kind together; return whether they are done. One that fails alone waits for its next try."""
    try:
        retry(lambda: _retry(conn, kind, keys), *BATCH)
    except psycopg.Error as error:
        if not is_lead_failure(error):
            raise
        if len(keys) == 1:
            with conn.transaction():
                if not set_aside(conn, kind, keys, error, failed_alone=True):
                    # It was erased since.
                    conn.execute(query("core", "delete_letters"), {"kind": kind, "keys": list(keys)})
                    count_letters(conn)
        return False
    return True


def _retry(conn: Connection, kind: str, keys: Sequence[str]) -> None:
    letters = {"kind": kind, "keys": list(keys)}
    with conn.transaction():
        # A take drops the changes of a key that has a dead letter: none may happen between this recompute and its
        # end.
        for shard in locks.SHARDS:
            conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (locks.SHARD, shard))
        require_migrated_version(conn)
        letters["keys"] = rows.values(conn, query("core", "lock_letters"), letters)
        if not letters["keys"]:
            return
        staging.clear(conn)
        conn.execute(query("core", "stage_letters"), letters)
        recompute(conn, strict=True)
        conn.execute(query("core", "delete_letters"), letters)
        count_letters(conn)


def isolate_failing_key(conn: Connection, shard: int, *, bulk: bool, wait: bool) -> None:
    """Take the oldest single change of a shard alone, or the oldest piece of a mass change.

    If it fails again, it is split by tenant, or set aside.
    """
    take = partial(take_changes, conn, single_changes=int(not bulk), bulk_pieces=int(bulk), rows_per_piece=1)
    tried: list[int] = []

    def refresh_one() -> None:
        with conn.transaction():
            opened = open_batch(conn, [shard], wait=wait)
            if not opened.owned:
                return
            taken = take(opened)
            tried[:] = rows.values(conn, query("core", "read_staged_ids"))
            if taken.spreads:
                spread_changes(conn)
            if taken.changes:
                log_run(conn, opened, taken.changes, recompute(conn))

    try:
        retry(refresh_one, *BATCH)
    except psycopg.Error as error:
        if not is_lead_failure(error):
            raise
        with conn.transaction():
            take(open_batch(conn, [shard], wait=True))
            if rows.values(conn, query("core", "read_staged_ids")) != tried:
                # Another refresh was quicker: what is the oldest now has not failed yet.
                raise psycopg.Rollback from None
            _split_or_set_aside(conn, error)
            _set_crowd_aside(conn, shard, error)


def _split_or_set_aside(conn: Connection, error: psycopg.Error) -> None:
    """Queue the staged change in parts by tenant, so that the one that fails is found without delaying the others.

    Set it aside if it is of one tenant.
    """
    parts = conn.execute(query("core", "read_staged_parts")).fetchall()
    if len(parts) > 1:
        for _, keys in parts:
            conn.execute(query("core", "queue_part"), {"keys": keys})
        return
    for kind, keys in parts:
        letter_kind = kind if kind in KEY_KINDS else "reload_conversations"
        if len(keys) == 1:
            set_aside(conn, letter_kind, keys, error, failed_alone=True)
            continue
        count = set_aside(conn, letter_kind, keys, error, failed_alone=False)
        _log.warning(
            "a change failed, and all its keys are set aside to be tried alone",
            kind=letter_kind,
            keys=count,
            error=quoting(error, first_line(error)),
        )


def _set_crowd_aside(conn: Connection, shard: int, error: psycopg.Error) -> None:
    wanted = {
        "shard": shard,
        "failures": FAILURES_OF_A_CROWD,
        "single_changes": CROWD_CHANGES,
        "bulk_pieces": CROWD_CHANGES // 10,
    }
    for user_id, kind, keys in conn.execute(query("core", "find_crowd"), wanted).fetchall():
        count = set_aside(conn, kind, keys, error, failed_alone=False)
        _log.warning(
            "keys of a tenant fail one after the other; its keys that wait are set aside to be tried alone",
            user_id=user_id,
            kind=kind,
            keys=count,
        )
