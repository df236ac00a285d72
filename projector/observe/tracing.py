"""Traces of refreshes for OpenTelemetry: one span for each batch that took changes, with its statements as events.

Only the scheduler with LEADS_TRACING=on imports this module. Statements are named by their place below `sql/`; no span
holds a value of a row.
"""

import time
from typing import Any

import psycopg
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from psycopg.rows import TupleRow

from projector import __version__
from projector.core.batch import Batch
from projector.core.staging import CLEAR
from projector.database.sql import names_of_texts

Connection = psycopg.Connection[TupleRow]

SPAN = "refresh batch"
MOST_EVENTS = 1000
"""A batch that is tried again and again keeps its first events."""


class Tracing:
    """Records what the connection of the refreshes does, and makes spans of it."""

    def __init__(self, exporter: SpanExporter | None = None) -> None:
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over these.
        own = Resource.create({SERVICE_NAME: "leads-projector", SERVICE_VERSION: __version__})
        resource = own.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(exporter or OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("projector", __version__)
        self._names = {**names_of_texts(), CLEAR.decode(): "queries/core/clear_staging_table"}
        self._events: list[tuple[str, int]] = []

    def follow(self, conn: Connection) -> None:
        """Note each statement of this connection from now on."""
        tracing = self

        class Cursor(psycopg.Cursor[Any]):
            """A cursor that notes what it executes."""

            def execute(self, query: Any, *arguments: Any, **options: Any) -> "Cursor":  # noqa: ANN401  # As psycopg.
                tracing.note(query)
                return super().execute(query, *arguments, **options)

        conn.cursor_factory = Cursor

    def note(self, statement: object) -> None:
        """Note a statement that begins now."""
        if len(self._events) < MOST_EVENTS:
            self._events.append((self._name(statement), time.time_ns()))

    def begin(self) -> None:
        """Forget what was noted: a batch begins."""
        self._events.clear()

    def end(self, done: Batch, seconds: float) -> None:
        """Make a span of a batch that took so long, unless it found nothing to do."""
        if done.changes:
            self._make_span(
                seconds,
                {"leads.changes": done.changes, "leads.leads": done.leads, "leads.messages": done.messages},
                None,
            )
        self.begin()

    def fail(self, error: Exception, seconds: float) -> None:
        """Make a span of a batch that failed. It names the kind of the error, whose message can quote a row."""
        self._make_span(seconds, {"error.type": type(error).__qualname__}, type(error).__qualname__)
        self.begin()

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()

    def _make_span(self, seconds: float, attributes: dict[str, int | str], failure: str | None) -> None:
        now = time.time_ns()
        span = self._tracer.start_span(
            SPAN,
            kind=trace.SpanKind.INTERNAL,
            attributes={"db.system.name": "postgresql", **attributes},
            start_time=now - int(seconds * 1e9),
        )
        for name, at in self._events:
            span.add_event(name, timestamp=at)
        if failure is not None:
            span.set_status(trace.StatusCode.ERROR, failure)
        span.end(now)

    def _name(self, statement: object) -> str:
        """Return the name of a statement; its first word where it has none, never a value."""
        text = statement.decode() if isinstance(statement, bytes) else statement
        if not isinstance(text, str):
            return type(statement).__name__
        return self._names.get(text) or text.split(None, 1)[0]
