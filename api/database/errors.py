"""What a failure of PostgreSQL means to a caller of the API."""

import psycopg
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

_NOT_INSTALLED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InsufficientPrivilege,
)


class UnavailableError(Exception):
    """The read model cannot be read now; the message is fit for a caller."""


class ConnectionLostError(psycopg.OperationalError):
    """The connection broke; the server itself may be running."""


def caller_error(error: psycopg.Error | PoolTimeoutError) -> Exception:
    """Returns the error that a caller should see; an error that means a bug of the API is returned unchanged."""
    if isinstance(error, PoolTimeoutError):
        return UnavailableError("All connections to the database are busy")
    if isinstance(error, psycopg.errors.QueryCanceled):
        return UnavailableError("The database took too long to answer")
    if isinstance(error, _NOT_INSTALLED):
        return UnavailableError("The read model is not installed")
    if isinstance(error, (psycopg.OperationalError, psycopg.InterfaceError)):
        return UnavailableError("The database cannot be reached")
    return error
