"""Gives answers again from memory: a function in front of Flask.

It does not interpret requests. Flask alone parses, authorizes and answers them. An answer with 200 is kept under the
raw request, with the version of the tenant that PostgreSQL read in the same statement. It is given again while the
tenant has that version. One small statement, a probe, reads the version for all requests within PROBE_SECONDS, so an
answer from memory is what a statement at that moment would have returned. Everything else, such as an unknown caller, a
busy tenant or a failure, is left to Flask.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
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
from api.observe.request_log import Answered
from api.plan.projection import tenant_now
from api.request.record import CREDENTIAL, KEY, Record, correlation_id, environ_key, system_clock
from api.response.body import Headers, closing, encoded, freshness_headers
from api.response.compression import OpenBody, opened
from api.response.conditional import is_of_version, known_tags
from api.response.plain import Answer
from api.routes.read_model import State

PROBE_SECONDS = 0.01
"""How long the result of a probe is used."""

AHEAD_SECONDS = 0.007
"""A request that uses a probe of this age begins the next one, so that no request has to wait for it."""

# An answer is given again for this long, and dropped one sweep later: at most 60 seconds after an erasure.
AGE_SECONDS = 50.0
SWEEP_SECONDS = 10.0
# How long a request waits for the probe of another request before it is left to Flask.
PATIENCE_SECONDS = 0.05

KEY_HEADERS = ("Host", "Accept-Encoding", "Origin", "Authorization")
"""The headers that decide on an answer, besides method, path and query. The last one is kept as a digest."""

OWN_HEADERS = ("If-None-Match", "X-Correlation-Id")
"""The headers that this module reads itself."""

FLASKS_HEADERS = ("Content-Length", "Transfer-Encoding", "Upgrade")
"""A request with one of these headers is left to Flask."""

_METHODS = ("GET", "HEAD")
# About how many bytes an entry takes besides its key and its body.
_ENTRY_BYTES = 2048
# The headers that 304 does not have.
_OF_BODY = (b"Content-Type", b"Content-Encoding", b"Link", b"X-Total-Count")

_PLAIN_KEY = tuple(map(environ_key, KEY_HEADERS[:-1]))
_FLASKS = frozenset(map(environ_key, FLASKS_HEADERS))

Key = tuple[str | bytes | None, ...]


def key_of(environ: WSGIEnvironment) -> Key | None:
    """Return the key of a request; None for a request that only Flask answers."""
    method, get = environ["REQUEST_METHOD"], environ.get
    # Whether a request may lack the Host depends on its version of HTTP, which the key does not have.
    if method not in _METHODS or any(map(get, _FLASKS)) or not get(_PLAIN_KEY[0]):
        return None
    credential = get(CREDENTIAL)
    digest = credential and digest_of(credential)
    return (method, get("PATH_INFO"), get("QUERY_STRING"), *map(get, _PLAIN_KEY), digest)


def _noted_key(environ: WSGIEnvironment) -> Key | None:
    """Return the key of a request. Its environment keeps the key, which is needed in front of Flask and behind it."""
    if KEY not in environ:
        environ[KEY] = key_of(environ)
    key: Key | None = environ[KEY]
    return key


class VersionProbe(NamedTuple):
    """The state of a tenant, its headers, and when the probe began, by the monotonic clock."""

    row: TenantNowRow
    at: float
    headers: dict[str, str]


@dataclass(slots=True, eq=False)
class Tenant:
    """A tenant with answers in memory, and its last probe."""

    user_id: str
    probe: VersionProbe | None = None
    # When a caller was last sent something newer than the probe, by the monotonic clock.
    notified_at: float = 0.0
    # The lock that a probe holds.
    probing: Lock = field(default_factory=Lock)

    def remembered(self) -> VersionProbe | None:
        """Return the last probe if it may be used."""
        probe = self.probe
        return probe if probe and probe.at > max(self.notified_at, monotonic() - PROBE_SECONDS) else None


@dataclass(slots=True, eq=False)
class CachedAnswer:
    """An answer, and the conditions under which it may be given again."""

    user_id: str
    route: str
    rows: int
    state: bytes | None
    tag: str
    stands_until: datetime | None
    min_as_of: datetime | None
    headers: Headers
    body: OpenBody
    # By the monotonic clock.
    ends: float = field(default_factory=lambda: monotonic() + AGE_SECONDS)
    # About how many bytes the entry takes, with its key.
    size: int = 0


class Answers:
    """The answers in memory, up to a number of bytes; the least recently used answer goes first."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._lock = Lock()
        # The least recently used answer is the first.
        self._cached: OrderedDict[Key, CachedAnswer] = OrderedDict()
        self._tenants: dict[str, Tenant] = {}
        self._sweep: Timer | None = None

    def find(self, key: Key) -> tuple[CachedAnswer, Tenant] | None:
        """Return the answer to a request, and its tenant."""
        with self._lock:
            cached = self._cached.get(key)
            if cached is None:
                return None
            self._cached.move_to_end(key)
            return cached, self._tenants[cached.user_id]

    def keep(self, key: Key, answer: CachedAnswer) -> None:
        """Keep an answer, unless it alone exceeds the memory."""
        answer.size = _ENTRY_BYTES + len(answer.body.start) + sum(map(len, filter(None, key)))
        if answer.size > self._most:
            return
        with self._lock:
            self._drop(key)
            self._cached[key] = answer
            if answer.user_id not in self._tenants:
                self._tenants[answer.user_id] = Tenant(answer.user_id)
            self._count(answer.size)
            while self._bytes > self._most:
                self._drop(next(iter(self._cached)))
            self._sweep_later()

    def note(self, user_id: str, row: Freshness) -> None:
        """Discard an older probe once a caller was sent something newer, so that no caller sees the tenant go back."""
        tenant = self._tenants.get(user_id)
        probe = tenant and tenant.probe
        if tenant and (not probe or _notice_of(row) != _notice_of(probe.row)):
            tenant.notified_at = monotonic()

    def _drop(self, key: Key) -> None:
        dropped = self._cached.pop(key, None)
        if dropped is not None:
            self._count(-dropped.size)

    def _count(self, more_bytes: int) -> None:
        self._bytes += more_bytes
        # The process may hold the answers of several applications.
        ANSWERS_BYTES.inc(more_bytes)

    def _sweep_later(self) -> None:
        if self._sweep is None and self._cached:
            self._sweep = Timer(SWEEP_SECONDS, self.drop_old)
            self._sweep.name, self._sweep.daemon = "answers", True
            self._sweep.start()

    def drop_old(self) -> None:
        """Drop the answers that are too old, and sweep again in SWEEP_SECONDS while any are left."""
        with self._lock:
            for key in [key for key, answer in self._cached.items() if answer.ends <= monotonic()]:
                self._drop(key)
            asked = {answer.user_id for answer in self._cached.values()}
            self._tenants = {user_id: self._tenants[user_id] for user_id in asked}
            self._sweep = None
            self._sweep_later()


def _notice_of(row: Freshness) -> tuple[bytes | None, datetime | None, bytes | None]:
    """Return what the headers of an answer tell of the whole tenant."""
    return row.version, row.as_of, row.tenant_name


class AnswerCache:
    """The function in front of Flask, and the hook that keeps the answers of Flask."""

    def __init__(self, parts: State) -> None:
        self._parts = parts
        self._constant = encoded(parts.constant.items())
        self._answers = Answers(parts.config.answers_mb * 2**20)
        self._clock = parts.clock or system_clock

    def in_front_of(self, wsgi_app: WSGIApplication) -> WSGIApplication:
        """Return the application with the memory in front of it."""

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            cached = self._answer(environ, self._probe)
            if cached is None:
                return wsgi_app(environ, start_response)
            status, headers, body = cached
            texts = [(name.decode("latin-1"), text.decode("latin-1")) for name, text in headers]
            start_response(f"{status} {HTTPStatus(status).phrase.upper()}", texts)
            return [body]

        return answer

    def answer_at_once(self, environ: WSGIEnvironment) -> Answer | None:
        """Return an answer from memory if it need not wait for PostgreSQL; otherwise None."""
        return self._answer(environ, self._probe_ahead)

    def keep(self, response: Response, record: Record) -> Response:
        """Keep an answer of Flask if it may be given again. Returns it."""
        request, user_id = record.request, record.user_id
        if record.row is None or user_id is None:
            return response
        self._answers.note(user_id, record.row)
        key = _noted_key(request.environ)
        if key is None or not record.opening or response.status_code != HTTPStatus.OK or not request.url_rule:
            return response
        ANSWERS_MISSES.inc()
        answer = CachedAnswer(
            user_id=user_id,
            route=request.url_rule.rule,
            rows=record.rows,
            state=record.row.state,
            tag=record.tag,
            stands_until=record.stands_until,
            min_as_of=record.min_as_of,
            headers=self._constant
            + encoded([pair for pair in response.headers if pair[0] != "Content-Length"]),
            body=record.body or opened(None, response.get_data()[: record.opening]),
        )
        self._answers.keep(key, answer)
        return response

    def _answer(
        self, environ: WSGIEnvironment, probe_of: Callable[[Tenant], VersionProbe | None]
    ) -> Answer | None:
        """Return an answer from memory, checked by a probe of its tenant; None if Flask has to answer."""
        key = _noted_key(environ)
        entry = None if key is None else self._answers.find(key)
        if entry is None:
            return None
        cached, tenant = entry
        started, authorizer, limit = perf_counter(), self._parts.authorizer, self._parts.limit
        credential = environ.get(CREDENTIAL, "")
        caller = authorizer.cached_access(credential, cached.user_id) if authorizer else NOTHING
        if caller is None:
            return None
        probe = probe_of(tenant)
        if probe is None or not self._stands(cached, probe):
            return None
        tags = known_tags(environ) or ()
        is_by_version = cached.tag in tags and cached.min_as_of is None and is_of_version(cached.tag)
        own = dict(probe.headers)
        # This comes last, because Flask counts the requests that are left to it.
        if limit is not None and not is_by_version:
            counted = limit.count(cached.user_id)
            if counted.is_beyond:
                return None
            own |= limit.headers_for(counted)
        now = self._clock()
        name = own["X-Correlation-Id"] = correlation_id(environ, now)
        if cached.tag in tags or "*" in tags:
            status, rows, body = 304, 0, b""
            headers = [pair for pair in cached.headers if pair[0] not in _OF_BODY]
        else:
            status, rows, headers = 200, cached.rows, cached.headers
            body = cached.body.ended(closing(now, name))
            own["Content-Length"] = str(len(body))
            if environ["REQUEST_METHOD"] == "HEAD":
                body = b""
        ANSWERS_HITS.inc()
        self._parts.log.write(
            environ,
            Answered(cached.route, cached.user_id, status, started, rows, name, caller.name or None),
        )
        return status, [*headers, *encoded(own.items())], body

    def _probe(self, tenant: Tenant) -> VersionProbe | None:
        """Return a probe of the tenant that began within PROBE_SECONDS; None if there is none in time."""
        if (probe := tenant.remembered()) is not None:
            return probe
        # Meanwhile the request counts as in flight.
        with IN_FLIGHT.track_inprogress():
            if not tenant.probing.acquire(timeout=PATIENCE_SECONDS):
                return None
            if (probe := tenant.remembered()) is None:
                return self._ask(tenant)
            tenant.probing.release()
            return probe

    def _probe_ahead(self, tenant: Tenant) -> VersionProbe | None:
        """Return the last probe if it may be used, and begin the next one before it expires."""
        probe = tenant.remembered()
        if probe and probe.at < monotonic() - AHEAD_SECONDS and tenant.probing.acquire(blocking=False):
            ask = partial(self._ask, tenant)
            if not self._parts.admission.run_at_once(tenant.user_id, ask):
                tenant.probing.release()
        return probe

    def _ask(self, tenant: Tenant) -> VersionProbe | None:
        """Probe a tenant, and release its lock. Returns None after an error, which Flask then answers."""
        at = monotonic()
        try:
            row = self._parts.read_model.look(tenant_now(tenant.user_id))
            tenant.probe = VersionProbe(row, at, freshness_headers(row))
        except Exception:  # noqa: BLE001  # Flask has an answer to each.
            tenant.probe = None
        finally:
            tenant.probing.release()
        return tenant.probe

    def _stands(self, cached: CachedAnswer, probe: VersionProbe) -> bool:
        """Return whether an answer equals what PostgreSQL would have returned at the time of a probe."""
        row = probe.row
        if row.state != cached.state:
            return False
        if cached.stands_until is not None:
            # Only tests use another clock than that of the database.
            clock = self._parts.now() or row.clock + timedelta(seconds=monotonic() - probe.at)
            if clock > cached.stands_until:
                return False
        if cached.min_as_of is not None and (row.as_of is None or not is_fresh(row.as_of, cached.min_as_of)):
            return False
        return monotonic() < cached.ends
