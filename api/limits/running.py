"""How many requests run at once: of one tenant, so that its dearest cannot keep the others waiting, and of all.

The threads that answer are few more than these. While requests end soon, the rest waits in the queue of these threads,
which costs nothing, and the threads beyond sleep here: whoever ends a request takes the next one from that queue. Only
while requests do not end does a further one have to be refused, so that a thread is left to say so.
"""

from time import monotonic

from api.database.errors import UnavailableError
from api.limits.places import Places
from api.request.error_codes import ErrorCode, RequestError
from api.request.record import Record
from api.request.text import MAX_ID_LENGTH

# How long a request waits for its turn: as one of few, and one more while requests end all the time.
WAIT_SECONDS = 1.0
STILL_SECONDS = 0.5
# Of one tenant, and of all; each holds a thread.
MAX_WAITING = 4
MAX_ALL_WAITING = 6
# Threads that only answer what never waits, such as refusals.
SPARE_THREADS = 1

TENANT_IS_BUSY = "This tenant has as many requests under way as it may have: try again in a second"
ALL_ARE_BUSY = "The API has as many requests under way as it takes: try again in a second"

# What has no tenant is bound together, as if it were one.
_NO_TENANT = ""


def server_threads(threads: int) -> int:
    """Return the threads that the server needs so that a request that waits keeps no other from being refused."""
    return threads + MAX_ALL_WAITING + SPARE_THREADS


class RunningRequests(Places):
    """The requests that run, and the few further ones that wait for their turn."""

    def begin(self, record: Record) -> None:
        """Refuse ids that are too long, and have the request begin when it has its turn."""
        request = record.request
        for name, value in (request.view_args or {}).items():
            # Longer than the platform can store. A method that is not taken is refused as such.
            if len(value) > MAX_ID_LENGTH and request.routing_exception is None:
                raise RequestError(
                    f"{name} is longer than {MAX_ID_LENGTH} characters", name, ErrorCode.BAD_ID
                )
        tenant = record.user_id or _NO_TENANT
        self.enter(tenant)
        record.place = tenant

    def enter(self, tenant: str) -> None:
        """Begin a request. Wait up to a second for its turn. Raise UnavailableError if it does not come."""
        if not self.take(tenant):
            raise self._busy(tenant)

    def _patience(self, tenant: str) -> float:
        """Return how long a request of this tenant may wait. Raise UnavailableError if it may not."""
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
        return own is not None and own.count >= self._most_of_tenant
