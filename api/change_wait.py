"""Requests to the change feed wait for a change, before they take anything from others.

They wait in threads of the server that are there for them, and hold no connection to the database: one look at a time
asks for the version of a tenant, for all of its requests that wait.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Lock
from time import monotonic, sleep
from typing import NamedTuple

from api.database.errors import UnavailableError

LOOK_EVERY_SECONDS = 0.2

MAX_WAITING = 32
"""Of all tenants in a process; each holds a thread. Further ones are answered at once."""

MAX_WAITING_OF_TENANT = 8


class _Seen(NamedTuple):
    version: bytes | None
    at: float


class ChangeWait:
    """Looks at the versions of the tenants that requests wait for, one look at a time."""

    def __init__(self, look: Callable[[str], bytes | None]) -> None:
        self._look_at = look
        self._looking = Lock()
        self._seen: dict[str, _Seen] = {}
        self._counting = Lock()
        self._waiting: dict[str, int] = {}

    def count(self) -> int:
        """Returns how many requests wait."""
        with self._counting:
            return sum(self._waiting.values())

    def wait(self, tenant: str, seconds: float, is_over: Callable[[], bool]) -> None:
        """Return as soon as `is_over`, which is asked at first and when the tenant's version has moved.

        Returns after so many seconds in any case, and at once where too many requests wait, or nothing can be known:
        the answer will say so.
        """
        ends = monotonic() + seconds
        with self._waits(tenant) as may_wait:
            if not may_wait:
                return
            try:
                # Before anything is asked, so that no change can come between.
                last = self._look(tenant, monotonic())
                while not is_over():
                    while (seen := self._look(tenant, monotonic() - LOOK_EVERY_SECONDS)) == last:
                        left = ends - monotonic()
                        if left <= 0:
                            return
                        sleep(min(LOOK_EVERY_SECONDS, left))
                    last = seen
            except UnavailableError:
                return

    def _look(self, tenant: str, not_before: float) -> bytes | None:
        """Returns the version of a tenant as a look has seen it that began at or after a moment."""
        with self._looking:
            seen = self._seen.get(tenant)
            if seen is None or seen.at < not_before:
                at = monotonic()
                seen = self._seen[tenant] = _Seen(self._look_at(tenant), at)
            return seen.version

    @contextmanager
    def _waits(self, tenant: str) -> Iterator[bool]:
        """Count a request that waits; give whether it may."""
        with self._counting:
            of_tenant = self._waiting.get(tenant, 0)
            may_wait = of_tenant < MAX_WAITING_OF_TENANT and sum(self._waiting.values()) < MAX_WAITING
            if may_wait:
                self._waiting[tenant] = of_tenant + 1
        try:
            yield may_wait
        finally:
            if may_wait:
                with self._counting:
                    self._waiting[tenant] -= 1
                    if not self._waiting[tenant]:
                        del self._waiting[tenant]
                        # Nobody else asks for it any more.
                        self._seen.pop(tenant, None)
