"""Dead letters: keys whose refresh failed alone. They are set aside with the error, and tried again."""

from collections.abc import Sequence

import psycopg
import structlog

from projector.core import staging
from projector.core.batch import count_letters, failure, first_line, is_lead_failure, recompute
from projector.core.preconditions import require_migrated_version
from projector.database import locks
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.sql import query

TRIES_OF_A_TURN = 10
"""Tries after which new changes are taken before the next ones, whatever is due."""

_log = structlog.get_logger(__name__)

Letter = tuple[str, str]
"""The kind and the key of a dead letter."""


def find_letters(conn: Connection, *, due_only: bool, limit: int | None = None) -> list[Letter]:
    """Return the dead letters that are to be tried next, at most `limit` of them."""
    wanted = {"due_only": due_only, "limit": limit}
    return conn.execute(query("core", "find_letters"), wanted).fetchall()


def retry_letters(conn: Connection, letters: Sequence[Letter]) -> int:
    """Try these dead letters again, each in a transaction of its own; return how many failed again."""
    return sum(not _succeeds(conn, kind, key) for kind, key in letters)


def retry_dead_letters(conn: Connection) -> tuple[int, int]:
    """Try all dead letters again, however long that takes; return how many were tried, and how many failed again."""
    letters = find_letters(conn, due_only=False)
    return len(letters), retry_letters(conn, letters)


def set_aside(conn: Connection, kind: str, key: str, error: psycopg.Error) -> bool:
    """Set a key aside that failed alone; return whether it was. A key of which nothing is left is not."""
    parameters = {"kind": kind, "key": key, "error": first_line(error)}
    is_set_aside = conn.execute(query("core", "set_aside"), parameters).rowcount > 0
    count_letters(conn)
    if is_set_aside:
        _log.error("set aside as a dead letter", kind=kind, key=key, **failure(error))
    return is_set_aside


def _succeeds(conn: Connection, kind: str, key: str) -> bool:
    """Try a letter; return whether it is done. One that fails again waits for its next try."""
    try:
        retry(lambda: _retry(conn, kind, key), *BATCH)
    except psycopg.Error as error:
        if not is_lead_failure(error):
            raise
        with conn.transaction():
            # As in the try: what is dropped for a letter that goes is lost.
            locks.own_queue(conn)
            if not set_aside(conn, kind, key, error):
                # It was erased since.
                conn.execute(query("core", "delete_letter"), {"kind": kind, "key": key})
                count_letters(conn)
        return False
    return True


def _retry(conn: Connection, kind: str, key: str) -> None:
    letter = {"kind": kind, "key": key}
    with conn.transaction():
        # A take drops the changes of a key that has a dead letter: none may happen before this transaction ends.
        locks.own_queue(conn)
        require_migrated_version(conn)
        if conn.execute(query("core", "lock_letter"), letter).fetchone() is None:
            return
        staging.clear(conn)
        conn.execute(query("core", "stage_letter"), letter)
        recompute(conn, strict=True)
        conn.execute(query("core", "delete_letter"), letter)
        count_letters(conn)
