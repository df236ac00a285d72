"""Connections that say nothing are closed, and an operator is told of very many."""

import os
import resource
from contextlib import ExitStack
from pathlib import Path

import pytest

from api.limits.connections import look, most
from api.observe.log import configure
from tests.support.cases import cases
from tests.unit.api.conftest import Library
from tests.unit.api.serving import served


def test_silent_connections_are_closed_and_told_of(library: Library, tmp_path: Path) -> None:
    patches = (
        "api.__main__.SILENT_SECONDS = 4; api.limits.connections.MAX_CONNECTIONS = 20;"
        " api.limits.connections.LOOK_SECONDS = 0.1"
    )
    with served(library, tmp_path, patches, LEADS_LOG_FORMAT="json") as server, ExitStack() as stack:
        silent = [stack.enter_context(server.connect()) for _ in range(30)]
        server.wait_for_line("nearly as many open connections as it takes")
        # Its turn comes when they are closed.
        assert server.get("/health/live")[0] == 200
        assert silent[0].recv(1) == b""
        server.wait_for_line("room for connections again")


@cases(("limit", "expected"), [(resource.RLIM_INFINITY, 4096), (1024, 956), (1_048_576, 4096), (10, 1)])
def test_connections_leave_files_for_the_rest(
    monkeypatch: pytest.MonkeyPatch, limit: int, expected: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit, limit))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: None)
    assert most(4) == expected


def test_the_limit_is_raised_to_what_the_system_allows() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
        most(4)
        assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_process_that_can_open_no_file_is_full(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_path: object) -> None:
        raise OSError(24, "Too many open files")

    configure("INFO", "json", personal_data=False)
    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", fail)
        assert look(100, is_full=False)
        assert look(100, is_full=True)
    said = capsys.readouterr()
    assert (said.out + said.err).count("nearly as many open connections") == 1
    assert not look(10_000, is_full=True)
