"""Whether the process is alive, and whether it can serve."""

import orjson
from flask import Blueprint, Response, current_app

from api.database.errors import UnavailableError
from api.plan.projection import ProjectionRow, projection_state
from api.response.body import JsonResponse
from api.routes.read_model import read_model, why_not_built

health = Blueprint("health", __name__, url_prefix="/health")


@health.get("/live")
def live() -> Response:
    """Answer, which shows that the process is alive."""
    return JsonResponse(orjson.dumps({"status": "live"}))


@health.get("/ready")
def ready() -> Response:
    """Answer 200 if the API can serve the read model, and 503 with the reason if it cannot."""
    found = read_model()
    reason = _why_not_ready(found.database.fetch(projection_state()))
    if reason is not None:
        raise UnavailableError(reason)
    found.require_tables()
    gate = current_app.extensions.get("leads_gate")
    if gate is not None:
        gate.require_ready()
    return JsonResponse(orjson.dumps({"status": "ready"}))


def _why_not_ready(state: ProjectionRow) -> str | None:
    reason = why_not_built(state)
    if reason is None and state.capture_gap is not None:
        return f"Changes may have been missed: {state.capture_gap.decode()}"
    return reason
