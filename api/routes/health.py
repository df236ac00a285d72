"""Whether the process is alive, and whether it can serve."""

from math import inf

import orjson
from flask import Blueprint, Response

from api.database.errors import UnavailableError
from api.observe.version import installed_version
from api.plan.projection import FRESHNESS, PROJECTION_STATE
from api.response.body import JsonResponse
from api.routes.read_model import NEVER_BUILT, read_model, state, why_not_built

# The clock of a server may be set back a little, as NTP does, without any harm.
CLOCK_TOLERANCE_SECONDS = 5.0

health = Blueprint("health", __name__, url_prefix="/health")


@health.get("/live")
def live() -> Response:
    """Answer, which shows that the process is alive."""
    return JsonResponse(orjson.dumps({"status": "live", "version": installed_version()}))


@health.get("/ready")
def ready() -> Response:
    """Answer 200 if the API can serve the read model, and 503 with the reason if it cannot."""
    found = read_model()
    projection = found.database.fetch(PROJECTION_STATE)
    reason = why_not_built(projection)
    if reason is None and projection.capture_gap is not None:
        reason = f"Changes may have been missed: {projection.capture_gap.decode()}"
    if reason is None and projection.feed_problem is not None:
        reason = f"Changes of the platform may not arrive: {projection.feed_problem.decode()}"
    if reason is not None:
        raise UnavailableError(reason)
    found.require_tables()
    gate, max_age = state().gate, state().config.ready_max_age
    if gate is not None:
        gate.require_ready()
    if max_age < inf:
        age = found.database.fetch(FRESHNESS).age
        if age is None:
            raise UnavailableError(NEVER_BUILT)
        if age > max_age:
            raise UnavailableError(
                f"The data are {age:.1f} s old, and LEADS_READY_MAX_AGE allows {max_age:g} s:"
                " run `python -m projector status`, which says what keeps the projector"
            )
        if age < -CLOCK_TOLERANCE_SECONDS:
            raise UnavailableError(
                f"The moment of the data comes in {-age:.1f} s: the clock of the database was set back."
                " The next refresh of the projector corrects that"
            )
    return JsonResponse(orjson.dumps({"status": "ready"}))
