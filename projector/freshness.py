"""Moves the time that the API tells its callers in X-Data-As-Of."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import psycopg
from psycopg.rows import TupleRow, dict_row, scalar_row

from projector.citus.session import recover_prepared
from projector.sides import is_apart, is_distributed, on_read_model
from projector.sql import query, statement

Connection = psycopg.Connection[TupleRow]


def advance_freshness(
    conn: Connection, shards: Sequence[int], fresh_until: datetime, at_least: timedelta
) -> None:
    """Note that the read model has everything of these shards that was committed before, if that is `at_least` newer.

    Nothing of them waits, capture is intact, and the caller's transaction owns them.
    """
    clock = None
    if is_apart(conn):
        with conn.cursor(row_factory=scalar_row) as cursor:
            clock = cursor.execute(query("apart", "read_clock")).fetchone()
    wanted = {"shards": list(shards), "fresh_until": fresh_until, "at_least": at_least, "clock": clock}
    if is_distributed(conn):
        _advance_on_citus(conn, wanted)
    else:
        on_read_model(conn).execute(statement("refresh/9_finish/20_advance_freshness"), wanted)


def _advance_on_citus(conn: Connection, wanted: dict[str, object]) -> None:
    """Advance with values that are computed first: each server writes its copy of the row, and must write the same."""
    recover_prepared(conn)
    read_model = on_read_model(conn)
    while True:
        with read_model.cursor(row_factory=dict_row) as cursor:
            moved = cursor.execute(query("citus", "read_freshness"), wanted).fetchone()
        if moved is None or read_model.execute(query("citus", "write_freshness"), moved).rowcount:
            return
