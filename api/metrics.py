"""The metrics of requests, for Prometheus."""

from datetime import datetime
from functools import lru_cache
from time import perf_counter
from typing import Protocol

from flask import Flask, Response, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

SECONDS = Histogram(
    "leads_api_request_seconds",
    "Requests, and the time from the arrival of each to its answer.",
    ["endpoint", "status"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
# Looking up a child of the histogram takes longer than counting.
_child = lru_cache(maxsize=256)(SECONDS.labels)


class Verification(Protocol):
    """How far the verify of the projector is, and what it found; None where there is nothing yet."""

    @property
    def proved_at(self) -> datetime | None:
        """When everything was compared with the source last."""

    @property
    def round_done(self) -> float | None:
        """The part of the present round that is done, from 0 to 1."""

    @property
    def open_differences(self) -> int:
        """How many leads, keys and statistics differ."""

    @property
    def found_differences(self) -> int:
        """How many were ever found to differ."""


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


def exposition(age: float | None, verified: Verification | None, *, several_workers: bool) -> bytes:
    """Returns the metrics of all workers, the age of the read model in seconds, and how it was verified, if known."""
    registry = REGISTRY
    if several_workers:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    current = CollectorRegistry()
    if age is not None:
        Gauge("leads_api_data_age_seconds", "Age of the read model.", registry=current).set(age)
    if verified is not None:
        _add_verification(current, verified)
    return generate_latest(registry) + generate_latest(current)


def _add_verification(registry: CollectorRegistry, verified: Verification) -> None:
    def add(name: str, text: str, value: float | None) -> None:
        if value is not None:
            Gauge(name, text, registry=registry).set(value)

    proved_at = verified.proved_at
    add(
        "leads_verify_proved_timestamp_seconds",
        "When everything was compared with the source last.",
        None if proved_at is None else proved_at.timestamp(),
    )
    add("leads_verify_round_done_ratio", "Part of the present round of the verify.", verified.round_done)
    add(
        "leads_verify_open_differences",
        "Leads, keys and statistics that differ from the source.",
        verified.open_differences,
    )
    found = Counter(
        "leads_verify_found_differences",
        "Leads, keys and statistics that a verify found to differ.",
        registry=registry,
    )
    found.inc(verified.found_differences)
