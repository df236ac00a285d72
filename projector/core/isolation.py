"""Finds what made a batch fail, and sets it aside as dead letters, so that all others go on.

A change that fails alone is split by tenant until it is of one. Then all its keys are set aside at once: the retries of
dead letters find the failing ones among them. Where key after key of one tenant fails, its other keys that wait are set
aside too. So thousands of failing keys of a tenant keep the others waiting for seconds, not for minutes.
"""

import psycopg
import structlog

from projector.core.batch import (
    first_line,
    is_lead_failure,
    log_run,
    open_batch,
    recompute,
    spread_changes,
    take_changes,
)
from projector.core.dead_letters import KEY_KINDS, move_to_dead_letters, set_aside_untried
from projector.core.pipeline import Connection
from projector.database.retry import BATCH, retry
from projector.database.sql import query
from projector.report.log import quoting

FAILURES_OF_A_CROWD = 8
"""After so many failures of one tenant within a minute, its keys that wait are set aside without a try."""

CROWD_CHANGES = 10_000
"""How many single changes of a shard are searched for keys of such a tenant at once, and a tenth of that of pieces."""

_CONVERSATIONS = "reload_conversations"

_log = structlog.get_logger(__name__)


def isolate_failing_key(conn: Connection, shard: int, *, bulk: bool, wait: bool) -> None:
    """Take the oldest single change of a shard alone, or the oldest piece of a mass change.

    If it fails again, it is split by tenant, or set aside.
    """
    limits = (0, 1) if bulk else (1, 0)
    tried: list[int] = []
    try:
        retry(lambda: _refresh_one(conn, shard, limits, tried, wait=wait), *BATCH)
    except psycopg.Error as error:
        if not is_lead_failure(error):
            raise
        with conn.transaction():
            opened = open_batch(conn, [shard], wait=True)
            take_changes(conn, opened, single_changes=limits[0], bulk_pieces=limits[1], rows_per_piece=1)
            if _staged_ids(conn) != tried:
                # Another refresh was quicker: what is the oldest now has not failed yet.
                raise psycopg.Rollback from None
            _split_or_set_aside(conn, error)
            _set_crowd_aside(conn, shard, error)


def _refresh_one(
    conn: Connection, shard: int, limits: tuple[int, int], tried: list[int], *, wait: bool
) -> None:
    """Refresh the oldest single change, or the oldest piece, of a shard; `tried` becomes its change_id."""
    with conn.transaction():
        opened = open_batch(conn, [shard], wait=wait)
        if not opened.owned:
            return
        taken = take_changes(conn, opened, single_changes=limits[0], bulk_pieces=limits[1], rows_per_piece=1)
        tried[:] = _staged_ids(conn)
        if taken.spreads:
            spread_changes(conn)
        if taken.changes:
            log_run(conn, opened, taken.changes, recompute(conn))


def _staged_ids(conn: Connection) -> list[int]:
    return [row[0] for row in conn.execute(query("core", "read_staged_ids")).fetchall()]


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
        letter_kind = kind if kind in KEY_KINDS else _CONVERSATIONS
        if len(keys) == 1:
            move_to_dead_letters(conn, letter_kind, keys[0], error)
            continue
        count = set_aside_untried(conn, letter_kind, keys, error)
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
        count = set_aside_untried(conn, kind, keys, error)
        _log.warning(
            "keys of a tenant fail one after the other; its keys that wait are set aside to be tried alone",
            user_id=user_id,
            kind=kind,
            keys=count,
        )
