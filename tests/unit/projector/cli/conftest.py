"""The fixtures of the command line's tests."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from projector.cli import Invocation
from projector.report import log
from tests.unit.projector.cli.calls import Calls


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """Replaces the functions that the commands call with ones that record their calls."""
    made = Calls()
    functions = {
        "operate.install": ["migrate"],
        "operate.uninstall": ["check_uninstall", "uninstall"],
        "sweep.rebuild": ["rebuild"],
        "operate.origin.proof": ["note_once"],
        "sweep.recovery": ["refresh_and_heal", "rebuild_everything"],
        "sweep.verify": ["verify"],
        "observe.status": ["read_status", "find_attention", "render", "as_dict"],
        "capture": ["switch_off", "switch_on"],
        "operate.explain": ["explain_lead", "render", "as_dict"],
    }
    for module, names in functions.items():
        stand_in = SimpleNamespace(**{name: made.function(name) for name in names})
        monkeypatch.setitem(sys.modules, f"projector.{module}", stand_in)

    @contextmanager
    def connect(_invocation: Invocation, _command: str) -> Iterator[object]:
        yield SimpleNamespace(info=SimpleNamespace(dbname="platform", host="db.example"))

    monkeypatch.setattr(Invocation, "connect", connect)
    monkeypatch.setattr(log, "configure", lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)
    return made
