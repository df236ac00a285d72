"""Every failure as the one documented error object."""

from http import HTTPStatus

import orjson
import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import Gone, HTTPException, MethodNotAllowed, NotFound

from api.database.errors import UnavailableError
from api.limits.exports import ExportsBusyError
from api.observe.log import cause_of
from api.request.record import begin, record, system_clock
from api.response.body import JsonResponse, closed

RETRY_AFTER_SECONDS = 1

# The framework's own descriptions of these are not meant for callers, or say less.
MESSAGES: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "There is no endpoint at this address: /openapi.json and /docs/ list all",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The request has a body of more than 64 KiB",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests for this tenant: wait for the seconds that Retry-After says",
    HTTPStatus.INTERNAL_SERVER_ERROR: "The API failed: its log has the error under this correlationId",
}

# Python's phrase of this status depends on its version.
PHRASES: dict[int, str] = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large"}

log = structlog.get_logger()


class LeadNotFoundError(NotFound):
    """The tenant has no such lead."""

    description = "Lead not found"


class TokenGoneError(Gone):
    """The changes since this token are not known any more, or are those of another history."""

    description = (
        "The changes since this token are not known any more: it is too old, or from before an erasure, a restore or"
        " another installation. Begin anew: ask without since for the token of now, then for the export"
        " (leads.ndjson), then with that token"
    )


def install(app: Flask) -> None:
    """Have the application answer every failure with the error object."""
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(UnavailableError, _answer_unavailable)
    app.register_error_handler(Exception, _answer_bug)


def _answer_http_error(error: HTTPException) -> Response:
    code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    message = MESSAGES.get(code, error.description)
    headers = [header for header in error.get_headers() if header[0] not in ("Content-Type", "Allow")]
    if isinstance(error, LeadNotFoundError | ExportsBusyError):
        message = error.description
    elif isinstance(error, NotFound) and "//" in request.environ.get("PATH_INFO", ""):
        message = "The path has an empty part (//): a user_id or a customer_phone may be missing"
    elif isinstance(error, MethodNotAllowed):
        methods = sorted(error.valid_methods or ())
        message = f"This address takes only {', '.join(methods[:-1])} and {methods[-1]}"
        headers.append(("Allow", ", ".join(methods)))
    if code == HTTPStatus.TOO_MANY_REQUESTS and record().limit_seconds_left is not None:
        headers.append(("Retry-After", str(record().limit_seconds_left)))
    return _error(code, message or HTTPStatus(code).phrase, headers)


def _answer_unavailable(error: UnavailableError) -> Response:
    cause = {} if error.__cause__ is None else {"cause": cause_of(error.__cause__)}
    log.warning("unavailable", reason=str(error), **cause, correlation_id=record().correlation_id)
    headers = [("Retry-After", str(RETRY_AFTER_SECONDS))]
    return _error(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers)


def _answer_bug(error: Exception) -> Response:
    log.error(
        "failed",
        route=request.url_rule.rule if request.url_rule else None,
        path=request.path,
        correlation_id=record().correlation_id if "record" in g else None,
        exc_info=error,
    )
    code = HTTPStatus.INTERNAL_SERVER_ERROR
    return _error(code, MESSAGES[code], [])


def _error(code: int, message: str, headers: list[tuple[str, str]]) -> Response:
    # What fails before the first hook has none.
    if "record" not in g:
        begin(system_clock)
    return JsonResponse(closed(error_opening(code, message)), status=code, headers=headers)


def error_opening(code: int, message: str) -> bytes:
    """Return the body of an error up to its timestamp."""
    return orjson.dumps({"error": PHRASES.get(code, HTTPStatus(code).phrase), "message": message})[:-1] + b","
