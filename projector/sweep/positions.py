"""Where a sweep of everything is, so that one that was killed is resumed there.

There is a row for each purpose and projection version: no sweep is resumed at the position of another one.
"""

from dataclasses import dataclass
from datetime import datetime

from projector.core.pipeline import Connection
from projector.database import rows
from projector.database.sql import PROJECTION_VERSION, query

REBUILD, VERIFY = "rebuild", "verify"
"""The purposes: a rebuild of everything, and the present round of the scheduler's verify."""

START = ("", "")
"""Where a phase begins."""


@dataclass(frozen=True, slots=True)
class Position:
    """What is swept: the phase, and the last lead, key or tenant of it that is done."""

    started_at: datetime
    phase: str
    after_first: str
    after_second: str

    @property
    def after(self) -> tuple[str, str]:
        """What is done of the phase."""
        return self.after_first, self.after_second


def read(conn: Connection, purpose: str) -> Position | None:
    """Return where a sweep for this projection version is; None while there is none."""
    return rows.row(conn, Position, query("sweep", "read_position"), _of(purpose))


def begin(conn: Connection, purpose: str, phase: str) -> Position:
    """Note that a sweep begins, and return its position. One for another projection version is forgotten."""
    return rows.only_row(conn, Position, query("sweep", "begin_sweep"), {**_of(purpose), "phase": phase})


def move(conn: Connection, purpose: str, phase: str, after: tuple[str, str]) -> None:
    """Note how far a sweep is."""
    to = {"phase": phase, "after_first": after[0], "after_second": after[1]}
    conn.execute(query("sweep", "move_sweep"), {**_of(purpose), **to})


def forget(conn: Connection, purpose: str) -> None:
    """Forget where the sweeps of a purpose are."""
    conn.execute(query("sweep", "forget_sweep"), {"purpose": purpose})


def _of(purpose: str) -> dict[str, str]:
    return {"purpose": purpose, "version": PROJECTION_VERSION}
