"""Answers every failure with the documented error object."""

from http import HTTPStatus
from urllib.parse import quote

import orjson
import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import Gone, HTTPException, MethodNotAllowed, NotFound

from api.database.errors import UnavailableError
from api.observe.log import cause_of
from api.request.error_codes import ErrorCode, RequestError
from api.request.record import begin, record, system_clock
from api.response.body import JsonResponse, closed
from api.response.openapi import CODE_HEADER

RETRY_AFTER_SECONDS = 1

# The framework's own descriptions of these are not meant for callers, or say less.
MESSAGES: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "There is no endpoint at this address: /openapi.json and /docs/ list all",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request has a body of more than 64 KiB",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests for this tenant: wait for the seconds that Retry-After says",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The API failed: its log has the error under this correlationId",
}

# The codes of what Flask and Werkzeug refuse themselves.
_CODES: dict[int, ErrorCode] = {
    HTTPStatus.NOT_FOUND: ErrorCode.NO_ENDPOINT,
    HTTPStatus.METHOD_NOT_ALLOWED: ErrorCode.METHOD_NOT_ALLOWED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: ErrorCode.BODY_TOO_LARGE,
    HTTPStatus.TOO_MANY_REQUESTS: ErrorCode.RATE_LIMITED,
    HTTPStatus.INTERNAL_SERVER_ERROR: ErrorCode.INTERNAL_ERROR,
}

# Python's phrase of this status depends on its version.
PHRASES: dict[int, str] = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large"}

log = structlog.get_logger()


class LeadNotFoundError(NotFound):
    """The tenant has no such lead."""

    error_code = ErrorCode.LEAD_NOT_FOUND
    description = "Lead not found"


class TokenGoneError(Gone):
    """The changes since this token are no longer known, or belong to another history.

    `export` is the file with which a client of the feed begins.
    """

    error_code = ErrorCode.TOKEN_GONE

    def __init__(self, export: str) -> None:
        super().__init__(
            "The changes since this token are not known any more: it is too old, or from before an erasure, a restore"
            " or another installation. Begin anew: ask without since for the token of now, then for the export"
            f" ({export}), then with that token"
        )


def install(app: Flask) -> None:
    """Make the application answer every failure with the error object."""
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(UnavailableError, _answer_unavailable)
    app.register_error_handler(Exception, _answer_bug)


def _answer_http_error(error: HTTPException) -> Response:
    code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    error_code: ErrorCode | None = getattr(error, "error_code", None)
    # Errors of this API have messages of their own.
    message = error.description if error_code else MESSAGES.get(code, error.description)
    headers = [header for header in error.get_headers() if header[0] not in ("Content-Type", "Allow")]
    if error_code is None and isinstance(error, NotFound) and "//" in request.environ.get("PATH_INFO", ""):
        message = "The path has an empty part (//): a user_id or a customer_phone may be missing"
    elif isinstance(error, MethodNotAllowed):
        methods = sorted(error.valid_methods or ())
        message = f"This address takes only {', '.join(methods[:-1])} and {methods[-1]}"
        headers.append(("Allow", ", ".join(methods)))
    if code == HTTPStatus.TOO_MANY_REQUESTS and record().limit_seconds_left is not None:
        headers.append(("Retry-After", str(record().limit_seconds_left)))
    if isinstance(error, RequestError) and error.parameter:
        # A header can only contain ASCII.
        headers.append(("X-Error-Param", quote(error.parameter, safe="[]")))
    error_code = error_code or _CODES.get(code, ErrorCode.BAD_REQUEST)
    return _error(code, message or HTTPStatus(code).phrase, error_code, headers)


def _answer_unavailable(error: UnavailableError) -> Response:
    cause = {} if error.__cause__ is None else {"cause": cause_of(error.__cause__)}
    log.warning("unavailable", reason=str(error), **cause, correlation_id=record().correlation_id)
    headers = [("Retry-After", str(RETRY_AFTER_SECONDS))]
    return _error(HTTPStatus.SERVICE_UNAVAILABLE, str(error), error.error_code, headers)


def _answer_bug(error: Exception) -> Response:
    log.error(
        "failed",
        route=request.url_rule.rule if request.url_rule else None,
        path=request.path,
        correlation_id=record().correlation_id if "record" in g else None,
        exc_info=error,
    )
    code = HTTPStatus.INTERNAL_SERVER_ERROR
    return _error(code, MESSAGES[code], ErrorCode.INTERNAL_ERROR, [])


def _error(code: int, message: str, error_code: ErrorCode, headers: list[tuple[str, str]]) -> Response:
    # A failure before the first hook has no record yet.
    if "record" not in g:
        begin(system_clock)
    return JsonResponse(
        closed(error_opening(code, message)), status=code, headers=[*headers, (CODE_HEADER, error_code)]
    )


def error_opening(code: int, message: str) -> bytes:
    """Return the body of an error up to its timestamp."""
    return orjson.dumps({"error": PHRASES.get(code, HTTPStatus(code).phrase), "message": message})[:-1] + b","
