"""The event streams that are open. They have no thread and no connection to the database of their own."""

from collections import Counter
from threading import Lock

from api.database.errors import UnavailableError
from api.limits.running import most_of_tenant
from api.observe.meters import STREAMS

BUSY = (
    "As many event streams are open as there may be (LEADS_STREAMS): ask without a stream, or try again later"
)


class Streams:
    """Counts the open streams. Of several places no tenant has all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = Lock()
        self._taken: Counter[str] = Counter()

    def take(self, tenant: str) -> None:
        """Open a stream. Raises UnavailableError if there is no place for it."""
        with self._lock:
            if self._taken.total() >= self._most or self._taken[tenant] >= most_of_tenant(self._most):
                raise UnavailableError(BUSY)
            self._taken[tenant] += 1
        STREAMS.inc()

    def give_back(self, tenant: str) -> None:
        """Close a stream."""
        with self._lock:
            self._taken -= Counter([tenant])
        STREAMS.dec()
