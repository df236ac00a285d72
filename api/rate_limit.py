"""The rate limit of each tenant."""

from http import HTTPStatus
from math import inf
from threading import Lock
from time import monotonic, time

import structlog
from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter
from limits import RateLimitItem, parse
from werkzeug.exceptions import MethodNotAllowed, TooManyRequests

from api.config import MEMORY, Config

LIMITED_BLUEPRINT = "leads"
# A store that does not answer must not delay the requests.
STORE_TIMEOUT_SECONDS = 1
STORE_PAUSE_SECONDS = 5
MIN_KEPT_WINDOWS = 10_000

# Each line of the log asks for its logger, because create_app configures structlog after this import.
log = structlog.get_logger


def install(app: Flask, config: Config) -> None:
    """Count every request of the four endpoints, and put the rest of the limit into the headers of its answer."""
    if config.rate_limit:
        app.before_request(_count_refused_method)
        TenantLimiter(parse(config.rate_limit), config.rate_limit_storage).init_app(app)
        app.after_request(_put_headers)


class TenantLimiter(Limiter):
    """Flask-Limiter with its stores, and a check of our own.

    There is one limit, for four endpoints, by one part of their path. Flask-Limiter resolves limits in general at each
    request, which takes longer than the rest of the request.
    """

    def __init__(self, limit: RateLimitItem, storage: str) -> None:
        timeouts: dict[str, str | int] = {
            "socket_connect_timeout": STORE_TIMEOUT_SECONDS,
            "socket_timeout": STORE_TIMEOUT_SECONDS,
        }
        options = {} if storage == MEMORY else timeouts
        super().__init__(_tenant, strategy="fixed-window", storage_uri=storage, storage_options=options)
        self._limit = limit
        self._own_counts = WindowCounts(limit.get_expiry())
        # Without a store, this process counts alone for ever.
        self._pause_ends = inf if storage == MEMORY else 0.0

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # As inherited.
        if request.blueprint != LIMITED_BLUEPRINT:
            return
        used, ends_at = self._count(self._limit.key_for(_tenant()))
        g.limit = (self._limit.amount, max(0, self._limit.amount - used), int(ends_at + 1))
        if used > self._limit.amount:
            raise TooManyRequests

    def _count(self, key: str) -> tuple[int, float]:
        """Returns the requests of this window, and when it ends in seconds since 1970.

        While the store does not answer, this process counts alone.
        """
        if monotonic() >= self._pause_ends:
            try:
                return self.storage.incr(key, self._limit.get_expiry()), self.storage.get_expiry(key)
            except self.storage.base_exceptions as error:
                self._pause_ends = monotonic() + STORE_PAUSE_SECONDS
                log().warning("the store of the rate limit is away: counting in memory", cause=str(error))
        return self._own_counts.count(key)


class WindowCounts:
    """Fixed windows, counted by one process.

    Flask-Limiter's store in memory starts a thread at every other request, which takes longer than counting.
    """

    def __init__(self, seconds: int) -> None:
        self._seconds = seconds
        self._windows: dict[str, tuple[int, float]] = {}
        self._max_windows = MIN_KEPT_WINDOWS
        self._lock = Lock()

    def count(self, key: str) -> tuple[int, float]:
        """Returns the requests of this window with this one, and when it ends in seconds since 1970."""
        now = time()
        with self._lock:
            used, ends_at = self._windows.get(key, (0, 0.0))
            if ends_at <= now:
                used, ends_at = 0, now + self._seconds
                if len(self._windows) >= self._max_windows:
                    self._forget(now)
            self._windows[key] = (used + 1, ends_at)
        return used + 1, ends_at

    def _forget(self, now: float) -> None:
        """Drop the windows that are over; if these were few, the next time comes later."""
        self._windows = {key: window for key, window in self._windows.items() if window[1] > now}
        self._max_windows = max(MIN_KEPT_WINDOWS, 2 * len(self._windows))


def _tenant() -> str:
    return str((request.view_args or {}).get("user_id"))


def _count_refused_method() -> None:
    """Have a request with a method that is not allowed count too: the endpoint answers it."""
    if isinstance(request.routing_exception, MethodNotAllowed):
        adapter = current_app.create_url_adapter(request)
        if adapter is not None:
            request.url_rule, arguments = adapter.match(method="GET", return_rule=True)
            request.view_args = dict(arguments)


def _put_headers(response: Response) -> Response:
    limit = g.get("limit")
    if limit is not None:
        amount, left, ends_at = limit
        response.headers.add("X-RateLimit-Limit", str(amount))
        response.headers.add("X-RateLimit-Remaining", str(left))
        response.headers.add("X-RateLimit-Reset", str(ends_at))
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            response.headers.add("Retry-After", str(max(1, ends_at - int(time()))))
    return response
