"""The record of a request, from its first hook to its last."""

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import perf_counter
from typing import Any, cast
from wsgiref.types import WSGIEnvironment

from flask import Request, g, request

# Keys in the environment of a request: the refusal of a caller who was checked in front of Flask, and the key of the
# answer in memory.
REFUSAL, KEY = "leads.refusal", "leads.key"

OPEN_BLUEPRINTS = frozenset({"health", "metrics", "docs", "page"})

Clock = Callable[[], datetime]

_CORRELATION_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(slots=True)
class Record:
    """The data that the hooks, the view and the answer of a request share.

    It holds the request, because Flask's `request` looks it up for each attribute, which takes 2 µs.
    """

    request: Request
    # The time of the request, and the id that finds it in the logs.
    now: datetime
    correlation_id: str
    # The tenant of the path, or None.
    user_id: str | None = field(init=False)
    # Whether it asks for data of a tenant: true for every endpoint outside OPEN_BLUEPRINTS. A request with OPTIONS
    # needs no credentials, and its answer has no data.
    is_of_tenant: bool = field(init=False)
    # The raw query string.
    query: str = field(init=False)
    # By perf_counter.
    started: float = field(default_factory=perf_counter)
    # The name of the caller in the logs.
    caller: str | None = None
    # Seconds left of the rate limit's period, once the request was counted.
    limit_seconds_left: int | None = None
    # The last row about its tenant (a Freshness), and the min_as_of of the request.
    row: Any = None
    min_as_of: datetime | None = None
    # The number of results in the answer.
    rows: int = 0
    # Headers of the answer, even if it is an error.
    headers: dict[str, str] = field(default_factory=dict)
    # For an answer that may be kept in memory: the length of its body before the timestamp, its tag, and the time until
    # which it stands.
    opening: int = 0
    tag: str = ""
    stands_until: datetime | None = None
    # Its body as it is sent, without the end.
    body: Any = None

    def __post_init__(self) -> None:
        """Read the query string and the endpoint."""
        self.query = self.request.environ.get("QUERY_STRING", "")
        self.read_endpoint()

    def read_endpoint(self) -> None:
        """Read the tenant of the request from its endpoint."""
        rule = self.request.url_rule
        self.user_id = (self.request.view_args or {}).get("user_id")
        # An open blueprint may contain others.
        is_open = rule is None or rule.endpoint.partition(".")[0] in OPEN_BLUEPRINTS
        self.is_of_tenant = not is_open and self.request.method != "OPTIONS"


def system_clock() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


def begin(clock: Clock) -> Record:
    """Return the record of a new request, with its time and its correlation id."""
    now, asked = clock(), request._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001  # As Flask says.
    begun = g.record = Record(asked, now, correlation_id(asked.environ, now))
    begun.headers["X-Correlation-Id"] = begun.correlation_id
    return begun


def correlation_id(environ: WSGIEnvironment, now: datetime) -> str:
    """Return the correlation id that a request sends, if it is valid, and otherwise a new one.

    A new one is the milliseconds since 1970 and nine random hexadecimal digits.
    """
    sent = environ.get("HTTP_X_CORRELATION_ID")
    if sent is not None and _CORRELATION_ID.fullmatch(sent):
        return str(sent)
    # The id protects nothing, so it need not be secure.
    return f"{int(now.timestamp() * 1000)}-{random.getrandbits(36):09x}"


# PEP 3333 gives these no prefix.
_UNPREFIXED = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


def environ_key(header: str) -> str:
    """Return the key under which the environment of a request has a header."""
    key = header.upper().replace("-", "_")
    return key if key in _UNPREFIXED else f"HTTP_{key}"


CREDENTIAL = environ_key("Authorization")


def record() -> Record:
    """Return the record of the current request."""
    return cast("Record", g.record)
