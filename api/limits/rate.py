"""The rate limit of each tenant."""

from hashlib import sha256
from itertools import islice
from math import ceil
from threading import Lock
from time import monotonic, time
from typing import TYPE_CHECKING, NamedTuple, cast

import structlog
from flask import Flask
from flask_limiter import HeaderNames
from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import Storage, storage_from_string
from werkzeug.exceptions import TooManyRequests

from api.config import MEMORY, Config
from api.observe.meters import RATE_LIMITED, STORE_FAILURES
from api.request import current
from api.request.addresses import find_address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

LIMITED_BLUEPRINTS = frozenset({"leads", "exports", "changes"})
LIMIT = HeaderNames.LIMIT.value
REMAINING = HeaderNames.REMAINING.value
RESET = HeaderNames.RESET.value
# The same as draft-ietf-httpapi-ratelimit-headers has it, since its version 08.
STANDARD = "RateLimit"
STANDARD_POLICY = "RateLimit-Policy"
POLICY = '"tenant"'
# A store that does not answer must not delay the requests.
STORE_TIMEOUT_SECONDS = 1
STORE_PAUSE_SECONDS = 5
MIN_KEPT_WINDOWS = 10_000
# Of tenants that send requests within one window; each window takes some 200 bytes.
MAX_KEPT_WINDOWS = 200_000
_LONGEST_KEY = 64

# Each line of the log asks for its logger, because create_app configures structlog after this import.
log = structlog.get_logger


def install(app: Flask, config: Config) -> "TenantLimit | None":
    """Count every request of the four endpoints, and put the rest of the limit into the headers of its answer."""
    if not config.rate_limit:
        return None
    store = None
    # Without one each process counts for itself.
    if config.rate_limit_storage != MEMORY:
        timeout = STORE_TIMEOUT_SECONDS
        options = {"socket_connect_timeout": timeout, "socket_timeout": timeout, "wrap_exceptions": True}
        # An address whose scheme begins with async+ would give another kind of store; Config refuses it.
        store = cast("Storage", storage_from_string(config.rate_limit_storage, **options))
    limit = TenantLimit(parse(config.rate_limit), store)
    app.before_request(limit.check)
    return limit


class Counted(NamedTuple):
    """What is left of a limit after a request: `ends_at` in seconds since 1970."""

    left: int
    ends_at: int
    seconds_left: int
    is_beyond: bool


class TenantLimit:
    """One limit for four endpoints, by one part of their path.

    It counts with `limits`, the library beneath Flask-Limiter. Flask-Limiter itself finds out at each request which
    limits apply, which costs more than counting: its hooks alone take a sixth of the time of a request.
    """

    def __init__(self, limit: RateLimitItem, store: Storage | None) -> None:
        self._limit = limit
        self._amount = str(limit.amount)
        self._seconds = limit.get_expiry()
        self._store = store
        self._own_counts = WindowCounts(self._seconds)
        # When the store, which was away, is asked again; 0 while it answers.
        self._pause_ends = 0.0
        self._policy = f"{POLICY};q={limit.amount};w={self._seconds}"

    def check(self) -> None:
        """Count this request, and have its answer say what is left. Raises TooManyRequests beyond the limit."""
        request = current.request()
        # What a browser asks before a request shows no one, and may use up the limit of none.
        if request.method == "OPTIONS":
            return
        rule = request.url_rule or find_address(request)
        if rule is None or rule.endpoint.partition(".")[0] not in LIMITED_BLUEPRINTS:
            return
        counted = current.state_of(request.environ).counted or self.count(
            request.environ, str((request.view_args or {}).get("user_id"))
        )
        current.put_headers(self.headers_for(counted))
        current.values().limit_seconds_left = counted.seconds_left
        if counted.is_beyond:
            RATE_LIMITED.inc()
            raise TooManyRequests

    def count(self, environ: "WSGIEnvironment", tenant: str) -> "Counted":
        """Count a request of a tenant, which `check` then does not count again."""
        now = int(time())
        used, ends_at = self._count(tenant)
        # A store knows the end only to about a second.
        ends_at = min(ceil(ends_at), now + self._seconds)
        left = self._limit.amount - used
        counted = Counted(max(0, left), ends_at, max(1, ends_at - now), left < 0)
        current.state_of(environ).counted = counted
        return counted

    def headers_for(self, counted: "Counted") -> dict[str, str]:
        """Returns the headers that say how much is left."""
        left = counted.left
        return {
            LIMIT: self._amount,
            REMAINING: str(left),
            RESET: str(counted.ends_at),
            STANDARD: f"{POLICY};r={left};t={counted.seconds_left}",
            STANDARD_POLICY: self._policy,
        }

    def _count(self, tenant: str) -> tuple[int, float]:
        """Returns the requests of this window, and when it ends in seconds since 1970.

        While the store does not answer, this process counts alone.
        """
        if self._store is not None and monotonic() >= self._pause_ends:
            try:
                key = self._limit.key_for(tenant)
                counted = self._store.incr(key, self._seconds), self._store.get_expiry(key)
            except StorageError as error:
                STORE_FAILURES.inc()
                # Once, however often it is tried until it is back.
                if not self._pause_ends:
                    log().warning("the store of the rate limit is away: counting in memory", cause=str(error))
                self._pause_ends = monotonic() + STORE_PAUSE_SECONDS
            else:
                if self._pause_ends:
                    self._pause_ends = 0.0
                    log().warning("the store of the rate limit is back: counting there")
                return counted
        return self._own_counts.count(tenant)


class WindowCounts:
    """Fixed windows that end at a whole second, counted by one process.

    The store in memory of `limits` starts a thread every ten milliseconds of traffic, which looks at each window: a
    request then takes 50 µs of processor time more, and 400 with 19,000 windows.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._windows: dict[str, tuple[int, int]] = {}
        self._max_windows = MIN_KEPT_WINDOWS
        self._lock = Lock()

    def count(self, key: str) -> tuple[int, int]:
        """Returns the requests of this window with this one, and when it ends in seconds since 1970."""
        now = int(time())
        # A caller may write any id. A tenant's is hardly ever so long.
        if len(key) > _LONGEST_KEY:
            key = sha256(key.encode(errors="surrogatepass")).hexdigest()
        with self._lock:
            used, ends_at = self._windows.get(key, (0, 0))
            # A window that ends later than a new one would is from before the clock was set back.
            if not now < ends_at <= now + self._seconds:
                used, ends_at = 0, now + self._seconds
                # The windows are in the order in which they began.
                self._windows.pop(key, None)
                if len(self._windows) >= self._max_windows:
                    self._forget(now)
            self._windows[key] = (used + 1, ends_at)
        return used + 1, ends_at

    def _forget(self, now: int) -> None:
        """Drop the windows that are over; if these were few, the next time comes later.

        Where very many are not over, the older half goes too, because memory is bounded: their tenants may send a few
        requests more.
        """
        kept = {key: window for key, window in self._windows.items() if window[1] > now}
        if len(kept) >= MAX_KEPT_WINDOWS:
            kept = dict(islice(kept.items(), len(kept) - MAX_KEPT_WINDOWS // 2, None))
        self._windows = kept
        self._max_windows = min(max(MIN_KEPT_WINDOWS, 2 * len(kept)), MAX_KEPT_WINDOWS)
