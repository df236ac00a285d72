"""Dead letters: keys whose refresh failed alone. They are set aside with the error, and tried again."""

from collections.abc import Sequence
from dataclasses import asdict

import psycopg
import structlog

from projector.core import names, staging
from projector.core.batch import ONE_KEY_TIMEOUT, count_dead_letters, expand_changes, first_line, recompute
from projector.core.faults import Fault, examine, find_fault_of_lead, find_row_failure, read_lead
from projector.core.pipeline import tenants_parameter
from projector.core.preconditions import require_migrated_version
from projector.database import locks
from projector.database.retry import BATCH, retry
from projector.database.rows import Connection
from projector.database.sql import failing_step, query
from projector.report.counted import counted
from projector.report.errors import BlockedError, ProjectorError
from projector.report.log import quoting

TRIES_OF_A_TURN = 10
"""After this many tries new changes are taken before the next tries, however many are due."""

_log = structlog.get_logger(__name__)

DeadLetter = tuple[str, str]
"""The kind and the key of a dead letter."""


def find_dead_letters(conn: Connection, *, due_only: bool, limit: int | None = None) -> list[DeadLetter]:
    """Return the dead letters to try next, at most `limit` of them."""
    return conn.execute(query("core", "find_dead_letters"), {"due_only": due_only, "limit": limit}).fetchall()


def retry_dead_letters(conn: Connection, dead_letters: Sequence[DeadLetter], *, patient: bool = False) -> int:
    """Try these dead letters again, each in a transaction of its own; return how many failed again.

    All tenants wait meanwhile, so a statement may run for a second only, or if `patient` for as long as in a batch.
    """
    return sum(not _succeeds(conn, kind, key, patient=patient) for kind, key in dead_letters)


def retry_all_dead_letters(conn: Connection) -> tuple[int, int]:
    """Try all dead letters again, however long that takes; return how many were tried, and how many failed again."""
    dead_letters = find_dead_letters(conn, due_only=False)
    return len(dead_letters), retry_dead_letters(conn, dead_letters, patient=True)


def require_nothing_left_out(conn: Connection, tenants: Sequence[str] | None = None) -> None:
    """Raise ProjectorError if the read model lacks changes of these tenants, or of all, that a refresh cannot apply.

    The message says how many, and what to run.
    """
    numbers = conn.execute(query("core", "count_left_out"), tenants_parameter(tenants)).fetchone() or ()
    lacks = [
        counted(n, noun) for n, noun in zip(numbers, ("dead letter", "unknown change"), strict=True) if n
    ]
    if lacks:
        raise ProjectorError(
            f"Left out of the read model: {' and '.join(lacks)}. `status` says which, and what to do; after a repair,"
            " run `refresh --retry-failed`."
        )


def set_aside(conn: Connection, kind: str, key: str, error: psycopg.Error) -> bool:
    """Set aside a key that failed alone. Returns whether it was set aside, which needs rows of the key."""
    is_set_aside = _set_aside(conn, kind, key, error, anyhow=True)
    count_dead_letters(conn)
    return is_set_aside


def set_unreadable_aside(conn: Connection, error: psycopg.Error) -> None:
    """Set aside the taken keys whose rows cannot be read, so that the others can be read. Does not count them."""
    for kind, key in conn.execute(query("core", "read_taken_keys")).fetchall():
        _set_aside(conn, kind, key, error, anyhow=False)


def _set_aside(conn: Connection, kind: str, key: str, error: psycopg.Error, *, anyhow: bool) -> bool:
    """Set a key aside if its rows have a fault; with `anyhow`, also if none is found."""
    is_there, fault = examine(conn, kind, [key])
    if fault is None and not anyhow:
        return False
    lead = read_lead(conn, kind, key)
    if fault is None and lead is not None:
        fault = find_fault_of_lead(conn, lead.user_id, lead.customer_phone)
    # Reading a long conversation takes a while: slowness is the fault only if the error says so too.
    is_slow = fault is not None and isinstance(fault.error, psycopg.errors.QueryCanceled)
    if fault is None or (is_slow and not isinstance(error, psycopg.errors.QueryCanceled)):
        if not anyhow:
            return False
        fault = Fault(first_line(error), error)
    parameters = {"kind": kind, "key": key, "error": fault.said, "is_there": is_there}
    parameters |= {"user_id": None, "customer_phone": None} if lead is None else asdict(lead)
    written = conn.execute(query("core", "set_aside"), parameters).fetchone()
    if written is None:
        return False
    told = {
        "error": fault.said if fault.error is None else quoting(fault.error, fault.said),
        "file": fault.file,
    }
    step = failing_step(error)
    _log.error("set aside as a dead letter", kind=kind, key=key, tenant=written[0], step=step, **told)
    return True


def _succeeds(conn: Connection, kind: str, key: str, *, patient: bool) -> bool:
    """Try a dead letter; return whether it succeeded. One that fails again waits for its next try."""
    try:
        retry(lambda: _retry(conn, kind, key, patient=patient), *BATCH)
    except (psycopg.Error, BlockedError) as error:
        failed = find_row_failure(conn, error)
        with conn.transaction():
            # As in _retry: if a batch dropped changes of a dead letter that is deleted here, they would be
            # lost.
            locks.own_queue(conn)
            if not set_aside(conn, kind, key, failed):
                # An erasure has deleted the rows of the key meanwhile.
                conn.execute(query("core", "delete_dead_letter"), {"kind": kind, "key": key})
                count_dead_letters(conn)
        return False
    return True


def _retry(conn: Connection, kind: str, key: str, *, patient: bool) -> None:
    dead_letter = {"kind": kind, "key": key}
    with conn.transaction():
        # A take drops the changes of a key that has a dead letter, so none may happen before this transaction ends.
        locks.own_queue(conn)
        require_migrated_version(conn)
        if conn.execute(query("core", "lock_dead_letter"), dead_letter).fetchone() is None:
            return
        staging.clear(conn)
        conn.execute(query("core", "stage_dead_letter"), dead_letter)
        conn.execute(query("core", "delete_dead_letter"), dead_letter)
        timeout = None if patient else ONE_KEY_TIMEOUT
        expand_changes(conn, timeout)
        recompute(conn, strict=True, timeout=timeout)
        count_dead_letters(conn)
        names.write_taken(conn)
