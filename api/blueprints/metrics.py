"""The counts for Prometheus."""

from flask import Blueprint, Response, current_app, g
from prometheus_client import CONTENT_TYPE_LATEST

from api import queries
from api.db import Database, UnavailableError
from api.metrics import exposition

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def scrape() -> Response:
    """Requests, their times, and the age of the read model."""
    return Response(
        exposition(_age(), several_workers=current_app.extensions["leads_several_workers"]),
        content_type=CONTENT_TYPE_LATEST,
    )


def _age() -> float | None:
    """Seconds since the moment up to which every change is contained; None where that is not known."""
    database: Database = current_app.extensions["leads_database"]
    try:
        as_of = database.fetch(queries.freshness()).as_of
    except UnavailableError:
        return None
    return None if as_of is None else (g.now - as_of).total_seconds()
