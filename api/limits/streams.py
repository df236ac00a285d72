"""The event streams that are open. They have no thread and no connection to the database of their own."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
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

    def take(self, tenant: str) -> "Place":
        """Returns a place for a stream. Raises UnavailableError if there is none."""
        with self._lock:
            most = min(self._most, most_of_tenant(self._most))
            if self._taken.total() >= self._most or self._taken[tenant] >= most:
                raise UnavailableError(BUSY)
            self._taken[tenant] += 1
        STREAMS.inc()
        return Place(lambda: self._give_back(tenant))

    def _give_back(self, tenant: str) -> None:
        with self._lock:
            self._taken -= Counter([tenant])
        STREAMS.dec()


@dataclass(slots=True, eq=False)
class Place:
    """The place of a stream, which is free again when it is given back or forgotten."""

    _give_back: Callable[[], None]
    _is_taken: bool = field(default=True)

    def give_back(self) -> None:
        """Free the place."""
        if self._is_taken:
            self._is_taken = False
            self._give_back()

    def __del__(self) -> None:
        """Free the place of an answer that never reached the server."""
        self.give_back()
