"""A run of the load has a report, however short it is and however late the first answer comes."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.benchmarks import load


class _Handler(BaseHTTPRequestHandler):
    """Answers once it may."""

    protocol_version = "HTTP/1.1"
    may_answer: threading.Event
    asked: threading.Event

    def do_GET(self) -> None:
        self.asked.set()
        self.may_answer.wait()
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class _Closer(BaseHTTPRequestHandler):
    """Closes the connection instead of an answer."""

    def do_GET(self) -> None:
        pass


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def handler() -> type[_Handler]:
    return type("Handler", (_Handler,), {"may_answer": threading.Event(), "asked": threading.Event()})


@pytest.fixture(autouse=True)
def _substitute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of wrk nobody knows whether it has asked yet."""
    monkeypatch.setattr("tests.benchmarks.load.shutil.which", lambda _name: None)


def test_a_run_that_is_stopped_at_once_has_answers_of_each_connection(handler: type[_Handler]) -> None:
    handler.may_answer.set()
    with _serving(handler) as url, load.running(url, connections=3, seconds=3600) as process:
        found = load.stopped(process)
    assert found.requests >= 3
    assert found.failed == 0
    assert found.p50 > 0


def test_an_answer_that_comes_when_the_time_is_over_counts(handler: type[_Handler]) -> None:
    with _serving(handler) as url, load.running(url, connections=1, seconds=0) as process:
        assert handler.asked.wait(60)
        # The run was to take 50 ms; it waits for its answer all the same.
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.2)
        handler.may_answer.set()
        assert load.result(process).requests == 1


def test_a_connection_that_breaks_is_told() -> None:
    with _serving(_Closer) as url, pytest.raises(RuntimeError, match="The server closed the connection"):
        load.run(url, connections=2, seconds=0.05)
