"""Spans of requests and of the statements that they run."""

import threading
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import make_server
from wsgiref.types import StartResponse, WSGIEnvironment

import pytest
from flask import Flask
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from api.__main__ import require_tracing
from api.observe import tracing
from tests.support.server import Database
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.serving import served

Received = list[ExportTraceServiceRequest]
BASE = "/users/<user_id>/leads"


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What keeps the spans that would be sent."""
    made = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "OTLPSpanExporter", lambda: made)
    return made


def spans_of(app: Flask, exporter: InMemorySpanExporter) -> list[ReadableSpan]:
    """The spans that were made, in the order of their starts."""
    app.extensions["leads"].tracing.end()
    return sorted(exporter.get_finished_spans(), key=lambda span: span.start_time or 0)


def test_a_request_is_a_span_with_its_statements_below(
    library: Library, make_app: MakeApp, exporter: InMemorySpanExporter
) -> None:
    app = make_app(library.database, tracing=True)
    client = app.test_client()
    trace_id, span_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    headers = {"X-Correlation-Id": "mine", "traceparent": f"00-{trace_id}-{span_id}-01"}
    answer = client.get(f"{library.base}/{library.phone}", headers=headers)
    assert answer.status_code == 200
    request, *statements = spans_of(app, exporter)
    assert (request.name, request.kind) == (f"GET {BASE}/<customer_phone>", SpanKind.SERVER)
    assert request.attributes == {
        "http.request.method": "GET",
        "http.route": f"{BASE}/<customer_phone>",
        "http.response.status_code": 200,
        "leads.correlation_id": "mine",
    }
    assert [span.name for span in statements] == ["SELECT projection", "SELECT lead"]
    assert {span.kind for span in statements} == {SpanKind.CLIENT}
    assert request.context is not None
    assert request.parent is not None
    # The trace of the caller goes on.
    assert format(request.context.trace_id, "032x") == trace_id
    assert format(request.parent.span_id, "016x") == span_id
    assert {span.parent.span_id for span in statements if span.parent} == {request.context.span_id}
    text = "".join(str(span.to_json()) for span in (request, *statements))
    assert library.phone not in text
    assert library.tenant not in text


def test_what_nobody_offers_is_named_by_no_path_and_no_method_of_the_caller(
    library: Library, make_app: MakeApp, exporter: InMemorySpanExporter
) -> None:
    app = make_app(library.database, tracing=True)
    client = app.test_client()
    client.get(f"/nothing/{library.phone}")
    client.open("/health/live", method="BREW")
    spans = spans_of(app, exporter)
    assert [span.name.split()[0] for span in spans] == ["GET", tracing.OTHER_METHOD]
    assert library.phone not in "".join(str(span.to_json()) for span in spans)


def test_an_error_is_marked_and_its_message_is_not_told(
    make_app: MakeApp, exporter: InMemorySpanExporter
) -> None:
    app = make_app(Database("postgresql://nobody@127.0.0.1:1/nothing", ""), tracing=True)
    assert app.test_client().get("/users/a/leads").status_code == 503
    request, statement = spans_of(app, exporter)
    assert request.status.status_code is statement.status.status_code is StatusCode.ERROR
    assert statement.attributes is not None
    assert statement.attributes["error.type"] == "UnavailableError"
    assert [*request.events, *statement.events] == []


def test_where_it_is_not_installed_the_extra_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    require_tracing()
    monkeypatch.setattr("api.__main__.find_spec", lambda _name: None)
    with pytest.raises(SystemExit) as ended:
        require_tracing()
    assert ended.value.code == 2
    said = capsys.readouterr()
    assert "install the extra otel" in said.out + said.err


@pytest.fixture
def collector() -> Iterator[tuple[str, Received]]:
    """A server that takes spans as a collector of OpenTelemetry does, and what it was sent."""
    received: Received = []

    def take(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        received.append(ExportTraceServiceRequest.FromString(body))
        start_response("200 OK", [])
        return []

    with make_server("127.0.0.1", 0, take) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", received
        server.shutdown()
        thread.join()


def test_what_was_not_sent_yet_is_sent_when_the_server_ends(
    library: Library, tmp_path: Path, collector: tuple[str, Received]
) -> None:
    endpoint, received = collector
    exporting = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "3600000"}
    with served(library.database, tmp_path, LEADS_TRACING="on", **exporting) as server:
        assert server.get(f"{library.base}/stats")[0] == 200
    scopes = [
        scope for message in received for resource in message.resource_spans for scope in resource.scope_spans
    ]
    assert {f"GET {BASE}/stats", "SELECT statistics"} <= {
        span.name for scope in scopes for span in scope.spans
    }
