"""Every failure as the one documented error object."""

from http import HTTPStatus

import orjson
import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, NotFound

from api.database.errors import UnavailableError
from api.response.body import JsonResponse, begin, closing

RETRY_AFTER_SECONDS = 1

# The framework's own descriptions of these are not meant for callers, or say less.
_MESSAGES: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address takes another method: see the header Allow",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body of the request is too large",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests: see the header Retry-After",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side",
}

# Python's phrase of this status depends on its version.
_PHRASES: dict[int, str] = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large"}

# Each line of the log asks for its logger, because create_app configures structlog after this import.
log = structlog.get_logger


class LeadNotFoundError(NotFound):
    """The tenant has no such lead."""

    description = "Lead not found"


def install(app: Flask) -> None:
    """Have the application answer every failure with the error object."""
    app.register_error_handler(HTTPException, _answer_http_error)
    app.register_error_handler(UnavailableError, _answer_unavailable)
    app.register_error_handler(Exception, _answer_bug)


def _answer_http_error(error: HTTPException) -> Response:
    code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    message = (
        error.description if isinstance(error, LeadNotFoundError) else _MESSAGES.get(code, error.description)
    )
    headers = [header for header in error.get_headers() if header[0] != "Content-Type"]
    return _error(code, message or HTTPStatus(code).phrase, headers)


def _answer_unavailable(error: UnavailableError) -> Response:
    log().warning(
        "unavailable", reason=str(error), cause=str(error.__cause__), correlation_id=g.get("correlation_id")
    )
    return _error(HTTPStatus.SERVICE_UNAVAILABLE, str(error), [("Retry-After", str(RETRY_AFTER_SECONDS))])


def _answer_bug(error: Exception) -> Response:
    log().error("failed", path=request.path, correlation_id=g.get("correlation_id"), exc_info=error)
    code = HTTPStatus.INTERNAL_SERVER_ERROR
    return _error(code, _MESSAGES[code], [])


def _error(code: int, message: str, headers: list[tuple[str, str]]) -> Response:
    if "correlation_id" not in g:
        begin()
    opening = orjson.dumps({"error": _PHRASES.get(code, HTTPStatus(code).phrase), "message": message})[:-1]
    return JsonResponse(opening + b"," + closing(), status=code, headers=headers)
