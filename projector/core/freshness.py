"""Moves the time that the API tells its callers in X-Data-As-Of."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import TupleRow

from projector.database.sql import statement

Connection = psycopg.Connection[TupleRow]


def advance_freshness(
    conn: Connection, shards: Sequence[int], fresh_until: datetime, clock: datetime, at_least: timedelta
) -> None:
    """Note that the read model has everything of these shards that was committed before, if that is `at_least` newer.

    Nothing of them waits, capture is intact, and the caller's transaction owns them. `clock` is a time since then.
    """
    wanted = {"shards": list(shards), "fresh_until": fresh_until, "clock": clock, "at_least": at_least}
    conn.execute(statement("refresh/9_finish/20_advance_freshness"), wanted)
