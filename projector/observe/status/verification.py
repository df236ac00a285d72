"""What `status` reads of the verify: the last of everything, the present round, what differs, and what did."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

import psycopg
from psycopg.rows import TupleRow, class_row

from projector.database.sql import query

Connection = psycopg.Connection[TupleRow]
_Row = TypeVar("_Row")

SHOWN_DRIFT = 5


@dataclass(frozen=True, slots=True)
class ProvedRound:
    """The last verify of everything: when it ended, what it compared, left out to its end, and found to differ."""

    started_at: datetime
    finished_at: datetime
    leads: int
    left_out: int
    differences: int


@dataclass(frozen=True, slots=True)
class PresentRound:
    """The round in which the scheduler verifies everything. `age` is in seconds, `done` from 0 to 1."""

    started_at: datetime
    days: float
    age: float
    done: float
    leads: int
    leads_total: int
    left_out: int
    differences: int
    failure: str | None


@dataclass(frozen=True, slots=True)
class OpenDrift:
    """An item that differs, as far as is known. `total` counts all of them."""

    kind: str
    user_id: str
    customer_phone: str
    key: str
    first_field: str
    found_at: datetime
    seen_at: datetime
    total: int


@dataclass(frozen=True, slots=True)
class EndedDrift:
    """How many items differed and became right with one outcome, and when the last of them did."""

    outcome: str
    items: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Verification:
    """The state of the verify. What differs is in `drift`, the first five items of it; what did, in `history`."""

    proved: ProvedRound | None = None
    present: PresentRound | None = None
    drift: list[OpenDrift] = field(default_factory=list)
    history: list[EndedDrift] = field(default_factory=list)

    @property
    def drift_total(self) -> int:
        """How many items differ, as far as is known."""
        return self.drift[0].total if self.drift else 0


def read_verification(conn: Connection) -> Verification:
    """Return the state of the verify, in the caller's transaction."""
    proved = _read(conn, ProvedRound, "read_proved_round")
    present = _read(conn, PresentRound, "read_present_round")
    return Verification(
        proved=proved[0] if proved else None,
        present=present[0] if present else None,
        drift=_read(conn, OpenDrift, "read_open_drift", size=SHOWN_DRIFT),
        history=_read(conn, EndedDrift, "read_ended_drift"),
    )


def _read(conn: Connection, row_type: type[_Row], name: str, **parameters: object) -> list[_Row]:
    with conn.cursor(row_factory=class_row(row_type)) as cursor:
        return cursor.execute(query("status", name), parameters or None).fetchall()
