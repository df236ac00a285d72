"""What the read model as a whole is, how fresh, and whether changes are captured."""

from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg.rows import TupleRow, dict_row

from projector.database.sql import query

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Projection:
    """What the read model as a whole is; see read_projection and read_capture in sql/queries/status.sql."""

    version: str
    built_at: datetime | None
    capture_gap: str | None
    as_of: datetime | None
    as_of_age: float | None
    broken: str | None
    switched_off: str | None
    gap_since: datetime | None
    gap_reason: str | None
    read_at: datetime
    feed_problem: str | None = None
    proved_at: datetime | None = None
    errors_at_proof: int = 0
    origin_position: str | None = None
    failed_at: datetime | None = None
    has_origin: bool = False


def is_installed(conn: Connection) -> bool:
    """Return whether there is a read model, of this version or an older one."""
    state = conn.execute(query("status", "is_installed")).fetchone()
    return state == conn.execute(query("status", "has_projection")).fetchone() == (True,)


def read_projection(conn: Connection) -> Projection | None:
    """Return what the read model is; None where `migrate` did not end."""
    with conn.cursor(row_factory=dict_row) as cursor:
        stored = cursor.execute(query("status", "read_projection")).fetchone()
    if stored is None:
        return None
    with conn.cursor(row_factory=dict_row) as cursor:
        captured = cursor.execute(query("status", "read_capture"), {"as_of": stored["as_of"]}).fetchone()
    return Projection(**stored, **(captured or {}))
