"""Every failure as the one shape of error."""

from http import HTTPStatus

import orjson
import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException, NotFound

from api.answers import JsonResponse, begin, closing
from api.db import UnavailableError

RETRY_AFTER_SECONDS = 1

# What the framework says of these is not for callers, or says less.
_MESSAGES: dict[int, str] = {
    HTTPStatus.NOT_FOUND: "There is nothing at this address",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address takes another method: see the header Allow",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body of the request is too large",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests: see the header Retry-After",
    HTTPStatus.INTERNAL_SERVER_ERROR: "Something went wrong on our side",
}

# What Python calls a status changes with its version.
_PHRASES: dict[int, str] = {HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large"}

log = structlog.get_logger  # Called at each line: whoever configures later is heard.


class LeadNotFoundError(NotFound):
    """There is no such lead for this tenant."""

    description = "Lead not found"


def install(app: Flask) -> None:
    """Answer every failure of the application in the one shape."""
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(UnavailableError, _unavailable)
    app.register_error_handler(Exception, _failed)


def _refused(error: HTTPException) -> Response:
    code = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    message = (
        error.description if isinstance(error, LeadNotFoundError) else _MESSAGES.get(code, error.description)
    )
    headers = [header for header in error.get_headers() if header[0] != "Content-Type"]
    return _body(code, message or HTTPStatus(code).phrase, headers)


def _unavailable(error: UnavailableError) -> Response:
    log().warning(
        "unavailable", reason=str(error), cause=str(error.__cause__), correlation_id=g.get("correlation_id")
    )
    return _body(HTTPStatus.SERVICE_UNAVAILABLE, str(error), [("Retry-After", str(RETRY_AFTER_SECONDS))])


def _failed(error: Exception) -> Response:
    log().error("failed", path=request.path, correlation_id=g.get("correlation_id"), exc_info=error)
    code = HTTPStatus.INTERNAL_SERVER_ERROR
    return _body(code, _MESSAGES[code], [])


def _body(code: int, message: str, headers: list[tuple[str, str]]) -> Response:
    if "correlation_id" not in g:
        begin()
    opening = orjson.dumps({"error": _PHRASES.get(code, HTTPStatus(code).phrase), "message": message})[:-1]
    return JsonResponse(opening + b"," + closing(), status=code, headers=headers)
