"""The fixtures of the command line's tests."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from projector.cli import Invocation, cli
from projector.report import log
from projector.sweep import recovery


def call(*arguments: str, answer: str = "") -> Result:
    """A command in this process."""
    return CliRunner().invoke(cli, arguments, input=answer)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A command leaves the log of the tests as it is, shows no values of customers, and finds no file `.env`."""
    monkeypatch.setattr(log, "configure", lambda *_, **__: None)
    monkeypatch.setattr(log, "shows_personal_data", lambda: False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def refresh_fails(monkeypatch: pytest.MonkeyPatch, in_process: None) -> Callable[[BaseException], None]:
    """Has the command `refresh` fail with an error."""
    del in_process

    @contextmanager
    def connect(_invocation: Invocation, _command: str) -> Iterator[object]:
        yield object()

    def fail_with(error: BaseException) -> None:
        def failing(*_: object, **__: object) -> None:
            raise error

        monkeypatch.setattr(recovery, "refresh_and_heal", failing)

    monkeypatch.setattr(Invocation, "connect", connect)
    monkeypatch.setattr("projector.operate.origin.proof.note_once", lambda *_: None)
    return fail_with
