"""What is counted of the requests."""

from time import perf_counter

from flask import Flask, Response, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

REQUESTS = Counter("leads_api_requests_total", "Requests by endpoint and status.", ["endpoint", "status"])
SECONDS = Histogram(
    "leads_api_request_seconds",
    "Time from the arrival of a request to its answer, by endpoint.",
    ["endpoint"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


def install(app: Flask, *, several_workers: bool) -> None:
    """Count every request."""
    app.extensions["leads_several_workers"] = several_workers

    @app.before_request
    def start() -> None:
        g.started = perf_counter()

    @app.after_request
    def count(response: Response) -> Response:
        endpoint = request.endpoint or "none"
        REQUESTS.labels(endpoint, response.status_code).inc()
        SECONDS.labels(endpoint).observe(perf_counter() - g.started)
        return response


def exposition(age: float | None, *, several_workers: bool) -> bytes:
    """The counts of all workers, and the age of the read model."""
    registry = REGISTRY
    if several_workers:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    text = generate_latest(registry)
    if age is None:
        return text
    of_now = CollectorRegistry()
    gauge = Gauge("leads_api_data_age_seconds", "Age of the read model.", registry=of_now)
    gauge.set(age)
    return text + generate_latest(of_now)
