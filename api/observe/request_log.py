"""What is told of each answer: it is counted, its span says what became of it, and it is a line in the log.

The line says what was asked and how it went, and nothing about a person.
"""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from time import perf_counter
from typing import Any, NamedTuple
from wsgiref.types import WSGIEnvironment

import orjson
from flask import Response

from api.config import Config
from api.observe.log import STANDARD_ERROR, is_text
from api.observe.meters import count_response
from api.request.record import Record
from api.request.text import MAX_ID_LENGTH

EVENT = "answered"
NO_ROUTE = "none"

_UUID = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_HASH_LENGTH = 12


class Answered(NamedTuple):
    """What is told of an answer; `started` is by perf_counter, and what is None is left out."""

    route: str | None
    user_id: str | None
    status: int
    started: float
    rows: int
    correlation_id: str
    caller: str | None


Teller = Callable[[WSGIEnvironment, Answered], None]


def teller(config: Config, tracing: Any) -> Teller:  # noqa: ANN401  # A Tracing, or None.
    """Return what tells of the answer to a request with this environment, whoever has given it."""
    # A line by structlog takes twice as long.
    line = _text_line if is_text(config.log_format) else _json_line
    is_logged = config.log_level in ("DEBUG", "INFO")

    def tell(environ: WSGIEnvironment, one: Answered) -> None:
        method = environ["REQUEST_METHOD"].upper()
        count_response(one.route or NO_ROUTE, one.status, perf_counter() - one.started)
        if is_logged:
            path = None
            if config.log_personal_data:
                # As Werkzeug reads it.
                path = "/" + environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace").lstrip(
                    "/"
                )
                query = environ.get("QUERY_STRING", "")
                path = f"{path}?{query}" if query else path
            STANDARD_ERROR.write(line(_parts(method, one, path)))
        if tracing is not None:
            tracing.describe(method, one.route, one.status, one.correlation_id)

    return tell


def tell_of(tell: Teller, response: Response, one: Record) -> Response:
    """Tell of an answer of Flask."""
    rule, status = one.request.url_rule, response.status_code
    route = rule.rule if rule else None
    answered = Answered(route, one.user_id, status, one.started, one.rows, one.correlation_id, one.caller)
    tell(one.request.environ, answered)
    return response


@lru_cache(maxsize=4096)
def tenant_name(user_id: str) -> str:
    """Return the id of a tenant if it is a UUID, and otherwise the first 12 hexadecimal digits of its SHA-256.

    A path can be written by anyone: a phone or a name in the place of the tenant must not get into the log.
    """
    if _UUID.fullmatch(user_id):
        return user_id
    return sha256(user_id.encode(errors="surrogatepass")).hexdigest()[:_HASH_LENGTH]


def _json_line(parts: dict[str, object]) -> str:
    line = {"event": EVENT, **parts, "level": "info", "timestamp": _now()}
    # orjson is much faster, and leaves what is not ASCII as it is: only a path may have that.
    return f"{json.dumps(line) if 'path' in parts else orjson.dumps(line).decode()}\n"


def _text_line(parts: dict[str, object]) -> str:
    # A path may be any text.
    values = (f"{name}={value!r}" if name == "path" else f"{name}={value}" for name, value in parts.items())
    return f"{_now()} [info     ] {EVENT:30} {' '.join(values)}\n"


def _parts(method: str, one: Answered, path: str | None) -> dict[str, object]:
    """Return what a line says of a request."""
    milliseconds = round((perf_counter() - one.started) * 1000, 2)
    parts: dict[str, object] = {
        "method": method,
        "route": one.route,
        "status": one.status,
        "ms": milliseconds,
    }
    if one.user_id is not None:
        # An id that is refused for its length can have 48 kB: thousands of them are not kept.
        parts |= {"tenant": tenant_name(one.user_id[: MAX_ID_LENGTH + 1]), "rows": one.rows}
    if one.caller is not None:
        parts["caller"] = one.caller
    if path is not None:
        parts["path"] = path
    parts["correlation_id"] = one.correlation_id
    return parts


def _now() -> str:
    return f"{datetime.now(UTC).isoformat()[:-6]}Z"
