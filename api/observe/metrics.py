"""The metrics of requests, for Prometheus."""

from time import perf_counter

from flask import Response, g

from api.observe.meters import IN_FLIGHT, count_response
from api.request.record import Record

NO_ROUTE = "none"


def start(_one: Record) -> None:
    """Count a request as one that is being answered."""
    IN_FLIGHT.inc()


def count(response: Response, one: Record) -> Response:
    """Count an answer with its time."""
    rule = one.request.url_rule
    count_response(rule.rule if rule else NO_ROUTE, response.status_code, perf_counter() - one.started)
    return response


def end(_error: BaseException | None) -> None:
    """End the count of a request, whatever became of it."""
    if "record" in g:
        IN_FLIGHT.dec()
