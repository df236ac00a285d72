"""Turns failures of PostgreSQL into errors for a caller of the API."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import psycopg

from api.request.error_codes import ErrorCode

NOT_INSTALLED = (
    "The read model is not installed: run `python -m projector migrate`, then `python -m projector rebuild`"
)
SUPERUSER_PART = (
    "run `python -m projector migrate --sql | psql SUPERUSER_URL`, then `python -m projector migrate`"
)
"""The advice if something is missing that only a superuser may create."""
NO_RIGHTS = (
    "The API may not read the read model: run `python -m projector migrate`, which lets the role leads_api read it;"
    " with LEADS_API_ROLE=off, or on Citus, also run GRANT leads_api TO the login of the API"
)
OTHER_VERSION = (
    "The read model is of another version than the API: run `python -m projector migrate` of the API's version,"
    " or start the API of the version that was migrated last"
)


class UnavailableError(Exception):
    """The read model cannot be read now. The message is for callers, the code for their programs."""

    def __init__(self, message: str, error_code: ErrorCode = ErrorCode.BUSY) -> None:
        super().__init__(message)
        self.error_code = error_code


class TablesMissingError(UnavailableError):
    """A table or column that the API reads is missing: nothing or another version is installed."""


class ConnectionLostError(psycopg.OperationalError):
    """The connection broke; the server itself may be running."""


class ReplayConflictError(psycopg.OperationalError):
    """A standby cancelled the statement, because it held up replication."""


# Errors of a statement that conflicted with another session or with replication, and may succeed when tried again.
PASSING_ERRORS = (ReplayConflictError, psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)


class RoleError(psycopg.DatabaseError):
    """The session cannot take the role of the API. `reason` is for callers."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message, reason)
        self.reason = reason


GAVE_WAY = "The replica gave way to replication, which had changes to apply: try again"
_HELD = "Another session holds a table of the read model"
_BETWEEN = "A transaction of another session came between"
_SERVER_UNREACHABLE = (
    "A server of Citus cannot be reached: the log of the API names it. One that asks for passwords needs a line in"
    " pg_dist_authinfo for the login of the API"
)
_UNREACHABLE = "The database cannot be reached"
NO_TEMPORARY_FILE = (
    "The database may not write a temporary file as large as this answer: raise temp_file_limit for the login of the"
    " API"
)
NO_SPACE = "The database has no space left on its disk"

# The first class that matches an error decides.
_MEANINGS: tuple[tuple[type[Exception], str, ErrorCode], ...] = (
    (ReplayConflictError, GAVE_WAY, ErrorCode.DATABASE_CONFLICT),
    (psycopg.errors.QueryCanceled, "The database took too long to answer", ErrorCode.DATABASE_TIMEOUT),
    (psycopg.errors.LockNotAvailable, _HELD, ErrorCode.DATABASE_CONFLICT),
    (psycopg.errors.DeadlockDetected, _HELD, ErrorCode.DATABASE_CONFLICT),
    (psycopg.errors.SerializationFailure, _BETWEEN, ErrorCode.DATABASE_CONFLICT),
    (psycopg.errors.UndefinedTable, NOT_INSTALLED, ErrorCode.NOT_INSTALLED),
    (psycopg.errors.InvalidSchemaName, NOT_INSTALLED, ErrorCode.NOT_INSTALLED),
    (psycopg.errors.UndefinedColumn, OTHER_VERSION, ErrorCode.OTHER_VERSION),
    (psycopg.errors.InsufficientPrivilege, NO_RIGHTS, ErrorCode.NO_RIGHTS),
    (psycopg.errors.ConfigurationLimitExceeded, NO_TEMPORARY_FILE, ErrorCode.DATABASE_FULL),
    (psycopg.errors.DiskFull, NO_SPACE, ErrorCode.DATABASE_FULL),
    # Errors of libpq about the coordinator itself have no class of their own.
    (psycopg.errors.ConnectionFailure, _SERVER_UNREACHABLE, ErrorCode.DATABASE_UNREACHABLE),
    (psycopg.OperationalError, _UNREACHABLE, ErrorCode.DATABASE_UNREACHABLE),
    (psycopg.InterfaceError, _UNREACHABLE, ErrorCode.DATABASE_UNREACHABLE),
)
_MISSING = {ErrorCode.NOT_INSTALLED, ErrorCode.OTHER_VERSION}


@contextmanager
def errors_for_caller() -> Iterator[None]:
    """Raise failures of PostgreSQL as errors for a caller."""
    try:
        yield
    except psycopg.Error as error:
        raise_for_caller(error)


def raise_for_caller(error: psycopg.Error) -> NoReturn:
    """Raise the error that a caller should see. An error that means a bug of the API is raised unchanged."""
    if isinstance(error, RoleError):
        code = ErrorCode.NOT_INSTALLED if error.reason == NOT_INSTALLED else ErrorCode.NO_RIGHTS
        raise UnavailableError(error.reason, code) from error
    # Any other missing function or operator is a bug.
    if isinstance(error, psycopg.errors.UndefinedFunction) and "function leads_access." in str(error):
        raise TablesMissingError(OTHER_VERSION, ErrorCode.OTHER_VERSION) from error
    for kind, message, code in _MEANINGS:
        if isinstance(error, kind):
            raise (TablesMissingError if code in _MISSING else UnavailableError)(message, code) from error
    # Errors of libpq itself, such as the end of a connection, have no SQLSTATE and therefore no class of their own.
    if type(error) is psycopg.DatabaseError and error.diag.sqlstate is None:
        raise UnavailableError(_UNREACHABLE, ErrorCode.DATABASE_UNREACHABLE) from error
    raise error
