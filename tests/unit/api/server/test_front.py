"""An answer from memory ends in the thread that hands the request over; what may take time goes on in another one."""

import json
import re
from concurrent.futures import Executor
from pathlib import Path
from time import sleep
from typing import Any
from unittest.mock import Mock

import pytest
from flask import Flask
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from api.observe import tracing
from api.routes import memory
from api.server.front import Front
from tests.support.running import wait_for
from tests.unit.api.conftest import Library, MakeApp
from tests.unit.api.serving import served


def begun(front: Front, path: str) -> tuple[Executor | None, list[dict[str, Any]]]:
    """Return where a request goes on that was handed over, or None, and what was sent once it has ended."""
    sent: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        raise AssertionError("A GET has no body.")

    scope = {
        "method": "GET",
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "server": ("127.0.0.1", "4000"),
        "client": ("127.0.0.1", 50_000),
        "http_version": "1.1",
        "scheme": "http",
    }
    request = front(scope, receive, send)
    try:
        threads = request.send(None)
    except StopIteration:
        return None, sent
    assert isinstance(threads, Executor)
    assert not sent
    with pytest.raises(StopIteration):
        request.send(None)
    return threads, sent


# Python calls a thread by this name that it has not started: that of Granian which hands requests over.
BEGUN = """
import sys, threading, api.server.front as front
read = front.environ_of
def noted(scope):
    print("begun in", threading.current_thread().name, file=sys.stderr, flush=True)
    return read(scope)
front.environ_of = noted
"""


def test_the_server_hands_a_request_over_as_the_loop_expects(library: Library, tmp_path: Path) -> None:
    with served(library.database, tmp_path, BEGUN) as server:
        server.wait_for_line("begun in")
        threads = set(re.findall("begun in (.*)", server.log.read_text()))
    assert all(name.startswith("Dummy-") for name in threads), (
        f"Granian begins requests in {threads}: look at Loop.call_soon_threadsafe in api/server/loop.py"
    )


def front_of(app: Flask) -> Front:
    return Front(app)


def test_an_answer_from_memory_takes_no_thread(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PROBE_SECONDS", 3600.0)
    front = front_of(make_app(library.database))
    # Flask answers the first one, and the second has to probe the tenant.
    answers = [begun(front, library.base) for _ in range(4)]
    assert [threads is None for threads, _ in answers] == [False, False, True, True]
    starts, bodies = zip(*(sent for _, sent in answers), strict=True)
    assert {start["status"] for start in starts} == {200}
    for start, body in zip(starts, bodies, strict=True):
        assert dict(start["headers"])[b"Content-Length"].decode() == str(len(body["body"]))
    data = [json.loads(body["body"])["data"] for body in bodies]
    assert data[0]
    assert data == [data[0]] * 4


def test_the_next_probe_of_a_tenant_begins_while_the_last_one_is_used(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PROBE_SECONDS", 3600.0)
    monkeypatch.setattr(memory, "AHEAD_SECONDS", 0.0)
    app = make_app(library.database)
    look = Mock(wraps=app.extensions["leads"].read_model.look)
    monkeypatch.setattr(app.extensions["leads"].read_model, "look", look)
    front = front_of(app)
    assert [begun(front, library.base)[0] is None for _ in range(2)] == [False, False]
    looks = look.call_count
    assert begun(front, library.base)[0] is None
    wait_for(lambda: look.call_count > looks, "the tenant is probed again", patience=20.0)


def test_an_answer_takes_a_thread_where_the_tenant_has_to_be_probed(
    library: Library, make_app: MakeApp
) -> None:
    front = front_of(make_app(library.database))
    for _ in range(3):
        assert begun(front, library.base)[0] is not None
        sleep(memory.PROBE_SECONDS)


@pytest.mark.parametrize(
    "settings", [{"tracing": True}, {"rate_limit_storage": "redis://127.0.0.1:1"}, {"answers_mb": 0}]
)
def test_an_answer_takes_a_thread_where_something_else_may_wait(
    settings: dict[str, Any], library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "PROBE_SECONDS", 3600.0)
    monkeypatch.setattr(tracing, "OTLPSpanExporter", InMemorySpanExporter)
    front = front_of(make_app(library.database, rate_limit="9 per minute", log_level="ERROR", **settings))
    assert all(begun(front, library.base)[0] is not None for _ in range(3))
