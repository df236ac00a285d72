"""The advisory locks that order projectors, all of one database.

The first key of each names what is locked. A batch takes SHARD, then TENANT, and holds them to the end of its
transaction. REBUILD and JOB are held by a session, and so is MIGRATION where triggers are mended. Who rebuilds takes
REBUILD first and then the others, so that no two sessions wait for each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import TupleRow

MIGRATION = 0x1EAD00
"""Held while the schema or the triggers change. No second key but 0."""

SHARD = 0x1EAD01
"""Second key: a shard of the queue. Its owner alone takes changes from it."""

TENANT = 0x1EAD02
"""Second key: hash of a user_id. Merges of one tenant take turns."""

REBUILD = 0x1EAD03
"""Held by a session while it rebuilds. No second key but 0."""

JOB = 0x1EAD04
"""Second key: VERIFY_JOB or PRUNE_JOB. Held by the session of the one scheduler that does it."""

VERIFY_JOB, PRUNE_JOB = 0, 1

SHARDS = (0, 1, 2, 3)
"""The shards of the queue, as projector.shard_of() has them."""


@contextmanager
def try_session_lock(conn: psycopg.Connection[TupleRow], lock_class: int, key: int = 0) -> Iterator[bool]:
    """Hold an advisory lock of the session during the block, if no other session holds it.

    Yields whether the lock was taken. Never waits.
    """
    row = conn.execute("SELECT pg_try_advisory_lock(%s, %s)", (lock_class, key)).fetchone()
    taken = row == (True,)
    try:
        yield taken
    finally:
        if taken and not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s, %s)", (lock_class, key))
