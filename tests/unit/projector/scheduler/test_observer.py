"""What a scheduler tells of its refreshes, and what it leaves alone where nobody asked."""

import subprocess
import sys
from pathlib import Path

import pytest

from projector.core.batch import Batch
from projector.report.errors import ConfigurationError
from projector.scheduler.observer import Observer
from tests.support.commands import environment, projector


def test_without_tracing_nothing_of_opentelemetry_is_imported() -> None:
    code = (
        "import sys; import projector.scheduler.main; from projector.scheduler.observer import Observer;"
        " Observer(tracing=False); print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(), check=True, capture_output=True, text=True
    )
    assert done.stdout == "[]\n"


def test_where_it_is_not_installed_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "projector.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(ConfigurationError, match="install the extra otel"):
        Observer(tracing=True)


def test_without_tracing_every_call_is_taken() -> None:
    observer = Observer(tracing=False)
    observer.begin()
    observer.end(Batch((0,), 0, drained=True), 0.1)
    observer.fail(ValueError("x"), 0.1)
    observer.close()


def test_a_value_that_is_neither_on_nor_off_is_refused(tmp_path: Path) -> None:
    done = projector(tmp_path, "run", LEADS_TRACING="yes", DATABASE_URL="postgresql://127.0.0.1:1/x")
    assert done.returncode == 2
    assert "LEADS_TRACING" in done.stderr
