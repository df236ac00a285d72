"""The rate limit of each tenant."""

from collections import Counter
from functools import lru_cache
from hashlib import sha256
from math import ceil
from threading import Lock
from time import monotonic, time
from types import SimpleNamespace
from typing import Any, NamedTuple

import structlog
from flask import Flask
from flask_limiter import HeaderNames, Limiter
from limits import parse
from limits.errors import StorageError
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from werkzeug.exceptions import TooManyRequests

from api.config import MEMORY, Config
from api.observe.meters import RATE_LIMITED, STORE_FAILURES
from api.request.record import Record, record

LIMIT = HeaderNames.LIMIT.value
REMAINING = HeaderNames.REMAINING.value
RESET = HeaderNames.RESET.value
# The headers of draft-ietf-httpapi-ratelimit-headers, from its version 08 on.
STANDARD = "RateLimit"
STANDARD_POLICY = "RateLimit-Policy"
POLICY = '"tenant"'
# A store that does not answer must not delay the requests.
STORE_TIMEOUT_SECONDS = 1
STORE_PAUSE_SECONDS = 5
# How many tenants are counted at once; each takes some 200 bytes.
MAX_KEPT_WINDOWS = 100_000
_LONGEST_KEY = 64

log = structlog.get_logger()


class Counted(NamedTuple):
    """The rest of the limit after a request; `ends_at` is in seconds since 1970."""

    left: int
    ends_at: int
    seconds_left: int
    is_beyond: bool


class TenantLimit:
    """One limit for all endpoints of a tenant, by the tenant of the path.

    Flask-Limiter provides the store, the strategy and the key, and its `limiter` counts, both for the hook and for
    answers from memory. Its own hooks would look up the limits at each request, which takes ten times as long.
    """

    def __init__(self, app: Flask, config: Config) -> None:
        limit = parse(config.rate_limit)
        self._seconds = limit.get_expiry()
        # The strategy reads these of a limit. The cache saves computing the key of a tenant three times a request.
        key_for = lru_cache(maxsize=4096)(limit.key_for)
        self._limit: Any = SimpleNamespace(amount=limit.amount, get_expiry=limit.get_expiry, key_for=key_for)
        self._amount = str(limit.amount)
        # Without a shared store each process counts for itself.
        self._own_counts = _limiter(app, f"{WindowCounts.STORAGE_SCHEME[0]}://")
        self._store: Limiter | None = None
        if config.rate_limit_storage != MEMORY:
            self._store = _limiter(app, config.rate_limit_storage)
        # When a store that did not answer is asked again; 0 while it answers.
        self._pause_ends = 0.0
        self._policy = f"{POLICY};q={limit.amount};w={self._seconds}"

    def check(self, record: Record) -> None:
        """Count a request, and say in the headers of its answer what is left. Raises TooManyRequests over the limit."""
        if not record.is_of_tenant:
            return
        counted = self.count(str(record.user_id))
        record.headers.update(self.headers_for(counted))
        record.limit_seconds_left = counted.seconds_left
        if counted.is_beyond:
            RATE_LIMITED.inc()
            raise TooManyRequests

    def count(self, tenant: str) -> Counted:
        """Count a request of a tenant. Returns what is left."""
        now = int(time())
        is_within, left, ends_at = self._count(tenant)
        # A store knows the end only to about a second.
        ends_at = min(ceil(ends_at), now + self._seconds)
        return Counted(left, ends_at, max(1, ends_at - now), not is_within)

    def headers_for(self, counted: Counted) -> dict[str, str]:
        """Return the headers that say how much is left."""
        left = counted.left
        return {
            LIMIT: self._amount,
            REMAINING: str(left),
            RESET: str(counted.ends_at),
            STANDARD: f"{POLICY};r={left};t={counted.seconds_left}",
            STANDARD_POLICY: self._policy,
        }

    def _count(self, tenant: str) -> tuple[bool, int, float]:
        """Return whether a request is within the limit, what is left, and when the window ends in seconds since 1970.

        While the store does not answer, this process counts alone.
        """
        if self._store is not None and monotonic() >= self._pause_ends:
            try:
                counted = self._hit(self._store, tenant)
            except StorageError as error:
                STORE_FAILURES.inc()
                # Logged once, however often the store is tried until it is back.
                if not self._pause_ends:
                    log.warning("the store of the rate limit is away: counting in memory", cause=str(error))
                self._pause_ends = monotonic() + STORE_PAUSE_SECONDS
            else:
                if self._pause_ends:
                    self._pause_ends = 0.0
                    log.warning("the store of the rate limit is back: counting there")
                return counted
        return self._hit(self._own_counts, tenant)

    def _hit(self, store: Limiter, tenant: str) -> tuple[bool, int, float]:
        if len(tenant) > _LONGEST_KEY:
            # A caller may write any id; the id of a tenant is hardly ever this long.
            tenant = sha256(tenant.encode(errors="surrogatepass")).hexdigest()
        is_within = store.limiter.hit(self._limit, tenant)
        ends_at, left = store.limiter.get_window_stats(self._limit, tenant)
        return is_within, left, ends_at


def _limiter(app: Flask, address: str) -> Limiter:
    """Return the limiter of a store, which may be the memory of this process."""
    timeouts = dict.fromkeys(("socket_connect_timeout", "socket_timeout"), STORE_TIMEOUT_SECONDS)
    limiter = Limiter(
        lambda: str(record().user_id),
        strategy="fixed-window",
        storage_uri=address,
        storage_options={"wrap_exceptions": True, **timeouts},
    )
    # It adds its hooks to an application that does not list it yet.
    app.extensions.setdefault("limiter", set()).add(limiter)
    limiter.init_app(app)
    return limiter


def counting_alone() -> FixedWindowRateLimiter:
    """Return a counter for this process alone, by any key."""
    return FixedWindowRateLimiter(WindowCounts())


class WindowCounts(MemoryStorage):
    """Fixed windows that end at a whole second, counted by one process.

    The memory store of `limits` starts a thread for every ten milliseconds of traffic, which visits each window. That
    costs a request 50 µs of processor time, and 400 µs with 19,000 windows. It also keeps any number of windows.
    """

    STORAGE_SCHEME = ["leads-memory"]  # noqa: RUF012  # As inherited.

    def __init__(self, uri: str | None = None, *, wrap_exceptions: bool = False, **_: object) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions)
        self._lock = Lock()

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count a request, and return the number of requests in its window."""
        now = int(time())
        with self._lock:
            # A window that ends later than a new one would was made before the clock was set back.
            if not now < self.expirations.get(key, 0) <= now + expiry:
                # The windows are in the order in which they began.
                self.clear(key)
                if len(self.expirations) >= MAX_KEPT_WINDOWS:
                    self._forget(now)
                self.expirations[key] = now + expiry
            self.storage[key] += amount
            return self.storage[key]

    def get(self, key: str) -> int:
        """Return the number of requests in a window; the inherited method would forget one that ends now."""
        return self.storage.get(key, 0)

    def _forget(self, now: int) -> None:
        """Drop the windows that are over.

        Memory is bounded, so if too many are still open, the older half goes too: their tenants may send a few requests
        more.
        """
        kept = [key for key, ends_at in self.expirations.items() if ends_at > now][-MAX_KEPT_WINDOWS // 2 :]
        self.storage = Counter({key: self.storage[key] for key in kept})
        self.expirations = {key: self.expirations[key] for key in kept}
