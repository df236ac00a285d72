"""Whether the process is alive, and whether it can answer."""

from collections.abc import Iterator
from datetime import datetime
from math import inf
from typing import NamedTuple

import orjson
from flask import Blueprint, Response

from api.database.errors import UnavailableError
from api.database.parts import unfilled_parts
from api.database.statement import NOTHING_CLAIMED
from api.plan.projection import FRESHNESS, PROJECTION_STATE, ProjectionRow
from api.request.error_codes import ErrorCode
from api.request.text import format_time
from api.response.body import JsonResponse
from api.response.plain import LIVE_BODY
from api.routes.read_model import NEVER_BUILT, read_model, require_built, state

health = Blueprint("health", __name__, url_prefix="/health")

# Used if neither a scheduler nor cron has noted how often it refreshes.
_LATE_SECONDS = 60.0

_SEE_STATUS = "run `python -m projector status`, which says why"


class Warned(NamedTuple):
    """A problem that operators should know of although all answers are true: a code and a sentence."""

    code: str
    message: str


@health.get("/live")
def live() -> Response:
    """Answer, to show that the process is alive."""
    return JsonResponse(LIVE_BODY)


@health.get("/ready")
def ready() -> Response:
    """Answer 200 while the API can answer and knows the age of its data, with warnings; otherwise 503 with the reason.

    It answers 503 if nothing was ever built, if the tables or the keys cannot be read, or if the data are older than
    LEADS_READY_MAX_AGE.
    """
    model = read_model()
    projection = model.database.fetch(PROJECTION_STATE)
    require_built(projection)
    model.require_tables()
    authorizer, max_age = state().authorizer, state().config.ready_max_age
    if authorizer is not None:
        authorizer.require_ready()
    as_of, age = model.database.fetch(FRESHNESS)
    if as_of is None or age is None:
        raise UnavailableError(NEVER_BUILT, ErrorCode.NOT_BUILT)
    age = inf if as_of == NOTHING_CLAIMED else age
    if age > max_age:
        old = "as of no moment now" if age == inf else f"{age:.1f} s old"
        raise UnavailableError(
            f"The data are {old}, and LEADS_READY_MAX_AGE allows {max_age:g} s: {_SEE_STATUS}",
            ErrorCode.NOT_READY,
        )
    body: dict[str, object] = {"status": "ready"}
    if warnings := [warned._asdict() for warned in _warnings(projection, as_of, age)]:
        body["warnings"] = warnings
    return JsonResponse(orjson.dumps(body))


def _warnings(projection: ProjectionRow, as_of: datetime, age: float) -> Iterator[Warned]:
    capture = [*_of_capture(projection, age)]
    yield from capture
    yield from _of_parts(projection)
    if age == inf:
        yield Warned(
            "nothing_claimed",
            "The data are as of no moment now, because the clock of the database was set back, or nothing is proved"
            f" yet: unless the next refresh corrects that, {_SEE_STATUS}",
        )
    elif not capture and age > (projection.late_after or _LATE_SECONDS):
        # A capture gap or a feed that has stopped already explains the age.
        yield Warned("late", f"The data are not updated since {format_time(as_of)}: {_SEE_STATUS}")


def _of_capture(projection: ProjectionRow, age: float) -> Iterator[Warned]:
    if projection.gap_fills is not None:
        fills, done = projection.gap_fills.decode(), projection.rebuild_done
        # X-Data-As-Of stands still since the gap was opened, just before the rebuild began.
        far = f": {done:.0%}, {_in_words(age * (1 - done) / done)} left" if done and age < inf else ""
        yield Warned("filling", f"{fills[:1].upper()}{fills[1:]}{far}. X-Data-As-Of stands still until then")
    elif projection.capture_gap is not None:
        yield Warned("capture_gap", f"Changes may have been missed: {projection.capture_gap.decode()}")
    if projection.feed_problem is not None:
        problem = projection.feed_problem.decode()
        yield Warned("feed_problem", f"Changes of the platform may not arrive: {problem}")


def _of_parts(projection: ProjectionRow) -> Iterator[Warned]:
    parts = ", ".join(part["what"] for part in unfilled_parts(projection.unfilled))
    if parts:
        done = projection.rebuild_done
        far = "has not begun" if done is None else f"is {done:.0%} done"
        yield Warned(
            "not_filled",
            f"Not built yet: {parts}. Requests that need it get 503 until the rebuild of everything ends, which {far}."
            " All others are answered",
        )


def _in_words(seconds: float) -> str:
    minutes = seconds / 60
    return f"about {minutes:.0f} minutes" if minutes >= 2 else f"about {seconds:.0f} seconds"  # noqa: PLR2004
