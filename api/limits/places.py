"""Places of what goes on for longer than a request: the event streams of a process, and its exports."""

from collections import Counter
from threading import Condition

from api.limits.running import most_of_tenant


class Places:
    """Counts the places that are taken. Of several no tenant has all."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = Condition()
        self._taken: Counter[str] = Counter()

    def take(self, tenant: str) -> bool:
        """Take a place. Returns whether there was one."""
        with self._changed:
            is_free = self._has_place(tenant)
            if is_free:
                self._taken[tenant] += 1
            return is_free

    def give_back(self, tenant: str) -> None:
        """Give a place back."""
        with self._changed:
            self._taken -= Counter([tenant])
            self._changed.notify_all()

    def _has_place(self, tenant: str) -> bool:
        return self._taken[tenant] < most_of_tenant(self._most) and self._taken.total() < self._most
