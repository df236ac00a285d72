"""The errors that the projector raises. Their messages tell an operator what to do next."""

import psycopg

NOT_INSTALLED = (
    psycopg.errors.UndefinedTable,
    psycopg.errors.UndefinedFunction,
    psycopg.errors.UndefinedColumn,
    psycopg.errors.InvalidSchemaName,
)
"""The errors of PostgreSQL if the read model is missing, incomplete or of another version."""


# SQLSTATE classes of errors in which PostgreSQL quotes values of a row: data that do not fit, break a rule or are too
# large, and messages of functions.
_QUOTING = ("22", "23", "2F", "38", "39", "54", "P0")


WHERE_SHOWN = "A rebuild at a terminal, or with LEADS_LOG_PERSONAL_DATA=on, shows values too."
"""The end of a message without values."""


class ProjectorError(Exception):
    """A failure that an operator can act on. The message is one or two clear sentences.

    `without_values` is the message for a log, if the log may not have the same message.
    """

    def __init__(self, message: str, *, without_values: str | None = None) -> None:
        super().__init__(message)
        self.without_values = without_values


class SourceMissingError(ProjectorError):
    """The database lacks source tables or columns that the projection reads."""


class NotInstalledError(ProjectorError):
    """The database has no read model yet, or one of another version."""


class TenantNotFoundError(ProjectorError):
    """A requested tenant is neither in the source tables nor in the read model."""


class BlockedError(ProjectorError):
    """Another session held a lock for longer than the projector waits."""


class YieldedError(BlockedError):
    """A read was cancelled because a session waited for a table that it held. Nothing was written."""


class RebuildFailedError(ProjectorError):
    """A rebuild stopped at a row that it could not project."""


class ErasureRefusedError(ProjectorError):
    """Rows of the platform would bring back what is to be erased. The message lists them."""


class ConfigurationError(ProjectorError):
    """Settings in the environment cannot be used. The message names each of them.

    `log_format` is the format of the logs, if that setting is valid.
    """

    def __init__(self, message: str, log_format: str | None = None) -> None:
        super().__init__(message)
        self.log_format = log_format


class DatabaseUnreachableError(ProjectorError):
    """The database does not answer, or refuses the login. It may answer later."""


class CaptureGapError(ProjectorError):
    """Changes may have been missed. The message says why. A rebuild heals it once the triggers are installed again."""


def condition(error: psycopg.Error) -> str:
    """Return the kind of an error of PostgreSQL, without its message."""
    return f"{type(error).__name__} (SQLSTATE {error.sqlstate})"


def note_of(error: BaseException) -> str:
    """Return the note about an error for the run log: its first line, or its kind if that can quote personal data.

    The run log is kept for weeks, and shown to everybody who may read the status.
    """
    if isinstance(error, ProjectorError | psycopg.Error):
        hidden = without_values(error)
        return reason_of(error) if hidden is None else hidden
    return type(error).__name__


def without_values(error: Exception) -> str | None:
    """Return what to say of an error whose message can quote personal data; None if the message cannot."""
    if isinstance(error, ProjectorError):
        return error.without_values
    if isinstance(error, psycopg.Error) and ((error.sqlstate or "").startswith(_QUOTING) or is_raised(error)):
        return condition(error)
    return None


def is_raised(error: psycopg.Error) -> bool:
    """Return whether a function that is not ours raised the error by RAISE, with a SQLSTATE of its own choice."""
    is_ours = "projector.raise_serialization_failure" in (error.diag.context or "")
    return error.diag.source_function == "exec_stmt_raise" and not is_ours


def is_server_limit(error: psycopg.Error) -> bool:
    """Return whether the server is at a limit that no row has caused, such as a full NOTIFY queue."""
    return error.diag.source_function in {"PreCommit_Notify", "GetNewTransactionId", "GetNewMultiXactId"}


def detail(error: psycopg.Error) -> str:
    """Return the objects that PostgreSQL names in the detail of an error, in one line."""
    named = error.diag.message_detail or error.diag.message_primary or ""
    return "; ".join(named.rstrip(".").splitlines())


def reason_of(error: Exception) -> str:
    """Return the first line of what an error says."""
    return str(error).strip().partition("\n")[0]
