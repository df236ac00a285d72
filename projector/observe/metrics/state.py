"""The state of the read model, which is read from the database at each scrape."""

import threading
import time
from collections.abc import Iterable, Iterator

import psycopg
import structlog
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from projector.core.pipeline import Connection
from projector.database import connect as db
from projector.database.sql import query
from projector.observe.metrics.families import FAMILIES, State, as_metric
from projector.observe.status.read import read_status
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
            yield from (as_metric(family, state) for family in FAMILIES)

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
    found = conn.execute(query("metrics", "read_found_differences")).fetchone()
    return State(status, found[0] if found else 0)


def _connect(url: str) -> Connection:
    conn = db.connect(
        url,
        application_name=f"{db.SCHEDULER_NAME}: metrics",
        connect_timeout=CONNECT_SECONDS,
    )
    conn.execute(f"SET statement_timeout = '{STATEMENT_SECONDS}s'".encode())
    return conn
