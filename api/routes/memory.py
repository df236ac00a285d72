"""Answers that were given before, given again from memory: a function in front of Flask.

It understands nothing of a request. Flask alone parses, authorizes and answers one, and what it has answered with 200
is kept under the request as it came, with the version of the tenant that PostgreSQL had read in the same statement. It
is given again while the tenant has that version, which one small statement tells for all that ask within LOOK_SECONDS:
so it holds exactly what a statement at that moment would have found. Whatever is not as plain as that, such as a caller
who has to be looked up, a tenant who is busy or a failure, is left to Flask.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Lock, Timer
from time import monotonic, perf_counter
from typing import NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Response

from api.auth.access import NOTHING, digest_of
from api.database.statement import Freshness, TenantNowRow
from api.limits.waiting import is_fresh
from api.observe.meters import ANSWERS_BYTES, ANSWERS_HITS, ANSWERS_MISSES, IN_FLIGHT
from api.observe.request_log import Answered, Teller
from api.plan.projection import tenant_now
from api.request.record import Record, correlation_id, environ_key, system_clock
from api.response.body import Headers, closing, encoded, freshness_headers
from api.response.compression import OpenBody, opened
from api.response.conditional import is_of_version, known_tags
from api.routes.read_model import State

LOOK_SECONDS = 0.01
"""How long the version of a tenant is remembered."""

AHEAD_SECONDS = 0.007
"""How old a look is when the request that uses it begins the next one, for which nobody then has to wait."""

# An answer is given again for so long, and is gone from memory one sweep later: 60 seconds after an erasure at most.
AGE_SECONDS = 50.0
SWEEP_SECONDS = 10.0
# How long a request waits for the look of another one before it is left to Flask.
PATIENCE_SECONDS = 0.05

KEY_HEADERS = ("Host", "Accept-Encoding", "Origin", "Authorization")
"""What of a request decides on its answer, beside method, path and query. The last one is kept as a digest."""

OWN_HEADERS = ("If-None-Match", "X-Correlation-Id")
"""What this module reads of a request itself."""

FLASKS_HEADERS = ("Content-Length", "Transfer-Encoding", "Upgrade")
"""What leaves a request to Flask."""

_METHODS = ("GET", "HEAD")
# What an entry takes in memory, about, beside its key and its body.
_ENTRY_BYTES = 2048
# What 304 does not have.
_OF_BODY = (b"Content-Type", b"Content-Encoding", b"Link", b"X-Total-Count")

_PLAIN_KEY = tuple(map(environ_key, KEY_HEADERS[:-1]))
_CREDENTIAL = environ_key(KEY_HEADERS[-1])
_FLASKS = frozenset(map(environ_key, FLASKS_HEADERS))

Key = tuple[str | bytes | None, ...]
# Status, headers and body.
Again = tuple[int, Headers, bytes]


def key_of(environ: WSGIEnvironment) -> Key | None:
    """Return a request as it came; None for one that only Flask answers."""
    method, get = environ["REQUEST_METHOD"], environ.get
    # Whether a request may come without a Host depends on its version of HTTP, which is not in the key.
    if method not in _METHODS or any(map(get, _FLASKS)) or not get(_PLAIN_KEY[0]):
        return None
    credential = get(_CREDENTIAL)
    digest = credential and digest_of(credential)
    return (method, get("PATH_INFO"), get("QUERY_STRING"), *map(get, _PLAIN_KEY), digest)


class Look(NamedTuple):
    """What a tenant was found to be, by a look that began at a moment by the monotonic clock, and its headers."""

    row: TenantNowRow
    at: float
    headers: dict[str, str]


@dataclass(slots=True, eq=False)
class Tenant:
    """A tenant with answers in memory, and the last look at it."""

    user_id: str
    look: Look | None = None
    # When somebody was told of something newer than that, by the monotonic clock.
    told_at: float = 0.0
    # Whoever looks has it.
    looking: Lock = field(default_factory=Lock)

    def remembered(self) -> Look | None:
        """Return the last look if it may be used."""
        look = self.look
        return look if look and look.at > max(self.told_at, monotonic() - LOOK_SECONDS) else None


@dataclass(slots=True, eq=False)
class Kept:
    """An answer, and when it may be given again."""

    user_id: str
    route: str
    rows: int
    version: bytes | None
    tag: str
    stands_until: datetime | None
    min_as_of: datetime | None
    headers: Headers
    body: OpenBody
    # By the monotonic clock.
    ends: float = field(default_factory=lambda: monotonic() + AGE_SECONDS)
    # About how many bytes it takes, with its key.
    size: int = 0


class Answers:
    """The answers in memory: a bounded number of bytes, of which those go first that were used least recently."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._lock = Lock()
        # The one that was used least recently is the first.
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._tenants: dict[str, Tenant] = {}
        self._sweep: Timer | None = None

    def find(self, key: Key) -> tuple[Kept, Tenant] | None:
        """Return the answer to a request, and its tenant."""
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            self._kept.move_to_end(key)
            return kept, self._tenants[kept.user_id]

    def keep(self, key: Key, kept: Kept) -> None:
        """Keep an answer, unless it alone would take all of the memory."""
        kept.size = _ENTRY_BYTES + len(kept.body.start) + sum(map(len, filter(None, key)))
        if kept.size > self._most:
            return
        with self._lock:
            self._drop(key)
            self._kept[key] = kept
            if kept.user_id not in self._tenants:
                self._tenants[kept.user_id] = Tenant(kept.user_id)
            self._bytes += kept.size
            while self._bytes > self._most:
                self._drop(next(iter(self._kept)))
            ANSWERS_BYTES.set(self._bytes)
            self._sweep_later()

    def note(self, user_id: str, row: Freshness) -> None:
        """Use no look at a tenant that began before somebody was told of something newer: no caller sees it go back."""
        tenant = self._tenants.get(user_id)
        look = tenant and tenant.look
        if tenant and (not look or _told(row) != _told(look.row)):
            tenant.told_at = monotonic()

    def _drop(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._bytes -= kept.size

    def _sweep_later(self) -> None:
        if self._sweep is None and self._kept:
            self._sweep = Timer(SWEEP_SECONDS, self.drop_old)
            self._sweep.name, self._sweep.daemon = "answers", True
            self._sweep.start()

    def drop_old(self) -> None:
        """Drop what is too old to be given again, and look again in SWEEP_SECONDS while there is anything."""
        with self._lock:
            for key in [key for key, kept in self._kept.items() if kept.ends <= monotonic()]:
                self._drop(key)
            asked = {kept.user_id for kept in self._kept.values()}
            self._tenants = {user_id: one for user_id, one in self._tenants.items() if user_id in asked}
            ANSWERS_BYTES.set(self._bytes)
            self._sweep = None
            self._sweep_later()


def _told(row: Freshness) -> tuple[bytes | None, datetime | None, bytes | None]:
    """Return what a caller is told of a tenant as a whole."""
    return row.version, row.as_of, row.tenant_name


class Memory:
    """The function in front of Flask, and the hook by which it keeps what Flask has answered."""

    def __init__(self, parts: State, tell: Teller, constant: dict[str, str]) -> None:
        self._parts = parts
        self._tell = tell
        self._constant = encoded(constant.items())
        self._answers = Answers(parts.config.answers_mb * 2**20)
        self._clock = parts.clock or system_clock

    def in_front_of(self, wsgi_app: WSGIApplication) -> WSGIApplication:
        """Return the application with the memory in front of it."""

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            again = self._answer(environ, self._look)
            if again is None:
                return wsgi_app(environ, start_response)
            status, headers, body = again
            texts = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in headers]
            start_response(f"{status} {HTTPStatus(status).phrase.upper()}", texts)
            return [body]

        return answer

    def answer_at_once(self, environ: WSGIEnvironment) -> Again | None:
        """Return an answer from memory that has not to wait for PostgreSQL; None where there is none."""
        return self._answer(environ, self._look_ahead)

    def keep(self, response: Response, one: Record) -> Response:
        """Keep the answer of Flask to a request, if it may be given again. Returns it."""
        request, user_id = one.request, one.user_id
        if one.row is None or user_id is None:
            return response
        self._answers.note(user_id, one.row)
        key = key_of(request.environ)
        if key is None or not one.opening or response.status_code != HTTPStatus.OK or not request.url_rule:
            return response
        ANSWERS_MISSES.inc()
        kept = Kept(
            user_id=user_id,
            route=request.url_rule.rule,
            rows=one.rows,
            version=one.row.version,
            tag=one.tag,
            stands_until=one.stands_until,
            min_as_of=one.min_as_of,
            headers=self._constant
            + encoded(pair for pair in response.headers if pair[0] != "Content-Length"),
            body=one.body or opened(None, response.get_data()[: one.opening]),
        )
        self._answers.keep(key, kept)
        return response

    def _answer(self, environ: WSGIEnvironment, look: Callable[[Tenant], Look | None]) -> Again | None:
        """Return an answer that is given again, by a look at its tenant; None where Flask has to answer."""
        key = key_of(environ)
        found = None if key is None else self._answers.find(key)
        return None if found is None else self._again(environ, *found, look)

    def _again(
        self, environ: WSGIEnvironment, kept: Kept, tenant: Tenant, look_at: Callable[[Tenant], Look | None]
    ) -> Again | None:
        """Return an answer that is given again; None where Flask has to answer."""
        started, gate, limit = perf_counter(), self._parts.gate, self._parts.limit
        shown = environ.get(_CREDENTIAL, "")
        caller = gate.has_let_through(shown, kept.user_id) if gate else NOTHING
        if caller is None:
            return None
        look = look_at(tenant)
        if look is None or not self._stands(kept, look):
            return None
        known = known_tags(environ) or ()
        is_by_version = kept.tag in known and kept.min_as_of is None and is_of_version(kept.tag)
        own = dict(look.headers)
        # Last of all, because Flask counts what is left to it.
        if limit is not None and not is_by_version:
            counted = limit.count(kept.user_id)
            if counted.is_beyond:
                return None
            own |= limit.headers_for(counted)
        now = self._clock()
        name = own["X-Correlation-Id"] = correlation_id(environ, now)
        if kept.tag in known or "*" in known:
            status, rows, body = 304, 0, b""
            headers = [pair for pair in kept.headers if pair[0] not in _OF_BODY]
        else:
            status, rows, body, headers = 200, kept.rows, kept.body.ended(closing(now, name)), kept.headers
            own["Content-Length"] = str(len(body))
            if environ["REQUEST_METHOD"] == "HEAD":
                body = b""
        ANSWERS_HITS.inc()
        self._tell(
            environ,
            Answered(kept.route, kept.user_id, status, started, rows, name, caller.name or None),
        )
        return status, [*headers, *encoded(own.items())], body

    def _look(self, tenant: Tenant) -> Look | None:
        """Return a look at the tenant that began within LOOK_SECONDS; None if there is none soon."""
        if (look := tenant.remembered()) is not None:
            return look
        # Meanwhile the request counts as one that is being answered.
        with IN_FLIGHT.track_inprogress():
            if not tenant.looking.acquire(timeout=PATIENCE_SECONDS):
                return None
            return self._look_again(tenant, tenant.remembered())

    def _look_ahead(self, tenant: Tenant) -> Look | None:
        """Return the last look if it may be used, and begin the next one before it may not."""
        look = tenant.remembered()
        if look and look.at < monotonic() - AHEAD_SECONDS and tenant.looking.acquire(blocking=False):
            self._parts.looks.submit(self._look_again, tenant, None)
        return look

    def _look_again(self, tenant: Tenant, known: Look | None) -> Look | None:
        """Return a look at the tenant, which is new unless it is known, and give back the lock for it."""
        try:
            tenant.look = known or self._ask(tenant.user_id)
            return tenant.look
        finally:
            tenant.looking.release()

    def _ask(self, user_id: str) -> Look | None:
        """Return what PostgreSQL says of a tenant now; None where Flask has to say what is wrong."""
        if not self._parts.running.take_at_once(user_id):
            return None
        at = monotonic()
        try:
            row = self._parts.read_model.look(tenant_now(user_id))
            return Look(row, at, freshness_headers(row))
        except Exception:  # noqa: BLE001  # Flask has an answer to each.
            return None
        finally:
            self._parts.running.give_back(user_id)

    def _stands(self, kept: Kept, look: Look) -> bool:
        """Return whether an answer is what PostgreSQL would have found at the moment of a look."""
        row = look.row
        if row.version != kept.version:
            return False
        if kept.stands_until is not None:
            # Only a test gives another moment than the clock of the database.
            clock = self._parts.now() or row.clock + timedelta(seconds=monotonic() - look.at)
            if clock > kept.stands_until:
                return False
        if kept.min_as_of is not None and (row.as_of is None or not is_fresh(row.as_of, kept.min_as_of)):
            return False
        return monotonic() < kept.ends
