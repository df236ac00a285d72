"""Spans of batches, with the statements that each has run."""

from functools import partial
from pathlib import Path

import psycopg
import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from projector.core.batch import Batch
from projector.database.rows import Connection
from projector.observe import tracing
from projector.scheduler.main import Scheduler
from tests.support.running import write_message, write_source
from tests.support.server import Database
from tests.unit.projector.scheduler.running import build, scheduler_of


@pytest.fixture
def exporter(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """What keeps the spans that would be sent."""
    made = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "OTLPSpanExporter", lambda: made)
    return made


def everything_in(span: ReadableSpan) -> str:
    return str(span.to_json())


@pytest.fixture
def scheduler(
    database: Database, connection: Connection, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Scheduler:
    """The jobs of a scheduler that traces, and a message that waits for them."""
    build(connection)
    write_source(connection)
    write_message(connection, "m-secret", text="a text of a customer")
    return scheduler_of(database, monkeypatch, tmp_path, LEADS_TRACING="on")


def test_each_batch_with_changes_has_a_span_with_its_statements_in_order(
    exporter: InMemorySpanExporter, scheduler: Scheduler
) -> None:
    for _ in range(3):
        scheduler.jobs["refresh"]()
    scheduler.end()
    first, *_ = spans = exporter.get_finished_spans()
    assert {span.name for span in spans} == {"refresh batch"}
    # A piece of late keys takes no changes.
    assert all(
        span.attributes and (span.attributes["leads.changes"] or span.attributes["leads.leads"])
        for span in spans
    )
    assert first.attributes is not None
    assert (first.attributes["leads.leads"], first.attributes["leads.messages"]) == (1, 1)
    names = [event.name for event in first.events]
    assert names[:4] == [
        "refresh/1_take/10_own_shards",
        "refresh/1_take/20_open_batch",
        "queries/core/clear_staging_table",
        "refresh/1_take/30_take_changes",
    ]
    # Several steps limit how long they wait for a lock, by the same statement.
    steps = [name for name in names if name.startswith("refresh/") and "limit_lock_waits" not in name]
    assert steps == sorted(steps)
    assert "refresh/9_finish/10_log_run" in steps
    assert len(steps) > 20
    # Each has a name: what has none is shown by its first word.
    assert [name for name in names if "/" not in name] == []
    assert first.start_time is not None
    assert first.end_time is not None
    assert all(event.timestamp >= first.start_time - 10**9 for event in first.events)
    assert [event.timestamp for event in first.events] == sorted(event.timestamp for event in first.events)
    for text in ("a text of a customer", "m-secret", "49151000001"):
        assert text not in "".join(map(everything_in, spans))


def test_a_batch_that_fails_has_a_span_that_quotes_no_value(
    exporter: InMemorySpanExporter, scheduler: Scheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise psycopg.errors.OutOfMemory("a value of a customer")

    monkeypatch.setattr("projector.core.refresh.refresh_batch", fail)
    scheduler.jobs["refresh"]()
    scheduler.end()
    [span] = exporter.get_finished_spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes is not None
    assert span.attributes["error.type"] == "OutOfMemory"
    assert "customer" not in everything_in(span)


def test_a_statement_without_a_name_is_shown_by_its_first_word() -> None:
    statements = ("SELECT 'a secret'", b"SET x = 1", psycopg.sql.SQL("TRUNCATE t"))
    assert [tracing.name_of(statement) for statement in statements] == ["SELECT", "SET", "SQL"]


def test_a_batch_that_found_nothing_has_no_span(exporter: InMemorySpanExporter) -> None:
    made = tracing.Tracing()
    for changes in (0, 1):
        made.batch(partial(Batch, (0,), changes))
    made.close()
    [span] = exporter.get_finished_spans()
    assert span.attributes is not None
    assert span.attributes["leads.changes"] == 1
