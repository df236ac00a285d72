"""The metrics of requests, for Prometheus."""

from functools import lru_cache
from time import perf_counter

from flask import Flask, Response, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = Histogram(
    "leads_api_request_seconds",
    "Requests, and the time from the arrival of each to its answer.",
    ["endpoint", "status"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
# Looking up a child of the histogram takes longer than counting.
_child = lru_cache(maxsize=256)(SECONDS.labels)


def install(app: Flask, *, several_workers: bool) -> None:
    """Count every request with its time."""
    app.extensions["leads_several_workers"] = several_workers
    app.before_request(_start)
    app.after_request(_count)


def _start() -> None:
    g.started = perf_counter()


def _count(response: Response) -> Response:
    _child(request.endpoint or "none", response.status_code).observe(perf_counter() - g.started)
    return response


def exposition(age: float | None, *, several_workers: bool) -> bytes:
    """Returns the metrics of all workers, and the age of the read model in seconds if it is known."""
    registry = REGISTRY
    if several_workers:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    text = generate_latest(registry)
    if age is None:
        return text
    current = CollectorRegistry()
    Gauge("leads_api_data_age_seconds", "Age of the read model.", registry=current).set(age)
    return text + generate_latest(current)
