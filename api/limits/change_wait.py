"""Requests to the change feed wait for a change.

One look at a time asks for the version of a tenant, for all of its requests that wait.
"""

from collections.abc import Callable
from time import monotonic
from typing import NamedTuple

from api.database.errors import UnavailableError
from api.limits.waiters import Place, Waiters

LOOK_EVERY_SECONDS = 0.2


class _Seen(NamedTuple):
    version: bytes | None
    at: float


class ChangeWait:
    """Looks at the versions of the tenants that requests wait for, one look at a time."""

    def __init__(self, look: Callable[[str], bytes | None], waiters: Waiters) -> None:
        self._look_at = look
        self._waiters = waiters
        self._seen: dict[str, _Seen] = {}

    def wait(self, tenant: str, seconds: float, is_over: Callable[[], bool]) -> None:
        """Return as soon as `is_over`, which is asked at first and when the tenant's version has moved.

        Returns after so many seconds in any case, and at once where too many requests wait, or nothing can be known:
        the answer will say so.
        """
        ends = monotonic() + seconds
        with self._waiters.place(tenant, gives_way=True) as place:
            if place is None:
                return
            try:
                self._wait(place, ends, is_over)
            except UnavailableError:
                return

    def _wait(self, place: Place, ends: float, is_over: Callable[[], bool]) -> None:
        # Before anything is asked, so that no change can come between.
        last = self._look(place.tenant, monotonic(), ends)
        while not self._waiters.look(is_over, ends):
            while (seen := self._look(place.tenant, monotonic() - LOOK_EVERY_SECONDS, ends)) == last:
                left = ends - monotonic()
                if left <= 0 or not place.sleep(min(LOOK_EVERY_SECONDS, left)):
                    return
            last = seen

    def _look(self, tenant: str, not_before: float, ends: float) -> bytes | None:
        """Returns the version of a tenant as a look has seen it that began at or after a moment."""

        def look() -> bytes | None:
            seen = self._seen.get(tenant)
            if seen is None or seen.at < not_before:
                at = monotonic()
                seen = _Seen(self._look_at(tenant), at)
                # Older ones are looked at again, if anybody still asks for them.
                recent = {
                    one: found for one, found in self._seen.items() if found.at > at - LOOK_EVERY_SECONDS
                }
                self._seen = {**recent, tenant: seen}
            return seen.version

        return self._waiters.look(look, ends)
