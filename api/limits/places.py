"""Places of what goes on at once: the requests that run, the event streams of a process, and its exports."""

from collections import deque
from dataclasses import dataclass, field
from threading import Lock, Semaphore
from time import monotonic

TURN_SECONDS = 0.1
"""Whoever has waited for a place for so long goes before those that come later."""


def most_of_tenant(most: int) -> int:
    """Return how many of these a tenant has at once: some are left to the others."""
    return max(1, most * 4 // 5)


@dataclass(slots=True)
class Taken:
    """How many places are taken, and when the last of them was given back or the first was taken."""

    count: int = 0
    moved_at: float = field(default_factory=monotonic)


@dataclass(slots=True, eq=False)
class Waiter:
    """Somebody who waits for a place."""

    tenant: str
    since: float = field(default_factory=monotonic)
    turn: Semaphore = field(default_factory=lambda: Semaphore(0))


class Places:
    """Counts the places that are taken, of all and of each tenant. Of several no tenant has all.

    Whoever gives a place back leaves it to the next that comes, which costs nothing, unless another has waited for it
    for long.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._most_of_tenant = most_of_tenant(most)
        self._lock = Lock()
        self._all = Taken()
        self._tenants: dict[str, Taken] = {}
        # The one that has waited longest is the first.
        self._waiting: deque[Waiter] = deque()

    def take_at_once(self, tenant: str) -> bool:
        """Take a place. Return whether there was one."""
        with self._lock:
            return self._take(tenant)

    def take(self, tenant: str) -> bool:
        """Take a place. Return whether there was one as soon as it has to be: see _patience."""
        with self._lock:
            if self._take(tenant):
                return True
            patience = self._patience(tenant)
            waiter = Waiter(tenant)
            self._waiting.append(waiter)
        for seconds, is_last in ((min(TURN_SECONDS, patience), False), (patience - TURN_SECONDS, True)):
            if waiter.turn.acquire(timeout=max(0.0, seconds)):
                return True
            with self._lock:
                # It was given a place at the last moment, or one is free.
                has_place = waiter not in self._waiting or self._take(tenant)
                if waiter in self._waiting and (has_place or is_last):
                    self._waiting.remove(waiter)
            if has_place:
                return True
        return False

    def give_back(self, tenant: str) -> None:
        """Give a place back. It is free for the next, unless another has waited for it for long."""
        with self._lock:
            own = self._tenants[tenant]
            own.count -= 1
            self._all.count -= 1
            own.moved_at = self._all.moved_at = monotonic()
            if not own.count:
                del self._tenants[tenant]
            # To wake a thread at every end would cost more than all the rest here.
            if self._waiting and (
                own.count * 2 < self._most_of_tenant or own.moved_at - self._waiting[0].since >= TURN_SECONDS
            ):
                for waiter in self._waiting:
                    if self._take(waiter.tenant):
                        self._waiting.remove(waiter)
                        waiter.turn.release()
                        break

    def _patience(self, tenant: str) -> float:  # noqa: ARG002  # Others go by it.
        """Return for how many seconds somebody of this tenant waits for a place."""
        return 0.0

    def _take(self, tenant: str) -> bool:
        own = self._tenants.get(tenant)
        if self._all.count >= self._most or (own is not None and own.count >= self._most_of_tenant):
            return False
        if own is None:
            own = self._tenants[tenant] = Taken()
        own.count += 1
        self._all.count += 1
        return True
