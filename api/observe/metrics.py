"""The metrics of requests, for Prometheus."""

import os
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from time import perf_counter
from typing import Protocol

from flask import Flask, Response
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from api.observe.meters import IN_FLIGHT, count_response
from api.observe.version import installed_version
from api.request import current

NO_ROUTE = "none"


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


def exposition(age: float | None, verified: Verification | None, *, shared_folder: str) -> bytes:
    """Returns the metrics of all workers, the age of the read model in seconds, and how it was verified, if known.

    `shared_folder` is where several workers count; an empty text is for one that counts alone.
    """
    registry = REGISTRY
    if shared_folder:
        for pid in _dead_workers(shared_folder):
            # What it counted stays; what it had in hand is gone.
            with suppress(FileNotFoundError):  # Another worker prints the metrics too.
                mark_process_dead(pid, shared_folder)  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        MultiProcessCollector(registry, shared_folder)  # type: ignore[no-untyped-call]
    current = CollectorRegistry()
    build = Gauge(
        "leads_build_info", "The program and its version; always 1.", ["program", "version"], registry=current
    )
    build.labels("api", installed_version()).set(1)
    if age is not None:
        Gauge("leads_api_data_age_seconds", "Age of the read model.", registry=current).set(age)
    if verified is not None:
        _add_verification(current, verified)
    return generate_latest(registry) + generate_latest(current)


def _dead_workers(folder: str) -> Iterator[int]:
    """The processes that have left numbers of the moment in the folder, and do not run any more."""
    for pid in {int(file.stem.rpartition("_")[2]) for file in Path(folder).glob("gauge_live*_*.db")}:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            yield pid


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
