"""Notes each answer: in the counters, in its span, and as a line in the log.

The line says what was requested and what the result was, and nothing about a person.
"""

import json
import re
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
    """The notes about an answer; `started` is by perf_counter, and the line leaves out what is None."""

    route: str | None
    user_id: str | None
    status: int
    started: float
    rows: int
    correlation_id: str
    caller: str | None


class RequestLog:
    """Counts each answer, writes its line, and completes its span, whatever part of the API gave the answer."""

    def __init__(self, config: Config, tracing: Any) -> None:  # noqa: ANN401  # A Tracing, or None.
        # A line by structlog takes twice as long.
        self._line = _text_line if is_text(config.log_format) else _json_line
        self._is_written = config.log_level in ("DEBUG", "INFO")
        self._has_path = config.log_personal_data
        self._tracing = tracing

    def write(self, environ: WSGIEnvironment, answered: Answered) -> None:
        """Note the answer to a request with this environment."""
        method = environ["REQUEST_METHOD"].upper()
        count_response(answered.route or NO_ROUTE, answered.status, perf_counter() - answered.started)
        if self._is_written:
            path = _path(environ) if self._has_path else None
            STANDARD_ERROR.write(self._line(_parts(method, answered, path)))
        if self._tracing is not None:
            self._tracing.describe(method, answered.route, answered.status, answered.correlation_id)

    def write_response(self, response: Response, record: Record) -> Response:
        """Note an answer of Flask. Returns it."""
        rule = record.request.url_rule
        answered = Answered(
            rule.rule if rule else None,
            record.user_id,
            response.status_code,
            record.started,
            record.rows,
            record.correlation_id,
            record.caller,
        )
        self.write(record.request.environ, answered)
        return response


@lru_cache(maxsize=4096)
def tenant_name(user_id: str) -> str:
    """Return the id of a tenant if it is a UUID, and otherwise the first 12 hexadecimal digits of its SHA-256.

    Anyone can write a path: a phone or a name in the place of the tenant must not get into the log.
    """
    if _UUID.fullmatch(user_id):
        return user_id
    return sha256(user_id.encode(errors="surrogatepass")).hexdigest()[:_HASH_LENGTH]


def _json_line(parts: dict[str, object]) -> str:
    line = {"event": EVENT, **parts, "level": "info", "timestamp": _now()}
    # orjson is much faster, but does not escape what is not ASCII, which only a path may contain.
    return f"{json.dumps(line) if 'path' in parts else orjson.dumps(line).decode()}\n"


def _text_line(parts: dict[str, object]) -> str:
    # A path may contain any characters.
    values = (f"{name}={value!r}" if name == "path" else f"{name}={value}" for name, value in parts.items())
    return f"{_now()} [info     ] {EVENT:30} {' '.join(values)}\n"


def _path(environ: WSGIEnvironment) -> str:
    """Return the path and the query of a request, as Werkzeug reads them."""
    path = "/" + environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace").lstrip("/")
    query = environ.get("QUERY_STRING", "")
    return f"{path}?{query}" if query else path


def _parts(method: str, answered: Answered, path: str | None) -> dict[str, object]:
    """Return the keys and values of the line about a request."""
    milliseconds = round((perf_counter() - answered.started) * 1000, 2)
    parts: dict[str, object] = {
        "method": method,
        "route": answered.route,
        "status": answered.status,
        "ms": milliseconds,
    }
    if answered.user_id is not None:
        # tenant_name keeps thousands of ids, and one that is refused for its length can have 48 kB.
        parts |= {"tenant": tenant_name(answered.user_id[: MAX_ID_LENGTH + 1]), "rows": answered.rows}
    if answered.caller is not None:
        parts["caller"] = answered.caller
    if path is not None:
        parts["path"] = path
    parts["correlation_id"] = answered.correlation_id
    return parts


def _now() -> str:
    return f"{datetime.now(UTC).isoformat()[:-6]}Z"
