"""The state of the read model, which is read from the database at each scrape."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import psycopg
import structlog
from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from projector.database import connect as db
from projector.database.rows import Connection
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


class StateCollector(Collector):
    """Reads the state for Prometheus, over a connection of its own."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = threading.Lock()
        self._conn: Connection | None = None
        self._state: Status | None = None
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

    def _read(self) -> Status | None:
        try:
            if self._conn is None or self._conn.closed:
                self._close()
                self._conn = _connect(self._url)
            state = read_status(self._conn, api_role="", with_sizes=False)
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


def _connect(url: str) -> Connection:
    conn = db.connect(
        url,
        application_name=f"{db.SCHEDULER_NAME}: metrics",
        connect_timeout=CONNECT_SECONDS,
    )
    conn.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
    return conn


def metrics_of(status: Status) -> Iterator[Metric]:
    """Return the metrics of a status. One that is not known has no sample."""
    for name, text, value in _NUMBERS:
        yield GaugeMetricFamily(name, text, value(status))
    for name, text, label, values in _NUMBERS_OF_EACH:
        metric = GaugeMetricFamily(name, text, labels=(label,))
        for one, number in values(status).items():
            metric.add_metric((one,), float(number))
        yield metric
    found = status.projection.found_differences if status.projection else 0
    text = "Leads, keys and statistics that a verify found to differ."
    yield CounterMetricFamily("leads_verify_found_differences", text, found)


def _rebuild_done(status: Status) -> float | None:
    run = status.rebuild_run
    # A first build has no total: it shows all leads at its end.
    return min(run.leads / run.leads_total, 1.0) if run is not None and run.leads_total else None


def _built_at(status: Status) -> float | None:
    built_at = status.projection.built_at if status.projection else None
    return built_at.timestamp() if built_at else None


def _proved_at(status: Status) -> float | None:
    proved = status.verification.proved
    return proved.finished_at.timestamp() if proved else None


def _left_out(status: Status) -> float | None:
    either = status.verification.present or status.verification.proved
    return either.left_out if either else None


_NUMBERS: tuple[tuple[str, str, Callable[[Status], float | None]], ...] = (
    (
        "leads_projector_data_age_seconds",
        "Age of the read model, by the clock of the database.",
        lambda status: status.projection.as_of_age if status.projection else None,
    ),
    (
        "leads_projector_lag_seconds",
        "Age of the oldest change that waits; 0 while none does.",
        lambda status: status.queue.lag or 0.0,
    ),
    (
        "leads_projector_queue_changes",
        f"Changes that wait, counted up to {COUNTED_CHANGES}.",
        lambda status: status.queue.changes,
    ),
    (
        "leads_projector_dead_letters",
        "Keys that are set aside with an error.",
        lambda status: status.dead_letters[0].total if status.dead_letters else 0,
    ),
    (
        "leads_projector_rebuild_done_ratio",
        "Part of the present rebuild that is done; absent while there is none.",
        _rebuild_done,
    ),
    ("leads_projector_built_timestamp_seconds", "When the last complete build ended.", _built_at),
    # Those of the verify have the names that the API gives them too.
    (
        "leads_verify_proved_timestamp_seconds",
        "When everything was compared with the source last.",
        _proved_at,
    ),
    (
        "leads_verify_round_done_ratio",
        "Part of the present round of the verify.",
        lambda status: status.verification.present.done if status.verification.present else None,
    ),
    (
        "leads_verify_left_out",
        "Leads and keys that the present round, or else the last, left out because a change waits.",
        _left_out,
    ),
    (
        "leads_verify_open_differences",
        "Leads, keys and statistics that differ from the source.",
        lambda status: status.verification.drift_total,
    ),
)
_NUMBERS_OF_EACH: tuple[tuple[str, str, str, Callable[[Status], Mapping[str, float]]], ...] = (
    (
        "leads_projector_capture_state",
        "Whether the triggers capture changes: 1 for the state that it is in.",
        "state",
        lambda status: {
            one: one == status.capture_state for one in ("intact", "gap", "off", "not installed")
        },
    ),
    (
        "leads_projector_rebuild_state",
        "Whether a rebuild runs: 1 for the state that it is in.",
        "state",
        lambda status: {one: one == status.rebuild_state for one in ("none", "running", "interrupted")},
    ),
    (
        "leads_projector_last_run_timestamp_seconds",
        "When the last run of a kind began.",
        "kind",
        lambda status: {run.kind: run.started_at.timestamp() for run in status.runs},
    ),
    (
        "leads_projector_last_run_duration_seconds",
        "How long the last run of a kind took, or has taken so far.",
        "kind",
        lambda status: {run.kind: run.seconds for run in status.runs},
    ),
    (
        "leads_projector_last_run_failed",
        "1 where the last run of a kind has failed.",
        "kind",
        lambda status: {run.kind: run.outcome == "failed" for run in status.runs},
    ),
)
