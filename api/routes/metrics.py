"""The metrics for Prometheus."""

from flask import Blueprint, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.database.errors import UnavailableError
from api.database.pool import Database
from api.observe.metrics import exposition
from api.plan.projection import FreshnessRow, VerificationRow, freshness, verification
from api.routes.state import read_model, state

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def scrape() -> Response:
    """Print how many requests there were, how long they took, how old the read model is, and how it was verified."""
    page = metrics_page(read_model().database, state().config.metrics_folder)
    return Response(page, content_type=CONTENT_TYPE_LATEST)


def metrics_page(database: Database, shared_folder: str) -> bytes:
    """Returns the metrics, with what the database says now; without that where it does not answer."""
    known = _freshness(database)
    return exposition(
        None if known is None else known.age, _verification(database), shared_folder=shared_folder
    )


def _freshness(database: Database) -> FreshnessRow | None:
    try:
        return database.fetch(freshness())
    except UnavailableError:
        return None


def _verification(database: Database) -> VerificationRow | None:
    try:
        return database.fetch(verification())
    except UnavailableError:
        return None
