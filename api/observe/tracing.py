"""Traces of requests for OpenTelemetry: one span for each request, with one below it for each statement.

Only an API with LEADS_TRACING=on imports this module. A span names the pattern of a path and what a statement reads,
never the path itself, a tenant or a value.
"""

import re
from http import HTTPStatus
from multiprocessing.util import Finalize

from flask import Flask, Response, g, request
from opentelemetry import context, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from api.config import Config
from api.database.pool import Database
from api.database.statement import BoundStatement, Row
from api.observe.version import installed_version

# OpenTelemetry's name for a method that anyone may have made up.
OTHER_METHOD = "_OTHER"
_METHODS = {"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"}
_CAPITAL = re.compile(r"(?<=[a-z])(?=[A-Z])")


class TracedDatabase(Database):
    """A database whose statements have spans."""

    def __init__(self, config: Config, tracer: trace.Tracer) -> None:
        super().__init__(config)
        self._tracer = tracer

    def fetch(self, bound: BoundStatement[Row]) -> Row:
        """Returns the first row of a statement, as Database.fetch."""
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
    """Returns what a statement reads, such as `lead_list`: the class of its row, in small letters."""
    return _CAPITAL.sub("_", bound.row.__name__.removesuffix("Row")).lower()


def install(app: Flask, config: Config) -> Database:
    """Make a span of every request; returns the database that the application has to use."""
    own = Resource.create({SERVICE_NAME: "leads-api", SERVICE_VERSION: installed_version()})
    # OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
    provider = TracerProvider(resource=own.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # A worker ends without running what atexit has.
    app.extensions["leads_end_tracing"] = Finalize(None, provider.shutdown, exitpriority=0)
    tracer = provider.get_tracer("api", installed_version())

    def start() -> None:
        g.span = tracer.start_span(
            request.method, context=propagate.extract(request.headers), kind=trace.SpanKind.SERVER
        )
        g.span_token = context.attach(trace.set_span_in_context(g.span))

    app.before_request(start)
    app.after_request(_describe)
    app.teardown_request(_end)
    return TracedDatabase(config, tracer)


def _describe(response: Response) -> Response:
    span = g.span
    method = request.method if request.method in _METHODS else OTHER_METHOD
    attributes: dict[str, str | int] = {
        "http.request.method": method,
        "http.response.status_code": response.status_code,
        "leads.correlation_id": g.correlation_id,
    }
    if request.url_rule is not None:
        attributes["http.route"] = request.url_rule.rule
        method = f"{method} {request.url_rule.rule}"
    span.update_name(method)
    span.set_attributes(attributes)
    if response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        span.set_status(trace.StatusCode.ERROR)
    return response


def _end(_error: BaseException | None) -> None:
    if "span" in g:
        context.detach(g.span_token)
        g.span.end()
