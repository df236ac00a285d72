"""Time that a test drives: what the verify has noted becomes older, as if the clock had gone on."""

from collections.abc import Iterator

from projector.core import pipeline
from projector.database.rows import Connection
from projector.sweep import rolling
from tests.support.running import value

DAYS = 1.0

_MOMENTS = {
    "verify_rounds": ("started_at", "due_at", "reached_at", "finished_at"),
    "verify_left_out": ("tried_at",),
    "drift": ("found_at", "seen_at", "ended_at"),
}


def pass_time(conn: Connection, seconds: float) -> None:
    """Let so much time pass."""
    with conn.transaction():
        for table, columns in _MOMENTS.items():
            older = ", ".join(f"{name} = {name} - make_interval(secs => {seconds})" for name in columns)
            conn.execute(f"UPDATE projector.{table} SET {older}".encode(), prepare=False)


def slices(conn: Connection, days: float = DAYS) -> Iterator[float]:
    """Slices of the verify on this connection, each when it is due; yields the pause after each."""
    pipeline.prepare_session(conn)
    while True:
        wait = rolling.step(conn, days)
        yield wait
        pass_time(conn, wait + 0.001)


def finish_round(conn: Connection, most: int = 500) -> float:
    """Slices until the round is over; returns the seconds that passed."""
    ended = "SELECT count(*) FROM projector.verify_rounds WHERE finished_at IS NOT NULL AND days IS NOT NULL"
    before, passed = value(conn, ended), 0.0
    for number, wait in enumerate(slices(conn)):
        if value(conn, ended) > before:
            return passed
        passed += wait
        assert number < most, "the round does not end"
    raise AssertionError
