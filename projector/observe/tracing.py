"""Traces of refreshes for OpenTelemetry: one span for each batch that took changes, with its statements as events.

Only the scheduler with LEADS_TRACING=on imports this module. Statements are named by their place below `sql/`; no span
holds a value of a row.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import psycopg
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from projector import __version__
from projector.core.batch import Batch
from projector.core.staging import CLEAR
from projector.database.rows import Connection
from projector.database.sql import name_of_text

# The names of statements that Python puts together from several queries.
_NAMES = {CLEAR.decode(): "queries/core/clear_staging_table"}

_Done = TypeVar("_Done", bound=Batch | None)


class _Cursor(psycopg.Cursor[Any]):
    """A cursor that notes each statement as it begins, if that is in a batch."""

    def execute(self, query: Any, *arguments: Any, **options: Any) -> "_Cursor":  # noqa: ANN401  # As psycopg.
        trace.get_current_span().add_event(name_of(query))
        return super().execute(query, *arguments, **options)


class Tracing:
    """Makes spans of batches, and events of what their connection executes."""

    def __init__(self) -> None:
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over these.
        own = Resource.create({SERVICE_NAME: "leads-projector", SERVICE_VERSION: __version__})
        resource = own.merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("projector", __version__)

    def follow(self, conn: Connection) -> None:
        """Note each statement of this connection from now on."""
        conn.cursor_factory = _Cursor

    def batch(self, work: Callable[[], _Done]) -> _Done:
        """Do the work of a batch, and return what it returns.

        Only a batch that took changes or failed is sent. Of an error, the span has only the kind: the message
        can quote a row.
        """
        with self._tracer.start_as_current_span(
            "refresh batch",
            attributes={"db.system.name": "postgresql"},
            record_exception=False,
            set_status_on_exception=False,
            end_on_exit=False,
        ) as span:
            try:
                done = work()
            except psycopg.Error as error:
                kind = type(error).__qualname__
                span.set_attribute("error.type", kind)
                span.set_status(trace.StatusCode.ERROR, kind)
                span.end()
                raise
            if done is not None and done.found_work:
                counts = {"changes": done.changes, "leads": done.leads, "messages": done.messages}
                span.set_attributes({f"leads.{name}": number for name, number in counts.items()})
                span.end()
            return done

    def close(self) -> None:
        """Send what was not sent yet."""
        self._provider.shutdown()


def name_of(statement: object) -> str:
    """Return the name of a statement, or its first word if it has no name. Neither holds a value."""
    text = statement.decode() if isinstance(statement, bytes) else statement
    if not isinstance(text, str):
        return type(statement).__name__
    return _NAMES.get(text) or name_of_text(text) or text.split(None, 1)[0]
