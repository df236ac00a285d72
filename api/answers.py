"""What a request remembers, and the answer printed from it."""

import random
import re
from collections.abc import Callable
from datetime import UTC, datetime
from string import ascii_lowercase, digits
from typing import Any

from flask import Response, current_app, g, request

from api.values import printed

Clock = Callable[[], datetime]

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_ALPHABET = digits + ascii_lowercase


class JsonResponse(Response):
    """An answer whose body is one piece of JSON."""

    default_mimetype = "application/json"

    def get_app_iter(self, environ: dict[str, Any]) -> Any:  # noqa: ANN401
        """The body as the list that it is: a server sends a list at once, anything else piece by piece."""
        if environ["REQUEST_METHOD"] != "HEAD" and isinstance(self.response, list) and not self._on_close:
            return self.response
        return super().get_app_iter(environ)


def begin() -> None:
    """Give the request its one moment, and the name by which its answer can be found in the logs."""
    g.now = current_app.extensions["leads_clock"]()
    given = request.environ.get("HTTP_X_CORRELATION_ID", "")
    g.correlation_id = given if _CORRELATION_ID.fullmatch(given) else new_correlation_id(g.now)


def new_correlation_id(now: datetime) -> str:
    """Milliseconds since 1970, and nine letters or digits."""
    letters = "".join(random.choices(_ALPHABET, k=9))  # noqa: S311  # It names an answer and guards nothing.
    return f"{int(now.timestamp() * 1000)}-{letters}"


def closing() -> bytes:
    """The end of every body."""
    return f'"timestamp":"{printed(g.now)}","correlationId":"{g.correlation_id}"}}'.encode()


def success(data: bytes, pagination: bytes | None = None) -> Response:
    """The answer around the data."""
    paged = b"" if pagination is None else b'"pagination":%b,' % pagination
    return JsonResponse(b'{"success":true,"data":%b,%b%b' % (data, paged, closing()))


def put_headers(response: Response) -> Response:
    """Say by which name the answer is known, and how old the data are that it was made from."""
    headers = response.headers
    headers.add("X-Correlation-Id", g.correlation_id)
    row = g.get("row")
    if row is not None:
        if row.as_of is not None:
            headers.add("X-Data-As-Of", printed(row.as_of))
        if row.dead_letters:
            headers.add("X-Data-Dead-Letters", str(row.dead_letters))
    return response


def system_clock() -> datetime:
    """Now."""
    return datetime.now(UTC)
