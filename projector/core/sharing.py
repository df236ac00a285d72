"""Which changes a batch takes where several projectors share a queue: those of tenants that no other batch works on.

Batches of one tenant take turns. A batch of the oldest changes has some of every tenant, so two of them would never run
at once. A batch that chooses looks at more changes than it takes, takes those of few tenants, and leaves those of
tenants that another batch has chosen. What it leaves waits in the queue. A batch that owns all shards is the only one,
and has nothing to choose.

To choose is a statement of its own. It reads tables of the platform, which a batch that takes the oldest changes does
not have to pay for.
"""

from collections.abc import Mapping
from random import random
from typing import Any

from projector.core.pipeline import pipelined
from projector.core.yielding import yielding
from projector.database import locks
from projector.database.rows import Connection
from projector.database.sql import statement

BULK_PIECES_PER_BATCH = 1
"""Pieces of mass changes that a batch takes from each shard, after the single changes."""

ROWS_PER_PIECE = 250
"""Rows of the queue that make a piece, where a mass change was queued row by row."""

WINDOW = 4
"""How many times as many single changes as it takes a batch looks at: if it took all, there would be no others."""

BULK_WINDOW = 2
"""The same of pieces of mass changes, each of which has many keys."""

OLDEST_SHARE = 0.25
"""The part of these batches that passes over no oldest change of a shard, and waits for its tenants."""


def choose_changes(conn: Connection, limits: Mapping[str, Any]) -> tuple[str | None, bool | None]:
    """Choose which of the next changes a batch takes; return them as an array of PostgreSQL, and whether that is all.

    `limits` are the parameters of sql/refresh/1_take/40_take_changes.sql that say of which shards, and how many.
    """
    with yielding(conn), pipelined(conn):
        conn.execute(statement("refresh/2_lock/10_limit_lock_waits"))
        choose = statement("refresh/1_take/35_choose_changes")
        # Not for security: so that no tenant is passed over for ever.
        takes_oldest = random() < OLDEST_SHARE  # noqa: S311
        cursor = conn.execute(choose, choosing_parameters(limits, takes_oldest=takes_oldest))
    [(row_ids, is_all)] = cursor.fetchall()
    return row_ids, is_all


def choosing_parameters(limits: Mapping[str, Any], *, takes_oldest: bool) -> dict[str, object]:
    """Return the parameters of sql/refresh/1_take/35_choose_changes.sql."""
    return {
        **limits,
        "single_window": limits["single_changes"] * WINDOW,
        "bulk_window": limits["bulk_pieces"] * BULK_WINDOW,
        "takes_oldest": takes_oldest,
        "group_class": locks.TENANT_GROUP,
        "groups": locks.TENANT_GROUPS,
    }
