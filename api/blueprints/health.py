"""Whether the process lives, and whether it can serve."""

import orjson
from flask import Blueprint, Response, current_app

from api import queries
from api.answers import JsonResponse
from api.db import Database, UnavailableError

health = Blueprint("health", __name__, url_prefix="/health")


@health.get("/live")
def live() -> Response:
    """The process answers."""
    return JsonResponse(orjson.dumps({"status": "live"}))


@health.get("/ready")
def ready() -> Response:
    """The read model can be served; if not, 503 with the reason."""
    reason = _what_is_missing(current_app.extensions["leads_database"])
    if reason is not None:
        raise UnavailableError(reason)
    return JsonResponse(orjson.dumps({"status": "ready"}))


def _what_is_missing(database: Database) -> str | None:
    state = database.fetch(queries.state_of_projection())
    if state is None:
        return "The read model is not installed"
    if state.built_at is None:
        return "The read model was never built"
    return (
        None if state.capture_gap is None else f"Changes may have been missed: {state.capture_gap.decode()}"
    )
