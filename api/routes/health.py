"""Whether the process is alive, and whether it can serve."""

import orjson
from flask import Blueprint, Response

from api.database.errors import UnavailableError
from api.database.statement import NOTHING_CLAIMED
from api.plan.projection import FRESHNESS, PROJECTION_STATE
from api.request.error_codes import ErrorCode
from api.response.body import JsonResponse
from api.response.plain import LIVE_BODY
from api.routes.read_model import NEVER_BUILT, read_model, require_built, state

health = Blueprint("health", __name__, url_prefix="/health")


@health.get("/live")
def live() -> Response:
    """Answer, which shows that the process is alive."""
    return JsonResponse(LIVE_BODY)


@health.get("/ready")
def ready() -> Response:
    """Answer 200 if the API can serve the read model, and 503 with the reason if it cannot."""
    model = read_model()
    projection = model.database.fetch(PROJECTION_STATE)
    require_built(projection)
    if projection.capture_gap is not None:
        raise _not_ready(f"Changes may have been missed: {projection.capture_gap.decode()}")
    if projection.feed_problem is not None:
        raise _not_ready(f"Changes of the platform may not arrive: {projection.feed_problem.decode()}")
    model.require_tables()
    authorizer, max_age = state().authorizer, state().config.ready_max_age
    if authorizer is not None:
        authorizer.require_ready()
    as_of, age = model.database.fetch(FRESHNESS)
    if as_of is None or age is None:
        raise UnavailableError(NEVER_BUILT, ErrorCode.NOT_BUILT)
    if as_of == NOTHING_CLAIMED:
        raise _not_ready(
            "The data are as of no moment now, because the clock of the database was set back, or nothing is proved"
            " yet: unless the next refresh corrects that, run `python -m projector status`, which says what keeps it"
        )
    if age > max_age:
        raise _not_ready(
            f"The data are {age:.1f} s old, and LEADS_READY_MAX_AGE allows {max_age:g} s:"
            " run `python -m projector status`, which says what keeps the projector"
        )
    return JsonResponse(orjson.dumps({"status": "ready"}))


def _not_ready(reason: str) -> UnavailableError:
    return UnavailableError(reason, ErrorCode.NOT_READY)
