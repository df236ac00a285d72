"""Moves the time that the API tells its callers in X-Data-As-Of."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import TupleRow

from projector.database import locks
from projector.database.distribution import is_finished
from projector.database.sql import query, statement

Connection = psycopg.Connection[TupleRow]


def advance_freshness(
    conn: Connection, shards: Sequence[int], fresh_until: datetime, clock: datetime, at_least: timedelta
) -> None:
    """Note that the read model has everything of these shards that was committed before, if that is `at_least` newer.

    Nothing of them waits, capture is intact, and the caller's transaction owns them. `clock` is a time since then.
    """
    wanted = {"shards": list(shards), "fresh_until": fresh_until, "clock": clock, "at_least": at_least}
    conn.execute(statement("refresh/9_finish/20_advance_freshness"), wanted)


def advance_after_commit(
    conn: Connection, shards: Sequence[int], fresh_until: datetime, at_least: timedelta
) -> None:
    """Note the same of a distributed read model, whose servers may finish later than the commit.

    Freshness stays where it is while a server is in doubt, or where another refresh owns one of the shards by now.
    """
    wanted = {"shards": list(shards), "fresh_until": fresh_until, "at_least": at_least}
    if conn.execute(query("core", "is_older"), wanted).fetchone() != (True,) or not is_finished(conn):
        return
    with conn.transaction():
        owned = conn.execute(
            query("core", "own_shards"), {"shard_class": locks.SHARD, "shards": list(shards)}
        )
        [(is_owned, clock)] = owned.fetchall()
        if is_owned:
            advance_freshness(conn, shards, fresh_until, clock, at_least)
