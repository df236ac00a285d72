"""Transactions that are done again because they met another one, of ours or of the platform."""

import time
from collections.abc import Callable
from typing import TypeVar

import psycopg

from projector.report.errors import BlockedError, GaveWayError

_Result = TypeVar("_Result")

COLLISION_RETRIES = 5
"""How often a batch that collided with another session is tried again."""

GAVE_WAY_PAUSE_SECONDS = 1.0
"""How long a batch waits that gave way to a session of the platform."""

_COLLISIONS = (
    psycopg.errors.DeadlockDetected,
    psycopg.errors.SerializationFailure,
    psycopg.errors.LockNotAvailable,
)


def retry_on_collision(work: Callable[[], _Result]) -> _Result:
    """Do the work again if it collided with another transaction, or gave way to one: nothing of it was written.

    Returns what `work` returns. Raises BlockedError after COLLISION_RETRIES of that.
    """
    for attempt in range(COLLISION_RETRIES):
        try:
            return work()
        except _COLLISIONS:
            pass
        except GaveWayError:
            time.sleep(GAVE_WAY_PAUSE_SECONDS)
        except psycopg.errors.UniqueViolation as error:
            # Two refreshes met on a key that is new to both.
            if error.diag.schema_name != "projector":
                raise
        time.sleep(0.01 * 2**attempt)
    try:
        return work()
    except psycopg.errors.LockNotAvailable as error:
        raise BlockedError(
            "Another session held a table that a batch needs, through all attempts. See pg_stat_activity for long"
            " transactions. Nothing is lost: the changes wait in the queue."
        ) from error
    except _COLLISIONS as error:
        reason = (error.diag.message_primary or str(error)).splitlines()[0]
        raise BlockedError(
            f"A batch collided {COLLISION_RETRIES} times with other sessions: {reason}"
        ) from error
