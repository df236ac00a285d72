"""What a request knows of itself, in one record, from its first hook to its last."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, cast
from wsgiref.types import WSGIEnvironment

from flask import Request, g, request

# In the environment of a request: where the server has it pause (AUTHORIZED, BODY), its record once it has paused,
# what was counted for it before, so that it counts once, and what its answer is kept under.
PAUSE_AT, PAUSED, COUNTED, KEY = "leads.pause_at", "leads.paused", "leads.counted", "leads.key"
AUTHORIZED, BODY = "authorized", "body"

OPEN_BLUEPRINTS = frozenset({"health", "metrics", "docs", "page"})

Clock = Callable[[], datetime]

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(slots=True)
class Record:
    """What the hooks, the view and the answer of one request tell each other.

    It has the request itself: Flask's `request` looks it up anew for each of its attributes, which takes 2 µs.
    """

    request: Request
    # Its one moment, and the name by which its answer is found in the logs.
    now: datetime
    correlation_id: str
    # The tenant of the path; None where it has none.
    user_id: str | None = field(init=False)
    # Whether it asks for what a tenant has: whatever there is, and is still to come, but for OPEN_BLUEPRINTS. What a
    # browser sends before a request shows no one, and its answer has no data.
    is_of_tenant: bool = field(init=False)
    # What stands behind the path, as it came.
    query: str = field(init=False)
    # By perf_counter.
    started: float = field(default_factory=perf_counter)
    # What logs call the caller.
    caller: str | None = None
    # Whose place it has among the requests that run.
    place: str | None = None
    # Of the rate limit, once that was counted.
    limit_seconds_left: int | None = None
    # The row about its tenant that was read last, a Freshness, how fresh it has to be, and the clock read for that.
    row: Any = None
    min_as_of: datetime | None = None
    clock: datetime | None = None
    # How many results the answer has.
    rows: int = 0
    # Headers of this answer alone, whatever becomes of it.
    headers: dict[str, str] = field(default_factory=dict)
    # What an answer that may be given again has: the bytes of its body before the timestamp, its tag, and when the
    # clock may change it.
    opening: int = 0
    tag: str = ""
    stands_until: datetime | None = None
    # Its body as it is sent, without its end.
    body: Any = None

    def __post_init__(self) -> None:
        """Read what does not change any more, and the endpoint."""
        self.query = self.request.environ.get("QUERY_STRING", "")
        self.read_endpoint()

    def read_endpoint(self) -> None:
        """Read of which tenant the request is, whose endpoint was found."""
        rule = self.request.url_rule
        self.user_id = (self.request.view_args or {}).get("user_id")
        # An open blueprint may have others within it.
        is_open = rule is None or rule.endpoint.partition(".")[0] in OPEN_BLUEPRINTS
        self.is_of_tenant = not is_open and self.request.method != "OPTIONS"


def system_clock() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def begin(clock: Clock) -> Record:
    """Return the record of a new request, with its moment and the correlation id that finds it in the logs."""
    now, asked = clock(), request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # As Flask says.
    begun = g.record = Record(asked, now, correlation_id(asked.environ, now))
    begun.headers["X-Correlation-Id"] = begun.correlation_id
    return begun


def correlation_id(environ: WSGIEnvironment, now: datetime) -> str:
    """Return the correlation id that a request gives if it is a good one, or else a new one.

    That is the milliseconds since 1970, and nine random hexadecimal digits.
    """
    sent = environ.get("HTTP_X_CORRELATION_ID")
    if sent is not None and _CORRELATION_ID.fullmatch(sent):
        return str(sent)
    # It names an answer and protects nothing.
    return f"{int(now.timestamp() * 1000)}-{random.getrandbits(36):09x}"


# PEP 3333 gives these no prefix.
_UNPREFIXED = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


def environ_key(header: str) -> str:
    """Return the key under which the environment of a request has a header."""
    key = header.upper().replace("-", "_")
    return key if key in _UNPREFIXED else f"HTTP_{key}"


def record() -> Record:
    """Return the record of the request at hand."""
    return cast("Record", g.record)
