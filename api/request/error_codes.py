"""The codes of errors, which programs read from the header `X-Error-Code`."""

from enum import StrEnum

from werkzeug.exceptions import BadRequest


class ErrorCode(StrEnum):
    """The codes of errors. They are a contract: new ones may be added, and none is renamed."""

    UNKNOWN_PARAMETER = "unknown_parameter"
    MISSING_PARAMETER = "missing_parameter"
    BAD_VALUE = "bad_value"
    BAD_CURSOR = "bad_cursor"
    BAD_TOKEN = "bad_token"  # noqa: S105  # No secret.
    BAD_BODY = "bad_body"
    BAD_ID = "bad_id"
    BAD_PATH = "bad_path"
    BAD_HOST = "bad_host"
    BAD_REQUEST = "bad_request"
    CREDENTIALS_MISSING = "credentials_missing"
    CREDENTIALS_REFUSED = "credentials_refused"
    TOKEN_EXPIRED = "token_expired"  # noqa: S105
    OTHER_TENANT = "other_tenant"
    LEAD_NOT_FOUND = "lead_not_found"
    NO_ENDPOINT = "no_endpoint"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    BODY_TIMEOUT = "body_timeout"
    TOKEN_GONE = "token_gone"  # noqa: S105
    BODY_TOO_LARGE = "body_too_large"
    HEAD_TOO_LARGE = "head_too_large"
    RATE_LIMITED = "rate_limited"
    EXPORTS_BUSY = "exports_busy"
    INTERNAL_ERROR = "internal_error"
    BUSY = "busy"
    STALE = "stale"
    NOT_INSTALLED = "not_installed"
    NOT_BUILT = "not_built"
    OTHER_VERSION = "other_version"
    NO_RIGHTS = "no_rights"
    DATABASE_UNREACHABLE = "database_unreachable"
    DATABASE_TIMEOUT = "database_timeout"
    DATABASE_CONFLICT = "database_conflict"
    DATABASE_FULL = "database_full"
    KEYS_UNAVAILABLE = "keys_unavailable"
    NOT_READY = "not_ready"
    NOT_LIVE = "not_live"


class RequestError(BadRequest):
    """A bad request: its code, and the name of the parameter if one is wrong."""

    def __init__(self, message: str, parameter: str = "", code: ErrorCode = ErrorCode.BAD_VALUE) -> None:
        super().__init__(message)
        self.error_code = code
        self.parameter = parameter
