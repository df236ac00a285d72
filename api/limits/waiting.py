"""Requests that wait on the event loop until the data are fresh enough. They hold no thread and no slot."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import datetime, timedelta

from api.database.errors import UnavailableError
from api.database.statement import NOTHING_CLAIMED, TenantNowRow
from api.request.error_codes import ErrorCode, RequestError

MAX_WAITING = 100
"""How many requests of a process wait for data, and as many for a change; further ones are answered at once."""

WAIT_SECONDS = 1.0
PROBE_EVERY_SECONDS = 0.01
# A moment further ahead of the clock of the database is a mistake: the clock of the caller may be wrong.
MOST_AHEAD = timedelta(minutes=1)


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


def refusal_of(as_of: datetime, min_as_of: datetime, clock: datetime) -> StaleError | RequestError:
    """Return the error for data that are older than a request allows; `clock` is the time of the database."""
    if min_as_of <= clock + MOST_AHEAD:
        return StaleError(as_of, min_as_of)
    said = f"more than a minute ahead of it: that says {_exactly(clock)}"
    return RequestError(
        f"min_as_of takes a moment that the clock of the database has reached, and is {said}", "min_as_of"
    )


def is_fresh(as_of: datetime, min_as_of: datetime) -> bool:
    """Return whether data as of one moment contain every change committed before another; neither moment is cut."""
    return as_of >= min_as_of and as_of != NOTHING_CLAIMED


def _exactly(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")[:-6] + "Z"


async def wait_for_data(probe: Callable[[], Awaitable[TenantNowRow]], min_as_of: datetime) -> None:
    """Return as soon as the data of a tenant, which `probe` reads, are as fresh as `min_as_of` demands.

    Returns after WAIT_SECONDS in any case; at once if the data cannot be fresh enough by then, or if the database does
    not answer. The answer then says so.
    """
    loop = asyncio.get_running_loop()
    ends = loop.time() + WAIT_SECONDS
    with suppress(UnavailableError, TimeoutError):
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                row = await probe()
                is_too_far = row.clock + timedelta(seconds=ends - loop.time()) < min_as_of
                if row.as_of is None or is_fresh(row.as_of, min_as_of) or is_too_far:
                    return
                await asyncio.sleep(PROBE_EVERY_SECONDS)
