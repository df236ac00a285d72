"""The errors that the projector raises. Their messages tell an operator what to do next."""

import psycopg

NOT_INSTALLED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)
"""What PostgreSQL reports where the read model is missing, or was installed only in part or by another version."""


# SQLSTATE classes of errors in which PostgreSQL quotes values of a row: data that do not fit, that break a rule or are
# too large, and what a function says.
_QUOTING = ("22", "23", "2F", "38", "39", "54", "P0")


WHERE_SHOWN = "A rebuild at a terminal, or with LEADS_LOG_PERSONAL_DATA=on, shows values too."
"""What a message without values ends with."""


class ProjectorError(Exception):
    """A failure that an operator can act on. The message is one or two clear sentences.

    `without_values` is the message for a log, where that may not be the same.
    """

    def __init__(self, message: str, *, without_values: str | None = None) -> None:
        super().__init__(message)
        self.without_values = without_values


class SourceMissingError(ProjectorError):
    """The database lacks source tables or columns that the projection reads."""


class NotInstalledError(ProjectorError):
    """The database holds no read model yet, or one that an older version installed."""


class TenantNotFoundError(ProjectorError):
    """A requested tenant is neither in the source tables nor in the read model."""


class BlockedError(ProjectorError):
    """Another session held a lock for longer than the projector waits."""


class YieldedError(BlockedError):
    """A read was cancelled because a session waits for a table that it held. Nothing was written."""


class RebuildFailedError(ProjectorError):
    """A rebuild met a row that it could not project, and stopped."""


class ErasureRefusedError(ProjectorError):
    """Rows of the platform would bring back what is to be erased. The message lists them."""


class ConfigurationError(ProjectorError):
    """Settings in the environment cannot be used. The message names each of them.

    `log_format` is the form of the logs, if that setting can be used.
    """

    def __init__(self, message: str, log_format: str | None = None) -> None:
        super().__init__(message)
        self.log_format = log_format


class DatabaseUnreachableError(ProjectorError):
    """The database does not answer, or refuses the login. It may be back later."""


class CaptureGapError(ProjectorError):
    """Changes may have been missed. The message says why; a rebuild after the triggers are installed again heals it."""


def condition(error: psycopg.Error) -> str:
    """Return which kind of error PostgreSQL reports, without its message."""
    return f"{type(error).__name__} (SQLSTATE {error.sqlstate})"


def note_of(error: BaseException) -> str:
    """Return what the run log says of an error: its first line, or its kind where that can quote values of a customer.

    The note of a run is kept for weeks, and shown to whoever may read the status.
    """
    if isinstance(error, ProjectorError | psycopg.Error):
        hidden = without_values(error)
        return str(error).strip().partition("\n")[0] if hidden is None else hidden
    return type(error).__name__


def without_values(error: Exception) -> str | None:
    """Return what to say of an error whose message can quote values of a customer; None if it quotes none."""
    if isinstance(error, ProjectorError):
        return error.without_values
    if isinstance(error, psycopg.Error) and ((error.sqlstate or "").startswith(_QUOTING) or is_raised(error)):
        return condition(error)
    return None


def is_raised(error: psycopg.Error) -> bool:
    """Return whether a function of others raised the error by itself, with whatever SQLSTATE it chose."""
    is_ours = "projector.raise_serialization_failure" in (error.diag.context or "")
    return error.diag.source_function == "exec_stmt_raise" and not is_ours


def is_server_limit(error: psycopg.Error) -> bool:
    """Return whether the server has reached a limit, whatever row is written, as where its NOTIFY queue is full."""
    return error.diag.source_function in {"PreCommit_Notify", "GetNewTransactionId", "GetNewMultiXactId"}


def detail(error: psycopg.Error) -> str:
    """Return the objects that PostgreSQL names as what is in the way, in one line."""
    named = error.diag.message_detail or error.diag.message_primary or ""
    return "; ".join(named.rstrip(".").splitlines())
