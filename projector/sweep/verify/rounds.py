"""The rounds of the verify as they are stored: a scheduler that is killed, or another one, goes on where it was."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from psycopg.rows import class_row

from projector.core.pipeline import Connection
from projector.database.sql import PROJECTION_VERSION, query
from projector.sweep.drift_log import Item, item_arrays
from projector.sweep.verify.pace import Pace

PHASES = ("leads", "keys", "conversation", "contact", "template_send", "statistics", "again")
"""What a round compares, in this order: leads, the keys that projector.source_keys has, those of the source by their
kind, the statistics, and again what waited."""

Position = tuple[str, str]
"""The last lead, key or tenant of a phase that is done; two empty texts at its start."""


@dataclass(frozen=True, slots=True)
class Round:
    """The present round."""

    round_id: int
    version: str
    started_at: datetime
    phase: str
    after_first: str
    after_second: str
    due_at: datetime
    reached_at: datetime | None
    rows_total: int
    rows_done: int
    leads: int
    differences: int

    @property
    def after(self) -> Position:
        """What is done of the phase."""
        return self.after_first, self.after_second

    def pace(self, now: datetime, days: float) -> Pace:
        """Return where it is at this moment, if it may take so many days."""
        return Pace(days, now - self.started_at, self.rows_total, self.rows_done)


@dataclass(frozen=True, slots=True)
class Move:
    """How a round goes on after a slice: what comes next and when, and how much was compared."""

    phase: str
    after: Position
    due_at: datetime
    reached_at: datetime | None
    rows: int
    leads: int
    differences: int


@dataclass(frozen=True, slots=True)
class Finished:
    """What a round that ended has compared, left out to its end, and found."""

    leads: int
    left_out: int
    differences: int


def read_present(conn: Connection) -> Round | None:
    """Return the present round; None while there is none."""
    with conn.cursor(row_factory=class_row(Round)) as cursor:
        return cursor.execute(query("rounds", "read_present")).fetchone()


def read_last_start(conn: Connection) -> datetime | None:
    """Return when the last round of a scheduler began that has ended; None without one."""
    row = conn.execute(query("rounds", "read_last_start")).fetchone()
    return row[0] if row else None


def begin(conn: Connection, days: float, now: datetime) -> Round:
    """Begin a round, which may take so many days, and return it."""
    (leads,) = conn.execute(query("rounds", "count_leads")).fetchone() or (0,)
    (keys,) = conn.execute(query("rounds", "count_keys")).fetchone() or (0,)
    parameters = {
        "version": PROJECTION_VERSION,
        "days": days,
        "at": now,
        # The leads once more for the statistics, and the keys from both sides.
        "rows_total": 2 * leads + 2 * keys,
        "leads_total": leads,
    }
    with conn.transaction():
        conn.execute(query("rounds", "forget_left_out"))
        conn.execute(query("rounds", "begin"), parameters)
        begun = read_present(conn)
    if begun is None:
        raise AssertionError
    return begun


def give_up(conn: Connection) -> None:
    """Forget the present round, if there is one."""
    with conn.transaction():
        conn.execute(query("rounds", "give_up"))
        conn.execute(query("rounds", "forget_left_out"))


def move(conn: Connection, present: Round, days: float, to: Move) -> None:
    """Note how the round goes on."""
    parameters = {
        "round_id": present.round_id,
        "days": days,
        "phase": to.phase,
        "after_first": to.after[0],
        "after_second": to.after[1],
        "due_at": to.due_at,
        "reached_at": to.reached_at,
        "rows": to.rows,
        "leads": to.leads,
        "differences": to.differences,
    }
    conn.execute(query("rounds", "move"), parameters)


def postpone(conn: Connection, now: datetime, pause: timedelta) -> None:
    """Have the next slice wait."""
    conn.execute(query("rounds", "postpone"), {"due_at": now + pause})


def note_failure(conn: Connection, failure: str) -> None:
    """Note why a slice failed, until one succeeds."""
    conn.execute(query("rounds", "note_failure"), {"failure": failure})


def finish(conn: Connection, present: Round, now: datetime) -> Finished:
    """End the round; what is still left out is counted."""
    row = conn.execute(query("rounds", "finish"), {"round_id": present.round_id, "at": now}).fetchone()
    return Finished(*row) if row else Finished(0, 0, 0)


def add_finished(conn: Connection, started_at: datetime, finished: Finished) -> None:
    """Note a verify of everything that was no round of a scheduler."""
    parameters = {
        "version": PROJECTION_VERSION,
        "started_at": started_at,
        "leads": finished.leads,
        "left_out": finished.left_out,
        "differences": finished.differences,
    }
    conn.execute(query("rounds", "add_finished"), parameters)


def leave_out(conn: Connection, items: Sequence[Item], at: datetime) -> None:
    """Note what was left out `at` this moment, to be compared again."""
    if items:
        conn.execute(query("rounds", "leave_out"), {**item_arrays(items), "at": at}, prepare=False)


def take_in(conn: Connection, items: Sequence[Item]) -> None:
    """Forget that these items were left out."""
    if items:
        conn.execute(query("rounds", "take_in"), item_arrays(items), prepare=False)


def find_left_out(conn: Connection, before: datetime, size: int) -> list[Item]:
    """Return what was left out and not tried since a moment, the longest ago first."""
    found = conn.execute(query("rounds", "find_left_out"), {"before": before, "size": size})
    return [Item(*row) for row in found.fetchall()]


def has_left_out(conn: Connection) -> bool:
    """Return whether anything is left out."""
    return conn.execute(query("rounds", "has_left_out")).fetchone() == (True,)


def find_stored_keys(conn: Connection, after: Position, size: int) -> list[Item]:
    """Return the next keys of projector.source_keys."""
    parameters = {"after_kind": after[0], "after_key": after[1], "size": size}
    found = conn.execute(query("rounds", "find_stored_keys"), parameters)
    return [Item(kind, key=key) for kind, key in found.fetchall()]


def find_source_keys(conn: Connection, kind: str, after_key: str, size: int) -> list[Item]:
    """Return the next keys of a kind that the source has."""
    parameters = {"kind": kind, "after_key": after_key, "size": size}
    found = conn.execute(query("rounds", "find_source_keys"), parameters, prepare=False)
    return [Item(kind, key=key) for (key,) in found.fetchall()]


def find_tenants(conn: Connection, after: str, size: int) -> list[tuple[str, int]]:
    """Return the next tenants that have leads or statistics, each with its number of leads."""
    found = conn.execute(query("rounds", "find_tenants"), {"after": after, "size": size})
    return found.fetchall()
