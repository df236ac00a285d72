"""Reads of several of the platform's tables as of one moment, which do not block the platform."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import psycopg

from projector.core.blocking import cancel_if_blocking
from projector.database import rows
from projector.database.connect import transaction_with_lock_timeout
from projector.database.retry import COLLIDED, Again, lock_timeouts, retry
from projector.database.rows import Connection
from projector.database.source_names import source_names
from projector.database.sql import query
from projector.report.errors import YieldedError

_Found = TypeVar("_Found")

SOURCE_LOCK_TIMEOUT = "700ms"
"""How long a transaction waits for one of the platform's tables: see sql/refresh/2_lock/10_limit_lock_waits.sql."""

SOURCE_PATIENCE_SECONDS = 60.0
"""How long a rebuild or a verify tries to read the platform's tables while another session holds one of them."""

FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 1.0, 30.0
"""The first and the longest pause before a read that yielded begins again. The pause doubles each time."""


def read_source(conn: Connection, read: Callable[[], _Found]) -> _Found:
    """Call `read` in a transaction, and again as retry_reading does."""
    return retry_reading(conn, transaction_with_lock_timeout(conn, SOURCE_LOCK_TIMEOUT)(read))


def retry_reading(
    conn: Connection,
    work: Callable[[], _Found],
    *,
    patience: float = SOURCE_PATIENCE_SECONDS,
    message: str | None = None,
    also: Sequence[Again] = (),
) -> _Found:
    """Call `work`, which limits its lock waits, and again while another session holds one of the platform's tables.

    It also begins again whenever it yielded to a session that waits for a table that it holds. Returns the result of
    `work`. Raises BlockedError with `message` after `patience` seconds; with a patience of 0 at once, also if
    `work` yielded. `also` are further errors after which `retry` calls it again.
    """

    def sleep(seconds: float) -> None:
        # The server sleeps, so that the end of this process can cancel it.
        conn.execute("SELECT pg_sleep(%s)", (seconds,))

    held = message or (
        f"The platform's tables could not be read in {patience:.0f} s: another session holds one."
        " See pg_stat_activity for long transactions, and try again when they have ended."
    )
    yielded = Again(
        (YieldedError,),
        FIRST_PAUSE_SECONDS,
        LONGEST_PAUSE_SECONDS,
        patience=0 if patience == 0 else float("inf"),
    )
    return retry(
        cancel_if_blocking(conn)(work), *also, COLLIDED, lock_timeouts(patience, held), yielded, sleep=sleep
    )


def read_steadily(
    conn: Connection,
    read: Callable[[], _Found],
    *,
    differs: Callable[[_Found], bool],
    patience: float = SOURCE_PATIENCE_SECONDS,
) -> _Found:
    """Call `read` as retry_reading does, and again if a difference may be due to a rewritten source table.

    A snapshot does not see the rows of a table that was truncated or rewritten meanwhile.
    """
    while True:
        before = source_files(conn)
        result = retry_reading(conn, read, patience=patience)
        if not differs(result) or source_files(conn) == before:
            return result


@contextmanager
def snapshot(conn: Connection) -> Iterator[None]:
    """Run the block in a REPEATABLE READ transaction that limits its waits for the platform's tables."""
    before = conn.isolation_level
    conn.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    try:
        with transaction_with_lock_timeout(conn, SOURCE_LOCK_TIMEOUT):
            yield
    finally:
        if not conn.closed:
            conn.isolation_level = before


def source_files(conn: Connection) -> list[str]:
    """Return the files with the source rows, which change with a TRUNCATE or a rewrite, regardless of snapshots."""
    relations = list(source_names(conn).values())
    files: list[str] = rows.value(conn, query("core", "find_source_files"), {"relations": relations})
    return files
