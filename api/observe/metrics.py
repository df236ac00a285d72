"""The metrics of requests, for Prometheus."""

from time import perf_counter

from flask import Flask, Response

from api.observe.meters import IN_FLIGHT, count_response
from api.request import current

NO_ROUTE = "none"


def install(app: Flask) -> None:
    """Count every request with its time."""
    app.before_request(_start)
    app.after_request(_count)
    app.teardown_request(_end)


def _start() -> None:
    # What has looked at the request before Flask began with it, noted when it came.
    current.values().started = current.state_of(current.request().environ).started or perf_counter()
    IN_FLIGHT.inc()


def _count(response: Response) -> Response:
    rule = current.request().url_rule
    seconds = perf_counter() - current.values().started
    count_response(rule.rule if rule else NO_ROUTE, response.status_code, seconds)
    return response


def _end(_error: BaseException | None) -> None:
    # The request is over, whatever became of it.
    if "started" in current.values():
        IN_FLIGHT.dec()
