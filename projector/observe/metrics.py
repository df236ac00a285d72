"""The metrics of a scheduler for Prometheus: what this process counts, and the state of the read model.

Every count is of this process alone: Prometheus adds them up. The state is read from the database at a scrape, so that
every scheduler of one database prints the same.
"""

import errno
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import psycopg
import structlog
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from projector import __version__
from projector.config import Config
from projector.core.batch import Batch
from projector.database import connect as db
from projector.database.sql import PROJECTION_VERSION
from projector.observe.status.facts import FACTS
from projector.observe.status.read import Document, read_status
from projector.report.errors import ConfigurationError, ProjectorError
from projector.report.log import quoting

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 4
"""With these limits, a scrape ends before Prometheus gives up, which it does after ten seconds."""

DATABASE_UP = "leads_projector_database_up"

# Errors that no restart cures, unlike a port that is in use or a name server that does not answer.
_NO_ADDRESS = (socket.EAI_NONAME, socket.EAI_FAMILY, errno.EADDRNOTAVAIL)

_log = structlog.get_logger(__name__)

REGISTRY = CollectorRegistry()
"""The counts of this process, and its memory, processor time and open files."""

ProcessCollector(registry=REGISTRY)

Info("leads_build", "The program and its version; always 1.", registry=REGISTRY).info(
    {"program": "projector", "version": __version__}
)
Info(
    "leads_projector_projection", "The projection version of the program; always 1.", registry=REGISTRY
).info({"projection_version": PROJECTION_VERSION})
_BATCH_SECONDS = Histogram(
    "leads_projector_batch_seconds",
    "Batches that took changes, and the time of each.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
    registry=REGISTRY,
)
_CHANGES = Counter(
    "leads_projector_changes", "Changes that batches have taken from the queue.", registry=REGISTRY
)
_ROWS = Counter(
    "leads_projector_refreshed_rows",
    "Leads that batches have recomputed, and message rows that they have written or deleted.",
    ["kind"],
    registry=REGISTRY,
)
# Prometheus itself has a label `job`, for what it scrapes.
ERRORS = Counter(
    "leads_projector_job_errors", "Times that a job could not go on.", ["name"], registry=REGISTRY
)
SUCCESS = Gauge(
    "leads_projector_job_last_success_timestamp_seconds",
    "When a job last ended without an error.",
    ["name"],
    registry=REGISTRY,
)

_LEADS, _MESSAGES = _ROWS.labels("lead"), _ROWS.labels("message")


def note_batch(done: Batch, seconds: float) -> None:
    """Count a batch, which took so long, unless it found nothing to do."""
    if done.found_work:
        _BATCH_SECONDS.observe(seconds)
        _CHANGES.inc(done.changes)
        _LEADS.inc(done.leads)
        _MESSAGES.inc(done.messages)


class StateCollector:
    """Reads the state for Prometheus, over a connection of each scrape."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._trouble: str | None = None

    def collect(self) -> Iterator[Metric]:
        """Return the metrics; if the database does not answer, only DATABASE_UP."""
        # Several servers that scrape at once take turns.
        with self._lock:
            state = self._read()
        yield GaugeMetricFamily(
            DATABASE_UP, "1 where the state of the read model could be read.", value=float(state is not None)
        )
        if state is not None:
            yield from metrics_of(state)

    def _read(self) -> Document | None:
        name = f"{db.SCHEDULER_NAME}: metrics"
        try:
            with db.connect(self._url, application_name=name, connect_timeout=CONNECT_SECONDS) as conn:
                conn.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
                state = read_status(conn, api_role="", with_sizes=False)
        except (ProjectorError, psycopg.Error) as error:
            text = str(error).strip().partition("\n")[0]
            if text != self._trouble:
                _log.warning("the metrics lack the state of the read model", error=quoting(error, text))
            self._trouble = text
            return None
        self._trouble = None
        return state


def metrics_of(status: Document) -> Iterator[Metric]:
    """Return the metrics of a status. One that is not known has no sample."""
    for fact in FACTS:
        if fact.metric is None:
            continue
        kind = CounterMetricFamily if fact.is_counter else GaugeMetricFamily
        number = fact.number(fact.value(status))
        if fact.label is None:
            yield kind(fact.metric, fact.help, None if number is None else _in_seconds(number))
            continue
        family = kind(fact.metric, fact.help, labels=(fact.label,))
        for label_value, number_of_value in number.items():
            family.add_metric((label_value,), _in_seconds(number_of_value))
        yield family


def _in_seconds(number: float | datetime) -> float:
    """Return a time in seconds since 1970, and any other number as it is."""
    return number.timestamp() if isinstance(number, datetime) else number


@contextmanager
def serving(config: Config) -> Iterator[None]:
    """Serve the metrics during the block, if LEADS_METRICS_PORT is set.

    Raises ConfigurationError where this machine does not have the address, and ProjectorError where the port is taken.
    """
    host, port = config.metrics_host, config.metrics_port
    if not port:
        yield
        return
    # The metrics of creation times do not help an operator, and would double the series.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    state = StateCollector(config.database_url)
    REGISTRY.register(state)
    try:
        try:
            server, _ = start_http_server(port, host, REGISTRY)
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            failed = f"LEADS_METRICS_HOST and LEADS_METRICS_PORT: cannot listen on {host}:{port}: {reason}."
            if isinstance(error, UnicodeError) or error.errno in _NO_ADDRESS:
                advice = "Set LEADS_METRICS_HOST to an address of this machine, such as 127.0.0.1 or 0.0.0.0."
                raise ConfigurationError(f"{failed} {advice}") from None
            advice = "Stop the process that listens there, or set LEADS_METRICS_PORT to another port."
            raise ProjectorError(f"{failed} {advice}") from None
        _log.info("metrics", address=host, port=port)
        try:
            yield
        finally:
            server.shutdown()
            server.server_close()
    finally:
        REGISTRY.unregister(state)
