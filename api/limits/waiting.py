"""Requests that wait: for data as fresh as they ask for, or for a change.

They wait in threads of the server that are there for them, before they take anything from others, and hold no
connection to the database: one of them at a time asks, for all that wait for the same.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from threading import Event, Lock
from time import monotonic
from typing import NamedTuple, TypeVar

from api.database.errors import UnavailableError
from api.database.statement import NOTHING_CLAIMED, TenantNowRow
from api.request.error_codes import ErrorCode, RequestError
from api.request.record import Record
from api.request.text import read_min_as_of

MAX_WAITING = 8
"""Of all tenants in a process. Further ones do not wait. The server has a thread more for each, and every thread makes
each request somewhat dearer: Python hands its lock over more often.
"""

MAX_WAITING_OF_TENANT = 4
# A moment further ahead of the clock of the database is a mistake, such as a clock that is wrong.
MOST_AHEAD = timedelta(minutes=1)
# For data; who waits for a change says how long.
WAIT_SECONDS = 1.0
DATA_EVERY_SECONDS = 0.01
CHANGE_EVERY_SECONDS = 0.2

Answer = TypeVar("Answer")


class StaleError(UnavailableError):
    """The data are not as fresh as the request asks for."""

    def __init__(self, as_of: datetime, min_as_of: datetime) -> None:
        age = f"as of {_exactly(as_of)}"
        if as_of == NOTHING_CLAIMED:
            age = "as of no moment now, because the clock of the database was set back, or nothing is proved yet"
        super().__init__(
            f"The data are {age}, and min_as_of asks for {_exactly(min_as_of)}:"
            " try again in a second, with a moment that the clock of the database has reached",
            ErrorCode.STALE,
        )


def refusal_of(as_of: datetime, min_as_of: datetime, clock: datetime | None) -> StaleError | RequestError:
    """Return why data are not as fresh as a request asks; `clock` is that of the database, if it was read for that."""
    if clock is None or min_as_of <= clock + MOST_AHEAD:
        return StaleError(as_of, min_as_of)
    said = f"more than a minute ahead of it: that says {_exactly(clock)}"
    return RequestError(
        f"min_as_of takes a moment that the clock of the database has reached, and is {said}", "min_as_of"
    )


def is_fresh(as_of: datetime, min_as_of: datetime) -> bool:
    """Return whether data as of one moment hold every change that was committed before another; both uncut."""
    return as_of >= min_as_of and as_of != NOTHING_CLAIMED


def _exactly(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


class Place(NamedTuple):
    """The place of a request that waits, which ends its wait when the place is lost."""

    tenant: str
    gives_way: bool
    is_lost: Event


class Waiting:
    """The requests of a process that wait. The number of both kinds together is bounded.

    `fetch` reads how fresh the data of a tenant are.
    """

    def __init__(self, fetch: Callable[[str], TenantNowRow]) -> None:
        self._fetch = fetch
        self._lock = Lock()
        # The one that has waited longest is the first.
        self._places: list[Place] = []
        self._asking = Lock()
        # What was found of each tenant, and when the look began.
        self._seen: dict[str, tuple[TenantNowRow, float]] = {}

    def wait_for_data(self, record: Record) -> None:
        """Have a request with min_as_of wait."""
        # What cannot be read is refused with the other parameters.
        min_as_of = read_min_as_of(record.query)
        if record.user_id is not None and min_as_of is not None:
            record.clock = self.for_data(record.user_id, min_as_of)

    def for_data(self, tenant: str, min_as_of: datetime) -> datetime | None:
        """Return the clock of the database as soon as the data are as fresh as that; None if it was not read.

        Returns after WAIT_SECONDS in any case, and at once where they cannot be by then, too many requests wait, or
        nothing can be known: the answer will say so.
        """
        arrived = monotonic()
        ends = arrived + WAIT_SECONDS
        clock: datetime | None = None

        def is_over() -> bool:
            nonlocal clock
            not_before = max(arrived, monotonic() - DATA_EVERY_SECONDS)
            row = self.ask(lambda: self._look(tenant, not_before), ends)
            clock = row.clock
            is_too_far = clock + timedelta(seconds=ends - monotonic()) < min_as_of
            return row.as_of is None or is_fresh(row.as_of, min_as_of) or is_too_far

        with suppress(UnavailableError):
            if not is_over():
                self._wait(tenant, is_over, ends, DATA_EVERY_SECONDS, gives_way=False)
        return clock

    def for_change(self, tenant: str, seconds: float, is_over: Callable[[], bool]) -> None:
        """Return as soon as `is_over`, which reads whether there is a change.

        Returns after so many seconds in any case, and at once where too many requests wait, or nothing can be known:
        the answer will say so.
        """
        ends = monotonic() + seconds
        with suppress(UnavailableError):
            self._wait(tenant, lambda: self.ask(is_over, ends), ends, CHANGE_EVERY_SECONDS, gives_way=True)

    def _wait(
        self, tenant: str, is_over: Callable[[], bool], ends: float, every: float, *, gives_way: bool
    ) -> None:
        """Ask every so many seconds whether a wait is over, until its time or its place ends, if there is a place.

        A request that gives way loses its place to one that does not, if there is no other for that. So those that wait
        long, for a change, never keep an endpoint from waiting for a moment.
        """
        place = Place(tenant, gives_way, Event())
        if not self._take(place):
            return
        try:
            while not is_over():
                left = ends - monotonic()
                if left <= 0 or place.is_lost.wait(min(every, left)):
                    return
        finally:
            with self._lock:
                if place in self._places:
                    self._places.remove(place)

    def _look(self, tenant: str, not_before: float) -> TenantNowRow:
        """Return what a look has found that began at or after a moment; all that wait for the same tenant share it."""
        seen = self._seen.get(tenant)
        if seen is None or seen[1] < not_before:
            at = monotonic()
            seen = self._fetch(tenant), at
            # Older ones are looked at again, if somebody still asks for them.
            recent = {user_id: row for user_id, row in self._seen.items() if row[1] > at - DATA_EVERY_SECONDS}
            self._seen = {**recent, tenant: seen}
        return seen[0]

    def ask(self, ask: Callable[[], Answer], ends: float) -> Answer:
        """Return what a question to the database gives, which no other one is asked beside.

        Raises UnavailableError if another one takes until `ends`, in monotonic seconds.
        """
        if not self._asking.acquire(timeout=max(ends - monotonic(), 0.0)):
            raise UnavailableError("The database takes too long to say how fresh the data are")
        try:
            return ask()
        finally:
            self._asking.release()

    def _take(self, place: Place) -> bool:
        with self._lock:
            of_tenant = [other for other in self._places if other.tenant == place.tenant]
            is_full = len(of_tenant) >= MAX_WAITING_OF_TENANT
            rivals = of_tenant if is_full else self._places
            if is_full or len(rivals) >= MAX_WAITING:
                yielding = () if place.gives_way else rivals
                longest = next((rival for rival in yielding if rival.gives_way), None)
                if longest is None:
                    return False
                longest.is_lost.set()
                self._places.remove(longest)
            self._places.append(place)
            return True
