"""Requests with min_as_of wait until the data are as fresh as they ask for.

One look at freshness at a time answers all of them.
"""

from collections.abc import Callable
from contextlib import ExitStack
from datetime import datetime, timedelta
from time import monotonic
from typing import NamedTuple

from flask import Flask

from api.database.errors import UnavailableError
from api.limits.waiters import Waiters
from api.request import current
from api.request.text import read_min_as_of

WAIT_SECONDS = 1.0
LOOK_EVERY_SECONDS = 0.01


class Seen(NamedTuple):
    """As of when the data are, and how many seconds ago that is by the clock of the database; None before a build."""

    as_of: datetime | None = None
    age: float | None = None


class StaleError(UnavailableError):
    """The data are not as fresh as the request asks for."""

    def __init__(self, as_of: datetime, min_as_of: datetime) -> None:
        super().__init__(
            f"The data are as of {_exactly(as_of)}, and min_as_of asks for {_exactly(min_as_of)}:"
            " try again in a second, with a moment that the clock of the database has reached"
        )
        self.as_of = as_of


def is_fresh(as_of: datetime, min_as_of: datetime) -> bool:
    """Returns whether data as of one moment hold every change that was committed before another; both uncut."""
    return as_of >= min_as_of


def _exactly(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


def install(app: Flask, fetch: Callable[[], Seen], waiters: Waiters) -> None:
    """Have requests with min_as_of wait. `fetch` reads how fresh the read model is."""
    waiting = FreshnessWait(fetch, waiters)

    def wait() -> None:
        request = current.request()
        asked = request.environ.get("QUERY_STRING", "")
        if "min_as_of" in asked and request.view_args and "user_id" in request.view_args:
            # What cannot be read is refused with the other parameters.
            min_as_of = read_min_as_of(asked)
            if min_as_of is not None:
                waiting.wait(request.view_args["user_id"], min_as_of)

    app.before_request(wait)


class FreshnessWait:
    """Looks at freshness for all that wait, one look at a time."""

    def __init__(self, fetch: Callable[[], Seen], waiters: Waiters) -> None:
        self._fetch = fetch
        self._waiters = waiters
        self._looked_at = float("-inf")
        self._seen = Seen()

    def wait(self, tenant: str, min_as_of: datetime) -> None:
        """Return as soon as the data are as fresh as that, or where nothing can be known: the answer will say so.

        Raises StaleError where they are not within WAIT_SECONDS, and at once where they cannot be by then, or too many
        requests wait.
        """
        arrived = monotonic()
        ends = arrived + WAIT_SECONDS
        with ExitStack() as at_the_end:
            place = None
            while True:
                try:
                    found = self._look(arrived, ends)
                except UnavailableError:
                    return
                if found.as_of is None or found.age is None:
                    return
                # A moment that is still to come is from before the clock was set back, and says nothing.
                if found.age >= 0 and is_fresh(found.as_of, min_as_of):
                    return
                left = ends - monotonic()
                latest = found.as_of + timedelta(seconds=found.age + left)
                if left <= 0 or latest < min_as_of:
                    raise StaleError(found.as_of, min_as_of)
                if place is None:
                    place = at_the_end.enter_context(self._waiters.place(tenant, gives_way=False))
                if place is None:
                    raise StaleError(found.as_of, min_as_of)
                place.sleep(min(LOOK_EVERY_SECONDS, left))

    def _look(self, arrived: float, ends: float) -> Seen:
        """Returns what a look has seen that began after the request arrived, and lately."""

        # Who finds another one looking waits for it, and mostly needs no look of his own then.
        def look() -> Seen:
            now = monotonic()
            if self._looked_at < max(arrived, now - LOOK_EVERY_SECONDS):
                self._seen = self._fetch()
                self._looked_at = now
            return self._seen

        return self._waiters.look(look, ends)
