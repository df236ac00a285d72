"""So many requests a minute for each tenant."""

from http import HTTPStatus
from time import monotonic, time

import structlog
from flask import Flask, Response, current_app, g, request
from flask_limiter import Limiter
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage, Storage
from werkzeug.exceptions import MethodNotAllowed, TooManyRequests

from api.config import MEMORY, Config

LIMITED_BLUEPRINT = "leads"
# A store that does not answer must not hold up the requests.
STORE_TIMEOUT_SECONDS = 1
STORE_PAUSE_SECONDS = 5

log = structlog.get_logger  # Called at each line: whoever configures later is heard.


def install(app: Flask, config: Config) -> None:
    """Count every request of the four endpoints, and say on every answer what is left."""
    if config.rate_limit:
        app.before_request(_see_refused_method)
        TenantLimiter(parse(config.rate_limit), config.rate_limit_storage).init_app(app)
        app.after_request(_say_what_is_left)


class TenantLimiter(Limiter):
    """Flask-Limiter's set-up and stores, with a check of its own.

    There is one limit, for four endpoints, by one part of their path: to resolve that in general at each request
    takes longer than the rest of the request.
    """

    def __init__(self, limit: RateLimitItem, storage: str) -> None:
        timeouts: dict[str, str | int] = {
            "socket_connect_timeout": STORE_TIMEOUT_SECONDS,
            "socket_timeout": STORE_TIMEOUT_SECONDS,
        }
        options = {} if storage == MEMORY else timeouts
        super().__init__(_tenant, strategy="fixed-window", storage_uri=storage, storage_options=options)
        self._limit = limit
        self._own_storage = MemoryStorage()
        self._pause_ends = 0.0

    def _check_request_limit(self, callable_name: str | None = None, in_middleware: bool = True) -> None:  # noqa: ARG002, FBT001, FBT002  # As inherited.
        if request.blueprint != LIMITED_BLUEPRINT:
            return
        used, ends_at = self._count(self._limit.key_for(_tenant()))
        g.limit = (self._limit.amount, max(0, self._limit.amount - used), int(ends_at + 1))
        if used > self._limit.amount:
            raise TooManyRequests

    def _count(self, key: str) -> tuple[int, float]:
        """The requests of this window, and when it ends; counted by this process alone while the store is away."""
        if monotonic() >= self._pause_ends:
            try:
                return self._count_in(self.storage, key)
            except self.storage.base_exceptions as error:
                self._pause_ends = monotonic() + STORE_PAUSE_SECONDS
                log().warning("the store of the rate limit is away: counting in memory", cause=str(error))
        return self._count_in(self._own_storage, key)

    def _count_in(self, storage: Storage, key: str) -> tuple[int, float]:
        return storage.incr(key, self._limit.get_expiry()), storage.get_expiry(key)


def _tenant() -> str:
    return str((request.view_args or {}).get("user_id"))


def _see_refused_method() -> None:
    """Let a request count whose method is refused: that too is an answer of the endpoint."""
    if isinstance(request.routing_exception, MethodNotAllowed):
        adapter = current_app.create_url_adapter(request)
        if adapter is not None:
            request.url_rule, arguments = adapter.match(method="GET", return_rule=True)
            request.view_args = dict(arguments)


def _say_what_is_left(response: Response) -> Response:
    limit = g.get("limit")
    if limit is not None:
        amount, left, ends_at = limit
        response.headers.add("X-RateLimit-Limit", str(amount))
        response.headers.add("X-RateLimit-Remaining", str(left))
        response.headers.add("X-RateLimit-Reset", str(ends_at))
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            response.headers.add("Retry-After", str(max(1, ends_at - int(time()))))
    return response
