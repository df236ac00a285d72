"""The state of the read model, which is read from the database at each scrape."""

import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import psycopg
import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from projector.core.pipeline import Connection
from projector.database import connect as db
from projector.database.sql import query
from projector.observe.status.read import COUNTED_CHANGES, Status, read_status
from projector.report.errors import ProjectorError
from projector.report.log import quoting

CONNECT_SECONDS = 2
STATEMENT_SECONDS = 2
"""A scrape is over before Prometheus gives it up, which it does after ten seconds."""

KEPT_SECONDS = 1.0
"""How long one reading serves: several servers that scrape at once do not multiply the queries."""

DATABASE_UP = "leads_projector_database_up"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class State:
    """What was read: the status, and how many items a verify ever found to differ."""

    status: Status
    found_differences: int


class StateCollector(Collector):
    """Reads the state for Prometheus, over a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._conn: Connection | None = None
        self._state: State | None = None
        self._read_at = float("-inf")
        self._trouble: str | None = None

    def describe(self) -> Iterable[Metric]:
        """Return nothing: a database that is away must not keep the scheduler from starting."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Return the metrics; only that the state is not known, where the database does not answer."""
        with self._lock:
            if time.monotonic() - self._read_at >= KEPT_SECONDS:
                self._state = self._read()
                self._read_at = time.monotonic()
            state = self._state
        yield GaugeMetricFamily(
            DATABASE_UP, "1 where the state of the read model could be read.", value=float(state is not None)
        )
        if state is not None:
            yield from metrics_of(state)

    def close(self) -> None:
        """Close the connection."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._conn is not None:
            self._conn.close()
            self._conn = None

    def _read(self) -> State | None:
        try:
            if self._conn is None or self._conn.closed:
                self._close()
                self._conn = _connect(self._url)
            state = read_state(self._conn)
        except (ProjectorError, psycopg.Error) as error:
            self._close()
            self._note_trouble(error)
            return None
        self._trouble = None
        return state

    def _note_trouble(self, error: Exception) -> None:
        """Log an error once."""
        text = str(error).strip().partition("\n")[0]
        if text != self._trouble:
            _log.warning("the metrics lack the state of the read model", error=quoting(error, text))
        self._trouble = text


def read_state(conn: Connection) -> State:
    """Return the state. Raises what `read_status` raises."""
    status = read_status(conn, api_role="", with_sizes=False)
    if not status.projection:
        return State(status, 0)
    found = conn.execute(query("status", "read_found_differences")).fetchone()
    return State(status, found[0] if found else 0)


def _connect(url: str) -> Connection:
    conn = db.connect(
        url,
        application_name=f"{db.SCHEDULER_NAME}: metrics",
        connect_timeout=CONNECT_SECONDS,
    )
    conn.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
    return conn


def metrics_of(state: State) -> Iterator[Metric]:
    """Return the metrics of a state. One that is not known has no sample."""
    yield from _of_projector(state.status)
    yield from _of_runs(state.status)
    yield from _of_verify(state)


def _of_projector(status: Status) -> Iterator[Metric]:
    projection, letters = status.projection, status.dead_letters
    yield _gauge(
        "leads_projector_data_age_seconds",
        "Age of the read model, by the clock of the database.",
        projection.as_of_age if projection else None,
    )
    yield _gauge(
        "leads_projector_lag_seconds",
        "Age of the oldest change that waits; 0 while none does.",
        status.queue.lag or 0.0,
    )
    yield _gauge(
        "leads_projector_queue_changes",
        f"Changes that wait, counted up to {COUNTED_CHANGES}.",
        status.queue.changes,
    )
    yield _gauge(
        "leads_projector_dead_letters",
        "Keys that are set aside with an error.",
        letters[0].total if letters else 0,
    )
    yield _gauge_of_each(
        "leads_projector_capture_state",
        "Whether the triggers capture changes: 1 for the state that it is in.",
        "state",
        {state: state == status.capture_state for state in ("intact", "gap", "off", "not installed")},
    )
    yield _gauge_of_each(
        "leads_projector_rebuild_state",
        "Whether a rebuild runs: 1 for the state that it is in.",
        "state",
        {state: state == status.rebuild_state for state in ("none", "running", "interrupted")},
    )


def _of_runs(status: Status) -> Iterator[Metric]:
    run, projection = status.rebuild_run, status.projection
    yield _gauge(
        "leads_projector_rebuild_done_ratio",
        "Part of the present rebuild that is done; absent while there is none.",
        # A first build has no total: it shows all leads at its end.
        min(run.leads / run.leads_total, 1.0) if run is not None and run.leads_total else None,
    )
    built_at = projection.built_at if projection else None
    yield _gauge(
        "leads_projector_built_timestamp_seconds",
        "When the last complete build ended.",
        built_at.timestamp() if built_at else None,
    )
    yield _gauge_of_each(
        "leads_projector_last_run_timestamp_seconds",
        "When the last run of a kind began.",
        "kind",
        {run.kind: run.started_at.timestamp() for run in status.runs},
    )
    yield _gauge_of_each(
        "leads_projector_last_run_duration_seconds",
        "How long the last run of a kind took, or has taken so far.",
        "kind",
        {run.kind: run.seconds for run in status.runs},
    )
    yield _gauge_of_each(
        "leads_projector_last_run_failed",
        "1 where the last run of a kind has failed.",
        "kind",
        {run.kind: run.outcome == "failed" for run in status.runs},
    )


def _of_verify(state: State) -> Iterator[Metric]:
    """Return those of the verify. They have the names that the API gives them too."""
    found = state.status.verification
    yield _gauge(
        "leads_verify_proved_timestamp_seconds",
        "When everything was compared with the source last.",
        found.proved.finished_at.timestamp() if found.proved else None,
    )
    yield _gauge(
        "leads_verify_round_done_ratio",
        "Part of the present round of the verify.",
        found.present.done if found.present else None,
    )
    either = found.present or found.proved
    yield _gauge(
        "leads_verify_left_out",
        "Leads and keys that the present round, or else the last, left out because a change waits.",
        either.left_out if either else None,
    )
    yield _gauge(
        "leads_verify_open_differences",
        "Leads, keys and statistics that differ from the source.",
        found.drift_total,
    )
    yield CounterMetricFamily(
        "leads_verify_found_differences",
        "Leads, keys and statistics that a verify found to differ.",
        state.found_differences,
    )


def _gauge(name: str, text: str, value: float | None) -> Metric:
    """Return a gauge, without a sample where its value is not known."""
    return GaugeMetricFamily(name, text, value)


def _gauge_of_each(name: str, text: str, label: str, values: dict[str, float]) -> Metric:
    metric = GaugeMetricFamily(name, text, labels=(label,))
    for one, value in values.items():
        metric.add_metric((one,), float(value))
    return metric
