"""The metrics for Prometheus: at an endpoint, or on a separate port."""

import os
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext, suppress
from pathlib import Path
from threading import Semaphore
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from flask import Blueprint, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Metric,
    generate_latest,
    start_http_server,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from api import __version__
from api.config import Config
from api.database.errors import UnavailableError
from api.database.parts import unfilled_parts
from api.database.pool import Database
from api.database.statement import BoundStatement, Row
from api.plan.projection import FRESHNESS, LATE_TENANTS, PROJECTION_STATE, LateRow, ProjectionRow
from api.routes.read_model import read_model, state

metrics = Blueprint("metrics", __name__)

MAX_SESSIONS = 2
"""How many scrapes of a separate port may read the database at once; others wait."""


@metrics.get("/metrics")
def scrape() -> Response:
    """Print the number of requests and their times, and the age and the verify of the read model."""
    database = read_model().database
    page = AllMetrics(lambda: nullcontext(database), state().config.metrics_folder)
    return Response(generate_latest(page), content_type=CONTENT_TYPE_LATEST)


def serve(config: Config, address: str, shared_folder: str) -> WSGIServer:
    """Serve the counts of the workers from the folder that they share, until this process ends.

    The main process calls this: it answers while every worker is busy, and may listen on another address than the API.
    """
    registry, turns = CollectorRegistry(), Semaphore(MAX_SESSIONS)

    @contextmanager
    def own_database() -> Iterator[Database]:
        # Each scrape has a connection of its own, so that a worker that is forked meanwhile inherits none.
        with turns, closing(Database(config)) as database:
            yield database

    registry.register(AllMetrics(own_database, shared_folder))
    server, _ = start_http_server(config.metrics_port, address, registry)
    server.RequestHandlerClass = _Handler
    return server


class _Handler(WSGIRequestHandler):
    """The handler of prometheus_client, with a timeout for callers that send nothing."""

    timeout = 10

    def handle(self) -> None:
        """Answer one request; end silently if the caller sends none."""
        with suppress(OSError):
            super().handle()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # As inherited.
        """Log nothing about a scrape."""


class AllMetrics(Collector):
    """The counts of all workers, and the state of the database at the time of a scrape.

    `shared_folder` is the folder in which several workers count, or "" for a single worker.
    """

    def __init__(self, database: Callable[[], AbstractContextManager[Database]], shared_folder: str) -> None:
        self._database = database
        self._folder = shared_folder

    def collect(self) -> Iterator[Metric]:
        """Yield each metric."""
        if self._folder:
            # Drop the gauges of workers that no longer run; their counters stay.
            for pid in {
                int(file.stem.rpartition("_")[2]) for file in Path(self._folder).glob("gauge_live*_*.db")
            }:
                try:
                    os.kill(pid, 0)
                except ProcessLookupError:
                    with suppress(FileNotFoundError):  # Another worker prints the metrics too.
                        mark_process_dead(pid, self._folder)  # type: ignore[no-untyped-call]
            yield from MultiProcessCollector(None, self._folder).collect()  # type: ignore[no-untyped-call]
        else:
            yield from REGISTRY.collect()
        with self._database() as database:
            fresh = _read(database, FRESHNESS)
            # Before the first build has ended, no tenant can be late.
            late = _read(database, LATE_TENANTS) if fresh and fresh.as_of else None
            yield from metrics_of(fresh and fresh.age, late, _read(database, PROJECTION_STATE))


def metrics_of(age: float | None, late: LateRow | None, verified: ProjectionRow | None) -> Iterator[Metric]:
    """Yield the version and, if known, the age of the read model in seconds, the late tenants, and the verify."""
    program = {"program": "api", "version": __version__}
    yield InfoMetricFamily("leads_build", "The program and its version; always 1.", program)
    gauges: list[tuple[str, str, float | None]] = [
        ("leads_api_data_age_seconds", "Age of the read model, for all tenants that are not late.", age)
    ]
    if late is not None and late.tenants is not None:
        gauges += [
            ("leads_api_late_tenants", "Tenants that are late: a mass change of each waits.", late.tenants),
            ("leads_api_late_data_age_seconds", "Age of the data of the latest of them.", late.age or 0),
        ]
    if verified is not None:
        told = "Age above which the data are late, by who refreshes them."
        gauges.append(("leads_api_data_late_after_seconds", told, verified.late_after))
        proved_at = None if verified.proved_at is None else verified.proved_at.timestamp()
        gauges += [
            (
                "leads_verify_proved_timestamp_seconds",
                "When everything was compared with the source last.",
                proved_at,
            ),
            (
                "leads_verify_round_done_ratio",
                "Part of the present round of the verify.",
                verified.round_done,
            ),
            (
                "leads_api_rebuild_done_ratio",
                "Part of the present rebuild that is done; absent while there is none.",
                verified.rebuild_done,
            ),
            (
                "leads_verify_open_differences",
                "Leads, keys and statistics that differ from the source.",
                verified.open_differences,
            ),
        ]
        unfilled = GaugeMetricFamily(
            "leads_unfilled_parts",
            "Parts of the read model that no build has filled yet: attributes one by one.",
            labels=("part",),
        )
        names = Counter(part["name"].partition(":")[0] for part in unfilled_parts(verified.unfilled))
        for name, number in names.items():
            unfilled.add_metric((name,), number)
        yield unfilled
        yield CounterMetricFamily(
            "leads_verify_found_differences",
            "Leads, keys and statistics that a verify found to differ.",
            verified.found_differences,
        )
    for name, text, value in gauges:
        if value is not None:
            yield GaugeMetricFamily(name, text, value)


def _read(database: Database, statement: BoundStatement[Row]) -> Row | None:
    try:
        return database.fetch(statement)
    except UnavailableError:
        return None
