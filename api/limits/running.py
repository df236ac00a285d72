"""How many requests run at once: of one tenant, so that its dearest cannot keep the others waiting, and of all.

The threads that answer are few more than these. While requests end soon, the rest waits in the queue of these threads,
which costs nothing, and the threads beyond sleep here: whoever ends a request takes the next one from that queue. Only
while requests do not end does a further one have to be refused, so that a thread is left to say so.
"""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock, Semaphore
from time import monotonic

from werkzeug.exceptions import BadRequest

from api.database.errors import UnavailableError
from api.request.record import Record
from api.request.text import MAX_ID_LENGTH

# How long a request waits for its turn: as one of few, and one more while requests end all the time.
WAIT_SECONDS = 1.0
STILL_SECONDS = 0.5
# A request that has waited for so long goes before those that come later.
TURN_SECONDS = 0.1
# Of one tenant, and of all; each holds a thread.
MAX_WAITING = 4
MAX_ALL_WAITING = 6
# Threads that only answer what never waits, such as refusals.
SPARE_THREADS = 1

TENANT_IS_BUSY = "This tenant has as many requests under way as it may have: try again in a second"
ALL_ARE_BUSY = "The API has as many requests under way as it takes: try again in a second"

# What has no tenant is bound together, as if it were one.
_NO_TENANT = ""


def enter(running: "RunningRequests", one: Record) -> None:
    """Refuse ids that are too long, and have the request begin when it has its turn."""
    request = one.request
    for name, value in (request.view_args or {}).items():
        # Longer than the platform can store. A method that is not taken is refused as such.
        if len(value) > MAX_ID_LENGTH and request.routing_exception is None:
            raise BadRequest(f"{name} is longer than {MAX_ID_LENGTH} characters")
    tenant = one.user_id or _NO_TENANT
    running.enter(tenant)
    one.place = tenant


def most_of_tenant(threads: int) -> int:
    """Return how many requests of one tenant use the database at once: some connections are left to the others."""
    return max(1, threads * 4 // 5)


def server_threads(threads: int) -> int:
    """Return the threads that the server needs so that a request that waits keeps no other from being refused."""
    return threads + MAX_ALL_WAITING + SPARE_THREADS


@dataclass(slots=True)
class _Places:
    """Places that are taken, and when the last of them was given back or the first was taken."""

    taken: int = 0
    moved_at: float = field(default_factory=monotonic)


@dataclass(slots=True, eq=False)
class _Waiter:
    """A request that waits until it has its turn."""

    tenant: str
    since: float = field(default_factory=monotonic)
    turn: Semaphore = field(default_factory=lambda: Semaphore(0))


class RunningRequests:
    """Counts the requests that run, of all and of each tenant, and lets a few further ones wait for their turn."""

    def __init__(self, threads: int) -> None:
        self._threads = threads
        self._most = most_of_tenant(threads)
        self._lock = Lock()
        self._all = _Places()
        self._tenants: dict[str, _Places] = {}
        # The one that has waited longest is the first.
        self._waiting: deque[_Waiter] = deque()

    def enter(self, tenant: str) -> None:
        """Begin a request. Waits up to a second for its turn. Raises UnavailableError if it does not come."""
        with self._lock:
            if self._take(tenant):
                return
            patience = self._patience(tenant)
            waiter = _Waiter(tenant)
            self._waiting.append(waiter)
        for seconds, is_last in ((TURN_SECONDS, False), (patience - TURN_SECONDS, True)):
            if waiter.turn.acquire(timeout=seconds):
                return
            with self._lock:
                # It was given a place at the last moment, or one is free.
                has_place = waiter not in self._waiting or self._take(tenant)
                if waiter in self._waiting and (has_place or is_last):
                    self._waiting.remove(waiter)
            if has_place:
                return
        raise self._busy(tenant)

    def enter_at_once(self, tenant: str) -> bool:
        """Begin a request that need not wait for its turn. Returns whether it did."""
        with self._lock:
            return self._take(tenant)

    def leave(self, tenant: str) -> None:
        """End a request. Its place is free for the next, unless another has waited for it for long."""
        with self._lock:
            own = self._tenants[tenant]
            own.taken -= 1
            self._all.taken -= 1
            own.moved_at = self._all.moved_at = monotonic()
            if not own.taken:
                del self._tenants[tenant]
            # To wake a thread at every end would cost more than all the rest here.
            if self._waiting and (
                own.taken * 2 < self._most or own.moved_at - self._waiting[0].since >= TURN_SECONDS
            ):
                for waiter in self._waiting:
                    if self._take(waiter.tenant):
                        self._waiting.remove(waiter)
                        waiter.turn.release()
                        break

    def _take(self, tenant: str) -> bool:
        own = self._tenants.get(tenant)
        if self._all.taken >= self._threads:
            return False
        if own is None:
            own = self._tenants[tenant] = _Places()
        elif own.taken >= self._most:
            return False
        own.taken += 1
        self._all.taken += 1
        return True

    def _patience(self, tenant: str) -> float:
        """Return how long a request of this tenant may wait. Raises UnavailableError if it may not."""
        of_tenant = sum(waiter.tenant == tenant for waiter in self._waiting)
        if of_tenant < MAX_WAITING and len(self._waiting) < MAX_ALL_WAITING:
            return WAIT_SECONDS
        places = self._tenants[tenant] if self._is_full(tenant) else self._all
        if monotonic() - places.moved_at > STILL_SECONDS:
            raise self._busy(tenant)
        return STILL_SECONDS

    def _busy(self, tenant: str) -> UnavailableError:
        return UnavailableError(TENANT_IS_BUSY if self._is_full(tenant) else ALL_ARE_BUSY)

    def _is_full(self, tenant: str) -> bool:
        own = self._tenants.get(tenant)
        return own is not None and own.taken >= self._most
