"""The metrics for Prometheus."""

from flask import Blueprint, Response, current_app, g
from prometheus_client import CONTENT_TYPE_LATEST

from api.database.errors import UnavailableError
from api.metrics import exposition
from api.plan.projection import VerificationRow, freshness, verification
from api.routes.read_model import read_model

metrics = Blueprint("metrics", __name__)


@metrics.get("/metrics")
def scrape() -> Response:
    """Print how many requests there were, how long they took, how old the read model is, and how it was verified."""
    return Response(
        exposition(_age(), _verification(), several_workers=current_app.extensions["leads_several_workers"]),
        content_type=CONTENT_TYPE_LATEST,
    )


def _age() -> float | None:
    """Returns the seconds since as_of; None if as_of is not known."""
    try:
        as_of = read_model().database.fetch(freshness()).as_of
    except UnavailableError:
        return None
    return None if as_of is None else (g.now - as_of).total_seconds()


def _verification() -> VerificationRow | None:
    """Returns how far the verify is; None if that is not known."""
    try:
        return read_model().database.fetch(verification())
    except UnavailableError:
        return None
