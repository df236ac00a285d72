"""The body and the headers that every answer has."""

import random
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from string import ascii_lowercase, digits
from typing import TYPE_CHECKING, Any, cast

from flask import Response
from werkzeug.datastructures import Headers

from api.database.statement import NOTHING_CLAIMED, Freshness
from api.request import current
from api.request.text import format_time

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# What customers wrote is for the caller alone. A browser neither guesses that it is HTML, nor tells its address.
_ALWAYS = [
    ("Cache-Control", "private, no-cache"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
]

_JSON = ("Content-Type", "application/json")

Clock = Callable[[], datetime]

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ALPHABET = digits + ascii_lowercase


class JsonResponse(Response):
    """An answer whose body is JSON."""

    default_mimetype = _JSON[1]

    def __call__(self, environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
        """Answers the request. An answer to a GET that is all there is sent as it is, without a look at its headers."""
        if self.status_code != HTTPStatus.OK or environ["REQUEST_METHOD"] != "GET" or not self._is_whole():
            return super().__call__(environ, start_response)
        body, headers = cast("list[bytes]", self.response), self.headers.to_wsgi_list()
        # To ask Werkzeug for a header that is not there takes an exception.
        if not any(name == "Content-Length" for name, _ in headers):
            headers.append(("Content-Length", str(sum(map(len, body)))))
        start_response(self.status, headers)
        return body

    def _is_whole(self) -> bool:
        return isinstance(self.response, list) and not self._on_close

    def get_app_iter(self, environ: dict[str, Any]) -> Any:  # noqa: ANN401  # As inherited.
        """Returns the body as a list, which a WSGI server sends at once; it sends any other iterable in pieces."""
        if environ["REQUEST_METHOD"] != "HEAD" and self._is_whole():
            return self.response
        return super().get_app_iter(environ)


def begin() -> None:
    """Give the request its one moment, and the correlation id by which its answer is found in the logs."""
    values, environ = current.values(), current.request().environ
    values.now = current.app().extensions["leads_clock"]()
    values.correlation_id = correlation_id(environ, values.now)
    current.state_of(environ).headers = {"X-Correlation-Id": values.correlation_id}


def correlation_id(environ: "WSGIEnvironment", now: datetime) -> str:
    """Returns the correlation id that a request gives if it is a good one, or else a new one.

    That is the milliseconds since 1970, and nine random letters or digits.
    """
    given = environ.get("HTTP_X_CORRELATION_ID")
    if given is not None and _CORRELATION_ID.fullmatch(given):
        return str(given)
    letters = "".join(random.choices(_ALPHABET, k=9))  # noqa: S311  # It names an answer and protects nothing.
    return f"{int(now.timestamp() * 1000)}-{letters}"


def closing() -> bytes:
    """Returns the end of every body: timestamp and correlationId."""
    values = current.values()
    return f'"timestamp":"{format_time(values.now)}","correlationId":"{values.correlation_id}"}}'.encode()


def success(data: bytes, pagination: bytes | None, headers: list[tuple[str, str]]) -> Response:
    """Returns the answer with these data, which are JSON as is the pagination. Each header is one line."""
    paged = b"" if pagination is None else b'"pagination":%b,' % pagination
    body = b'{"success":true,"data":%b,%b%b' % (data, paged, closing())
    return JsonResponse([body], headers=_MadeHeaders([_JSON, *headers]))


class _MadeHeaders(Headers):
    """Headers that are good as they are: Werkzeug would check and copy each of them."""

    def __init__(self, made: list[tuple[str, str]]) -> None:
        self._list = made


def note_freshness(row: Freshness) -> None:
    """Have the headers of this answer say how fresh the row is."""
    current.values().freshness = row
    own = current.state_of(current.request().environ).headers
    # Of an earlier row.
    for name in ("X-Data-As-Of", "X-Data-Dead-Letters"):
        own.pop(name, None)
    own.update(freshness_headers(row))


def freshness_headers(row: Freshness) -> dict[str, str]:
    """Returns the headers that say how fresh a row is."""
    headers = {} if row.as_of in (None, NOTHING_CLAIMED) else {"X-Data-As-Of": format_time(row.as_of)}
    if row.dead_letters:
        headers["X-Data-Dead-Letters"] = str(row.dead_letters)
    return headers


def with_constant_headers(wsgi_app: "WSGIApplication", *varies_by: str) -> "WSGIApplication":
    """Returns the application with the headers that are the same on every answer, and with those of put_headers.

    `varies_by` names the headers of a request that decide on its answer, beside its address.

    They are added to the finished list: Flask would check and copy each of them twice at each request.
    """
    always = [*_ALWAYS, ("Vary", ", ".join(varies_by))] if varies_by else _ALWAYS

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        # Types in quotes are not made anew at each request.
        def start(
            status: str,
            headers: "list[tuple[str, str]]",
            *error: Any,  # noqa: ANN401  # As WSGI has it.
        ) -> "Callable[[bytes], object]":
            own = current.state_of(environ).headers
            return start_response(status, [*headers, *own.items(), *always], *error)

        return wsgi_app(environ, start)

    return answer


def system_clock() -> datetime:
    """Returns the current time in UTC."""
    return datetime.now(UTC)
