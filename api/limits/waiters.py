"""Requests that wait: for data as fresh as they ask for, or for a change.

They wait in threads of the server that are there for them, before they take anything from others, and hold no
connection to the database: one of them at a time asks, for all that wait for the same.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Lock
from time import monotonic
from typing import TypeVar

from api.database.errors import UnavailableError

MAX_WAITING = 8
"""Of all tenants in a process. Further ones do not wait. The server has a thread more for each, and every thread makes
each request somewhat dearer: Python hands its lock over more often.
"""

MAX_WAITING_OF_TENANT = 4

Seen = TypeVar("Seen")


class Place:
    """The place of a request that waits."""

    def __init__(self, tenant: str, *, gives_way: bool) -> None:
        self.tenant = tenant
        self.gives_way = gives_way
        self._is_lost = Event()

    def sleep(self, seconds: float) -> bool:
        """Sleep for so long at most. Returns whether the request may wait on: false when it has lost its place."""
        return not self._is_lost.wait(seconds)

    def lose(self) -> None:
        """Have the request end its wait."""
        self._is_lost.set()


class Waiters:
    """The requests of a process that wait. The number of both kinds together is bounded."""

    def __init__(self) -> None:
        self._lock = Lock()
        # The one that has waited longest is the first.
        self._places: list[Place] = []
        self._looking = Lock()

    def count(self) -> int:
        """Returns how many requests wait."""
        with self._lock:
            return len(self._places)

    @contextmanager
    def place(self, tenant: str, *, gives_way: bool) -> Iterator[Place | None]:
        """Give a request of a tenant a place while it waits; None if there is none for it.

        A request that gives way loses its place to one that does not, if there is no other for that. So those that wait
        long, for a change, never keep an endpoint from waiting for a moment.
        """
        place = self._take(Place(tenant, gives_way=gives_way))
        try:
            yield place
        finally:
            if place is not None:
                with self._lock:
                    if place in self._places:
                        self._places.remove(place)

    def look(self, ask: Callable[[], Seen], ends: float) -> Seen:
        """Returns what a question to the database gives, which no other one is asked beside.

        Raises UnavailableError if another one takes until `ends`, in monotonic seconds.
        """
        if not self._looking.acquire(timeout=max(ends - monotonic(), 0.0)):
            raise UnavailableError
        try:
            return ask()
        finally:
            self._looking.release()

    def _take(self, place: Place) -> Place | None:
        with self._lock:
            of_tenant = [other for other in self._places if other.tenant == place.tenant]
            full = (
                of_tenant
                if len(of_tenant) >= MAX_WAITING_OF_TENANT
                else self._places
                if len(self._places) >= MAX_WAITING
                else None
            )
            if full is not None:
                longest = None if place.gives_way else next((one for one in full if one.gives_way), None)
                if longest is None:
                    return None
                longest.lose()
                self._places.remove(longest)
            self._places.append(place)
            return place
