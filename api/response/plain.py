"""Answers without Flask. They need no thread, so they are given at once, however many requests wait."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from time import perf_counter
from wsgiref.types import WSGIEnvironment

import orjson

from api import __version__
from api.observe.request_log import Answered, RequestLog
from api.request.error_codes import ErrorCode
from api.request.record import Clock, correlation_id
from api.response.body import Headers, closing, encoded
from api.response.cors import Cors
from api.response.errors import RETRY_AFTER_SECONDS, error_opening
from api.response.openapi import CODE_HEADER

Answer = tuple[int, Headers, bytes]
"""Status, headers and body in the form of ASGI."""

Whose = tuple[str | None, str | None, str | None]
"""The route, the tenant and the caller of a request, as the log says them."""

TIMESTAMP = b'"timestamp"'
"""The beginning of the end of an error, which differs in each answer."""

LIVE_BODY = orjson.dumps({"status": "live", "version": __version__})
LIVE = "/health/live"


class PlainAnswers:
    """Makes complete answers: with the headers of every answer, counted, and with a line in the log."""

    def __init__(self, clock: Clock, constant: dict[str, str], cors: Cors, log: RequestLog) -> None:
        self._clock = clock
        self._constant = {**constant, "Content-Type": "application/json"}
        self._cors = cors
        self._log = log

    def live(self, environ: WSGIEnvironment, problem: str) -> Answer:
        """Return the answer of /health/live: that the process is alive, or the problem that shows that it is not."""
        if problem:
            return self.unavailable(environ, problem, ErrorCode.NOT_LIVE, LIVE)
        return self._answer(environ, HTTPStatus.OK, LIVE_BODY, (), (LIVE, None, None))

    def unavailable(
        self,
        environ: WSGIEnvironment,
        message: str,
        code: ErrorCode = ErrorCode.BUSY,
        route: str | None = None,
    ) -> Answer:
        """Return 503 with this message."""
        status = HTTPStatus.SERVICE_UNAVAILABLE
        headers = [("Retry-After", str(RETRY_AFTER_SECONDS)), (CODE_HEADER, code)]
        return self._answer(environ, status, error_opening(status, message), headers, (route, None, None))

    def large_head(self, environ: WSGIEnvironment, message: str) -> Answer:
        """Return 431 with this message, and end the connection."""
        status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        headers = [("Connection", "close"), (CODE_HEADER, ErrorCode.HEAD_TOO_LARGE)]
        return self._answer(environ, status, error_opening(status, message), headers, (None, None, None))

    def late_body(
        self, environ: WSGIEnvironment, headers: Mapping[str, str], whose: Whose, message: str
    ) -> Answer:
        """Return 408 with these headers to a request whose body did not come, and end the connection."""
        status, pairs = HTTPStatus.REQUEST_TIMEOUT, [*headers.items()]
        pairs += [("Connection", "close"), (CODE_HEADER, ErrorCode.BODY_TIMEOUT)]
        return self._answer(environ, status, error_opening(status, message), pairs, whose)

    def again(self, environ: WSGIEnvironment, answer: Answer) -> Answer:
        """Return an answer that was given before to the same request; an error with a timestamp of its own."""
        status, headers, body = answer
        if status != HTTPStatus.OK:
            body = body.rpartition(TIMESTAMP)[0]
        texts = ((name.decode("latin-1"), text.decode("latin-1")) for name, text in headers)
        return self._answer(environ, status, body, texts, (environ["PATH_INFO"], None, None))

    def _answer(
        self,
        environ: WSGIEnvironment,
        status: int,
        opening: bytes,
        headers: Iterable[tuple[str, str]],
        whose: Whose,
    ) -> Answer:
        """Return an answer, whose body begins so. The log says its route, tenant and caller."""
        started, now = perf_counter(), self._clock()
        name = correlation_id(environ, now)
        body = opening if status == HTTPStatus.OK else opening + closing(now, name)
        own = {**self._constant, **dict(headers), **self._cors.headers_for(environ)}
        own |= {"X-Correlation-Id": name, "Content-Length": str(len(body))}
        route, tenant, caller = whose
        self._log.write(environ, Answered(route, tenant, status, started, 0, name, caller))
        return status, encoded(own.items()), b"" if environ["REQUEST_METHOD"] == "HEAD" else body
