"""The sessions that hold the advisory locks of the projectors: any login of the database can take them."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import TupleRow, class_row

from projector.database import locks
from projector.database.sql import query


@dataclass(frozen=True, slots=True)
class LockHolder:
    """A session with locks of ours: its process, login and program, and since when it can have had them.

    `purposes` are what it keeps others from. `is_ours` is whether its login has the rights of the owner of the queue,
    without which it cannot refresh. `since` is null where the login that asks may not know it.
    """

    pid: int
    login: str | None
    application: str | None
    since: datetime | None
    purposes: list[str]
    is_ours: bool


def read_lock_holders(conn: psycopg.Connection[TupleRow]) -> list[LockHolder]:
    """Return the sessions that hold locks of ours, except this one; those that are not ours come first."""
    classes = {
        locks.MIGRATION: "migrate",
        locks.SHARD: "refreshes",
        locks.TENANT: "refreshes",
        locks.REBUILD: "rebuilds",
        locks.JOB: "the scheduler's verify and upkeep",
    }
    wanted = {"classes": list(classes), "purposes": list(classes.values())}
    with conn.cursor(row_factory=class_row(LockHolder)) as cursor:
        holders = cursor.execute(query("status", "read_lock_holders"), wanted).fetchall()
    return sorted(holders, key=lambda holder: holder.is_ours)
