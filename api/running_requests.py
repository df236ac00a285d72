"""How many requests run at once: of one tenant, so that its dearest cannot keep the others waiting, and of all."""

from collections import deque
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING

from flask import Flask
from flask.globals import request_ctx
from werkzeug.exceptions import BadRequest

from api.config import Config
from api.database.errors import UnavailableError
from api.request.text import MAX_ID_LENGTH

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

WAIT_SECONDS = 1.0
# Of one tenant, and of all; each holds a thread. More of a tenant are refused at once.
MAX_WAITING = 64
MAX_AT_ONCE = 256
# Threads that only answer what never waits: `/health/live`, and refusals.
SPARE_THREADS = 8

TENANT_IS_BUSY = "This tenant has as many requests under way as it may have: try again in a second"
ALL_ARE_BUSY = "The API has as many requests under way as it takes: try again in a second"

# It has to answer while all others wait.
_UNBOUNDED = "health.live"
# What has no tenant is bound together, as if it were one.
_NO_TENANT = ""
_TENANT = "leads.running_tenant"


def install(app: Flask, config: Config) -> None:
    """Refuse ids that are too long, and bound the requests that run."""
    running = RunningRequests(most_of_tenant(config.threads))

    def enter() -> None:
        # Each attribute of flask.request would be looked up through the context.
        request = request_ctx.request
        arguments = request.view_args
        tenant = _NO_TENANT
        if arguments:
            if max(map(len, arguments.values())) > MAX_ID_LENGTH:
                _refuse_long_ids(arguments)
            tenant = arguments.get("user_id", _NO_TENANT)
        elif request.endpoint == _UNBOUNDED:
            return
        running.enter(tenant)
        request.environ[_TENANT] = tenant

    wsgi_app = app.wsgi_app

    # A function of Flask's that runs at the end of a request takes five times as long.
    def leave_at_the_end(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        try:
            return wsgi_app(environ, start_response)
        finally:
            if _TENANT in environ:
                running.leave(environ[_TENANT])

    app.before_request(enter)
    app.wsgi_app = leave_at_the_end  # type: ignore[method-assign]


def most_of_tenant(threads: int) -> int:
    """Returns how many requests of one tenant use the database at once: some connections are left to the others."""
    return max(1, threads * 3 // 4)


def server_threads(threads: int) -> int:
    """Returns the threads that the server needs so that a request that waits keeps no other from being refused."""
    return max(MAX_AT_ONCE, threads) + SPARE_THREADS


class RunningRequests:
    """Counts the requests of each tenant that run, and lets further ones wait for their turn in order."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._all = 0
        self._running: dict[str, int] = {}
        self._waiting: dict[str, deque[Lock]] = {}

    def enter(self, tenant: str) -> None:
        """Begin a request. Waits up to a second for its turn. Raises UnavailableError if it does not come."""
        with self._lock:
            if self._all >= MAX_AT_ONCE:
                raise UnavailableError(ALL_ARE_BUSY)
            running = self._running.get(tenant, 0)
            if running < self._most:
                self._running[tenant] = running + 1
                self._all += 1
                return
            waiting = self._waiting.setdefault(tenant, deque())
            if len(waiting) >= MAX_WAITING:
                raise UnavailableError(TENANT_IS_BUSY)
            turn = Lock()
            turn.acquire()
            waiting.append(turn)
            self._all += 1
        if not turn.acquire(timeout=WAIT_SECONDS):
            self._give_up(tenant, turn)

    def leave(self, tenant: str) -> None:
        """End a request, and give its turn to the one that has waited longest."""
        with self._lock:
            self._all -= 1
            waiting = self._waiting.get(tenant)
            if waiting:
                turn = waiting.popleft()
                if not waiting:
                    del self._waiting[tenant]
                turn.release()
            elif self._running[tenant] > 1:
                self._running[tenant] -= 1
            else:
                del self._running[tenant]

    def _give_up(self, tenant: str, turn: Lock) -> None:
        with self._lock:
            waiting = self._waiting.get(tenant, ())
            # Its turn may have come at the last moment.
            if turn not in waiting:
                return
            self._waiting[tenant].remove(turn)
            if not self._waiting[tenant]:
                del self._waiting[tenant]
            self._all -= 1
        raise UnavailableError(TENANT_IS_BUSY)


def _refuse_long_ids(arguments: Mapping[str, str]) -> None:
    """Raise BadRequest for a user_id or a customer_phone that is longer than the platform can store."""
    for name, value in arguments.items():
        if len(value) > MAX_ID_LENGTH:
            raise BadRequest(f"{name} is longer than {MAX_ID_LENGTH} characters")
