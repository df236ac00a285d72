"""Every failure as the one shape of error."""

import orjson
import structlog
from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable
from werkzeug.http import HTTP_STATUS_CODES

from api.answers import JsonResponse, begin, closing
from api.db import UnavailableError

RETRY_AFTER_SECONDS = 1

_MESSAGES = {
    404: "There is nothing at this address",
    413: "The body of the request is too large",
    429: "Too many requests: see the header Retry-After",
    500: "Something went wrong on our side",
}
# What our own code says in these cases is meant for the caller; the words of the framework are not.
_OWN_WORDS = (400, 404, 503)

log = structlog.get_logger()


class LeadNotFoundError(HTTPException):
    """There is no such lead for this tenant."""

    code = 404
    description = "Lead not found"


def install(app: Flask) -> None:
    """Answer every failure of the application in the one shape."""
    app.register_error_handler(HTTPException, _refused)
    app.register_error_handler(UnavailableError, _unavailable)
    app.register_error_handler(Exception, _failed)


def _refused(error: HTTPException) -> ResponseReturnValue:
    code = error.code or 500
    message = _MESSAGES.get(code)
    if message is None or type(error) is LeadNotFoundError:
        message = error.description or HTTP_STATUS_CODES.get(code, "Error")
    if code == 405:
        message = f"{request.method} is not among the methods of this address"
    return _body(code, message, [header for header in error.get_headers() if header[0] != "Content-Type"])


def _unavailable(error: UnavailableError) -> ResponseReturnValue:
    log.warning(
        "unavailable", reason=str(error), correlation_id=g.get("correlation_id"), cause=str(error.__cause__)
    )
    return _body(503, str(error), [("Retry-After", str(RETRY_AFTER_SECONDS))])


def _failed(error: Exception) -> ResponseReturnValue:
    log.error("failed", path=request.path, correlation_id=g.get("correlation_id"), exc_info=error)
    return _body(500, _MESSAGES[500], [])


def _body(code: int, message: str, headers: list[tuple[str, str]]) -> Response:
    if "correlation_id" not in g:
        begin()
    opening = orjson.dumps({"error": HTTP_STATUS_CODES.get(code, "Error"), "message": message})[:-1]
    return JsonResponse(opening + b"," + closing(), status=code, headers=headers)
