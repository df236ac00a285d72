"""Retries work that has conflicted with another session, of the projector or of the platform, and wrote nothing.

`retry` takes a table: which errors make the work begin again, after which pause, and how often or for how long.
"""

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import psycopg
from psycopg import errors

from projector.report.errors import BlockedError, YieldedError, is_raised, is_server_limit, reason_of

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Again:
    """An entry of the table that `retry` takes: errors after which it begins again, and for how long.

    The pause doubles up to `longest_pause`. `retry` gives up after `tries`, or at an error that comes
    `patience` seconds after the first one, so that work of an hour does not end at its first lock timeout. If
    `message` is callable, it is called only then, to look up the holder of the lock.
    """

    errors: tuple[type[Exception], ...]
    pause: float
    longest_pause: float
    tries: float = math.inf
    patience: float = math.inf
    message: str | Callable[[], str] | None = None

    def is_of(self, error: Exception) -> bool:
        """Return whether the row applies to an error."""
        # A function of a mapping would raise its error again.
        if isinstance(error, psycopg.Error) and is_raised(error):
            return False
        if isinstance(error, errors.UniqueViolation):
            # Another try helps only for our tables, and not if duplicates prevent the creation of a unique
            # index.
            where = error.diag.schema_name, error.diag.source_function
            return where == ("projector", "_bt_check_unique") and isinstance(error, self.errors)
        if isinstance(error, errors.ProgramLimitExceeded) and not is_server_limit(error):
            return False
        return isinstance(error, self.errors)

    def given_up(self, error: Exception) -> BlockedError:
        """Return the error with which `retry` gives up."""
        if isinstance(error, BlockedError):
            return error
        if self.message is not None:
            return BlockedError(self.message if isinstance(self.message, str) else self.message())
        return BlockedError(f"A batch collided {self.tries} times with other sessions: {reason_of(error)}")


TRIES = 5
"""How often a batch that collided with another session is tried again."""

COLLIDED = Again(
    # Two refreshes that meet on a key that is new to both violate its uniqueness.
    (errors.DeadlockDetected, errors.SerializationFailure, errors.UniqueViolation),
    0.01,
    0.2,
    tries=TRIES,
)

BATCH = (
    COLLIDED,
    Again(
        (errors.LockNotAvailable,),
        0.01,
        0.2,
        tries=TRIES,
        message=(
            "Another session held a table that a batch needs, through all attempts. See pg_stat_activity for long"
            " transactions. Nothing is lost: the changes wait in the queue."
        ),
    ),
    Again(
        (errors.ProgramLimitExceeded,),
        0.2,
        1.0,
        tries=TRIES,
        message=(
            "The server is at a limit, such as that of its NOTIFY queue. See status, and the log of PostgreSQL."
            " Nothing is lost: the changes wait in the queue."
        ),
    ),
    Again((YieldedError,), 1.0, 1.0, tries=TRIES),
)
"""The errors after which a batch is tried again. Its changes wait in the queue meanwhile."""


def lock_timeouts(patience: float, message: str | Callable[[], str]) -> Again:
    """Return the row of lock timeouts, and of the deadlocks of work that locks several tables."""
    of_locks = (errors.LockNotAvailable, errors.DeadlockDetected)
    return Again(of_locks, 0.05, 1.0, patience=patience, message=message)


def retry(
    work: Callable[[], _Result], *table: Again, sleep: Callable[[float], object] | None = None
) -> _Result:
    """Do the work, and do it again after the errors of the table.

    The work opens its own transaction and limits its own lock waits, so that other sessions do not queue behind it for
    long. Returns the result of `work`. Raises BlockedError when it gives up.
    """
    failures: Counter[Again] = Counter()
    first_at: dict[Again, float] = {}
    while True:
        try:
            return work()
        except (psycopg.Error, BlockedError) as error:
            row = next((again for again in table if again.is_of(error)), None)
            if row is None:
                raise
            failures[row] += 1
            now = time.monotonic()
            if failures[row] > row.tries or now - first_at.setdefault(row, now) >= row.patience:
                raise row.given_up(error) from error
        (sleep or time.sleep)(min(row.pause * 2.0 ** min(failures[row] - 1, 30), row.longest_pause))
