"""The advisory locks by which the projectors of one database exclude each other.

The first key of a lock says what it protects. A batch takes SHARD, then TENANT, and holds both to the end of its
transaction. REBUILD, JOB and, while triggers are installed, MIGRATION are held by a session. A rebuild takes REBUILD
before any other lock, so that no two sessions wait for each other.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

from projector.database.rows import Connection

MIGRATION = 0x1EAD00
"""Held while the schema or the triggers change. The second key is 0."""

SHARD = 0x1EAD01
"""The second key is a shard of the queue. Only the owner of the lock takes changes from it."""

TENANT = 0x1EAD02
"""The second key is the hash of a user_id. Batches of one tenant write one after the other."""

REBUILD = 0x1EAD03
"""Held by a session while it rebuilds. The second key is 0."""

JOB = 0x1EAD04
"""The second key is VERIFY_JOB or PRUNE_JOB. Held by the session of the one scheduler that runs the job."""

VERIFY_JOB, PRUNE_JOB = 0, 1

ERASURE = 0x1EAD05
"""Held by an erasure while it deletes stored data, and shared by each comparison of a verify until it has recorded its
findings. The second key is 0."""

LATE_TENANT = 0x1EAD06
"""The second key is the hash of a user_id. A session that takes late keys of a tenant holds it, so that others take
those of another tenant. Sessions only try it and never wait for it: TENANT gives the order."""

STATISTICS = 0x1EAD07
"""Held by a session while it corrects statistics, so that each difference is added only once. The second key is 0."""

NAMES = 0x1EAD08
"""Held while names of tenants are written, after every other lock of the transaction. The second key is 0."""

DEAD_LETTERS = 0x1EAD09
"""Held while the dead letters of tenants are counted, to the end of the transaction. The second key is 0."""

SCHEDULER = 0x1EAD0A
"""The second key is the id of a scheduler in projector.schedulers. Its session holds the lock, which is free once the
process has died."""

SHARDS = (0, 1, 2, 3)
"""The shards of the queue; projector.shard_of() returns one of them."""

LATE_KEYS = 4
"""A further second key of SHARD, for projector.late_keys: shared by the sessions that take late keys."""

WHOLE_QUEUE = (*SHARDS, LATE_KEYS)
"""A session that holds the locks of all of these owns the whole queue."""


def own_queue(conn: Connection) -> None:
    """Own the whole queue until the end of the transaction. Waits for sessions that take from it."""
    for shard in WHOLE_QUEUE:
        conn.execute("SELECT pg_advisory_xact_lock(%s, %s)", (SHARD, shard))


@contextmanager
def try_session_lock(conn: Connection, lock_class: int, key: int = 0) -> Iterator[bool]:
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


@contextmanager
def session_lock(
    conn: Connection, lock_class: int, key: int = 0, *, is_shared: bool = False
) -> Iterator[None]:
    """Hold an advisory lock of the session during the block, or share it. Waits for sessions that hold it."""
    suffix: LiteralString = "_shared" if is_shared else ""
    conn.execute("SELECT pg_advisory_lock" + suffix + "(%s, %s)", (lock_class, key))
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("SELECT pg_advisory_unlock" + suffix + "(%s, %s)", (lock_class, key))
