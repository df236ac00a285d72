"""The fixtures of the command line's tests."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from projector import log
from projector.cli import Invocation
from projector.cli.places import place_of
from tests.projector.cli.calls import Calls


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Calls:
    """Replaces the functions that the commands call with ones that record their calls."""
    made = Calls()
    functions = {
        "install": ["migrate"],
        "uninstall": ["check_uninstall", "uninstall"],
        "rebuild": ["rebuild"],
        "origin": ["note_once"],
        "recovery": ["refresh_and_heal", "rebuild_everything"],
        "verify": ["verify"],
        "status": [
            "read_status",
            "read_status_of_servers",
            "find_lost",
            "find_attention",
            "render",
            "as_dict",
        ],
        "capture": ["switch_off", "switch_on"],
        "explain": ["explain_lead", "render", "as_dict"],
    }
    for module, names in functions.items():
        stand_in = SimpleNamespace(**{name: made.function(name) for name in names})
        monkeypatch.setitem(sys.modules, f"projector.{module}", stand_in)

    @contextmanager
    def connect(_invocation: Invocation, _command: str) -> Iterator[object]:
        yield SimpleNamespace(info=SimpleNamespace(dbname="platform", host="db.example"))

    monkeypatch.setattr(Invocation, "connect", connect)
    # It asks the connection for that of its other side.
    monkeypatch.setattr("projector.cli.install.places_of", place_of)
    monkeypatch.setattr(log, "configure", lambda *_, **__: None)
    monkeypatch.chdir(tmp_path)
    return made
