"""Lets pages of the origins in LEADS_CORS_ORIGINS read answers in a browser (CORS)."""

from http import HTTPStatus
from wsgiref.types import WSGIEnvironment

from flask import Response

from api.config.values import ANY_ORIGIN
from api.request.record import Record
from api.response.openapi import HEADERS

# A browser asks again after ten minutes, so that an origin that was removed is refused soon.
MAX_AGE_SECONDS = 600
# POST is for a look-up, whose body is JSON.
_METHODS = "GET, HEAD, POST"
# The headers that a page may send besides those that are always allowed.
_REQUEST_HEADERS = "Authorization, Content-Type, If-None-Match, Last-Event-ID, X-Correlation-Id"
_EXPOSED = ", ".join(HEADERS)


class Cors:
    """The origins whose pages may read answers.

    The API uses no cookies, so it never sends `Access-Control-Allow-Credentials`: a page needs the token itself.
    """

    def __init__(self, origins: tuple[str, ...]) -> None:
        self._allowed = frozenset(origins)
        self._allows_any = ANY_ORIGIN in self._allowed

    def answer_preflight(self, record: Record) -> Response | None:
        """Return the answer to a preflight request of a browser; None for any other request."""
        asked = record.request
        if asked.method != "OPTIONS" or "HTTP_ACCESS_CONTROL_REQUEST_METHOD" not in asked.environ:
            return None
        if self._allowed_origin(asked.environ) is None:
            return None
        response = Response(status=HTTPStatus.NO_CONTENT)
        del response.headers["Content-Type"]
        response.headers.add("Access-Control-Allow-Methods", _METHODS)
        response.headers.add("Access-Control-Allow-Headers", _REQUEST_HEADERS)
        response.headers.add("Access-Control-Max-Age", str(MAX_AGE_SECONDS))
        return response

    def put_headers(self, response: Response, record: Record) -> Response:
        """Let the page of an allowed origin read the answer, whatever its status is."""
        response.headers.update(self.headers_for(record.request.environ))
        return response

    def headers_for(self, environ: WSGIEnvironment) -> dict[str, str]:
        """Return the headers that let the page of an allowed origin read the answer to a request."""
        origin = self._allowed_origin(environ)
        if origin is None:
            return {}
        return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": _EXPOSED}

    def _allowed_origin(self, environ: WSGIEnvironment) -> str | None:
        origin: str | None = environ.get("HTTP_ORIGIN")
        if origin is None:
            return None
        if self._allows_any:
            return ANY_ORIGIN
        return origin if origin in self._allowed else None
