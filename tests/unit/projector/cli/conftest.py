"""The fixtures of the command line's tests."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from projector.cli import cli
from projector.report import log


def call(*arguments: str, answer: str = "") -> Result:
    """A command in this process."""
    return CliRunner().invoke(cli, arguments, input=answer)


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A command leaves the log of the tests as it is, shows no values of customers, and finds no file `.env`."""
    monkeypatch.setattr(log, "configure", lambda *_, **__: None)
    monkeypatch.setattr(log, "shows_personal_data", lambda: False)
    monkeypatch.chdir(tmp_path)
