"""Traces for OpenTelemetry: a span for each request, and below it one for each statement.

Only an API with LEADS_TRACING=on imports this module. A span names the pattern of a path and the kind of a statement,
never the path itself, a tenant or a value.
"""

import re
from collections.abc import Iterable
from http import HTTPStatus
from multiprocessing.util import Finalize
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from opentelemetry import propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from api import __version__
from api.config import Config
from api.database.pool import Database
from api.database.statement import BoundStatement, Row

# OpenTelemetry's name for an unknown method.
OTHER_METHOD = "_OTHER"
_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class TracedDatabase(Database):
    """A database whose statements have spans."""

    def __init__(self, config: Config, tracer: trace.Tracer) -> None:
        super().__init__(config)
        self._tracer = tracer

    def fetch(self, bound: BoundStatement[Row]) -> Row:
        """Return the first row of a statement, as Database.fetch."""
        with self._tracer.start_as_current_span(
            f"SELECT {statement_name(bound)}",
            kind=trace.SpanKind.CLIENT,
            attributes={"db.system.name": "postgresql", "db.query.summary": statement_name(bound)},
            # The message of an error can quote a value.
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                return super().fetch(bound)
            except Exception as error:
                span.set_attribute("error.type", type(error).__qualname__)
                span.set_status(trace.StatusCode.ERROR)
                raise


def statement_name(bound: BoundStatement[Row]) -> str:
    """Return the name of a statement, such as `list`: the class of its row, in small letters."""
    return _CAPITAL.sub("_", bound.row.__name__.removesuffix("Row")).lower()


class Tracing:
    """Makes a span for every request, around everything else that handles it."""

    def __init__(self, config: Config) -> None:
        own = Resource.create({SERVICE_NAME: "leads-api", SERVICE_VERSION: __version__})
        # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
        provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        # A worker ends without running the functions of atexit.
        self.end = Finalize(None, provider.shutdown, exitpriority=0)
        self._tracer = provider.get_tracer("api", __version__)
        self.database = TracedDatabase(config, self._tracer)

    def around(self, wsgi_app: WSGIApplication) -> WSGIApplication:
        """Return the application with a span around each request, which ends before its body is sent."""

        def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            sent = {
                name[5:].replace("_", "-").lower(): text
                for name, text in environ.items()
                if name.startswith("HTTP_")
            }
            with self._tracer.start_as_current_span(
                environ["REQUEST_METHOD"], context=propagate.extract(sent), kind=trace.SpanKind.SERVER
            ):
                return wsgi_app(environ, start_response)

        return answer

    def describe(self, method: str, route: str | None, status: int, correlation_id: str) -> None:
        """Describe the current request and its result in its span."""
        span = trace.get_current_span()
        name = method if method in _METHODS else OTHER_METHOD
        span.set_attributes(
            {
                "http.request.method": name,
                "http.response.status_code": status,
                "leads.correlation_id": correlation_id,
                **({} if route is None else {"http.route": route}),
            }
        )
        span.update_name(name if route is None else f"{name} {route}")
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            span.set_status(trace.StatusCode.ERROR)
