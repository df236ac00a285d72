"""What a request knows of itself, in one record, from its first hook to its last."""

from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter
from typing import Any, cast

from flask import Request, g

# In the environment of a request: where the server has it pause (GATE, BODY), its record once it has paused there, and
# what was counted for it before, so that it counts once.
PAUSE_AT, PAUSED, COUNTED = "leads.pause_at", "leads.paused", "leads.counted"
GATE, BODY = "gate", "body"

OPEN_BLUEPRINTS = frozenset({"health", "metrics", "docs", "page"})


@dataclass(slots=True)
class Record:
    """What the hooks, the view and the answer of one request tell each other.

    It has the request itself: Flask's `request` looks it up anew for each of its attributes, which takes 2 µs.
    """

    request: Request
    # Its one moment, and the name by which its answer is found in the logs.
    now: datetime
    correlation_id: str
    # By perf_counter.
    started: float = field(default_factory=perf_counter)
    # What logs call the caller.
    caller: str | None = None
    # Whose place it has among the requests that run.
    place: str | None = None
    # Of the rate limit, once that was counted.
    limit_seconds_left: int | None = None
    # The row about its tenant that was read last, a Freshness, and how fresh it has to be.
    row: Any = None
    min_as_of: datetime | None = None
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

    @property
    def user_id(self) -> str | None:
        """The tenant of the path; None where it has none."""
        return (self.request.view_args or {}).get("user_id")

    @property
    def is_of_tenant(self) -> bool:
        """Whether it asks for what a tenant has: whatever there is, and is still to come, but for OPEN_BLUEPRINTS.

        What a browser sends before a request shows no one, and its answer has no data.
        """
        rule = self.request.url_rule
        # An open blueprint may have others within it.
        is_open = rule is None or rule.endpoint.partition(".")[0] in OPEN_BLUEPRINTS
        return not is_open and self.request.method != "OPTIONS"

    @property
    def query(self) -> str:
        """What stands behind the path, as it came."""
        return str(self.request.environ.get("QUERY_STRING", ""))


# PEP 3333 gives these no prefix.
_UNPREFIXED = frozenset({"CONTENT_TYPE", "CONTENT_LENGTH"})


def environ_key(header: str) -> str:
    """Return the key under which the environment of a request has a header."""
    key = header.upper().replace("-", "_")
    return key if key in _UNPREFIXED else f"HTTP_{key}"


def record() -> Record:
    """Return the record of the request at hand."""
    return cast("Record", g.record)
