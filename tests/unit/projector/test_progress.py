"""Progress: few lines in a log, a bar at a terminal."""

import io

import pytest
from rich.console import Console

from projector.report.progress import Bar, Lines


def test_a_log_survives_more_than_was_announced_and_a_second_end(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    clock = [100.0]
    monkeypatch.setattr("projector.report.progress.monotonic", lambda: clock[0])
    lines = Lines(said.append)
    lines.start("Rebuilding", 0, "leads")
    clock[0] += 6
    lines.advance(3)
    lines.finish()
    lines.finish()
    assert said == ["Rebuilding: 3 leads, 0/s", "Rebuilding: 3 leads in 6.0 s"]
    # It says nothing of nothing to do, and one is one.
    said.clear()
    lines.start("refresh", 0, "changes")
    lines.advance(0)
    lines.start("refresh", 1, "changes")
    lines.advance(1)
    lines.finish()
    assert said == ["refresh: 1 change", "refresh: 1 of 1 change in 0.0 s"]


def test_a_terminal_gets_a_bar_with_rate_and_time_left() -> None:
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=120, color_system=None))
    bar.start("Loading", 2_000, "leads")
    bar.advance(500)
    bar.advance(1_500)
    bar.finish()
    bar.advance(1)
    shown = screen.getvalue()
    assert "Loading" in shown
    assert "2000/2000" in shown
    assert "leads/s" in shown
    assert "0:00:00" in shown
    # More comes than was announced, and nothing is left of the work before.
    screen.truncate(0)
    bar.start("Rebuilding", 6_000, "leads")
    bar.advance(6_134)
    bar.finish()
    assert "6134/6134" in screen.getvalue()
    assert "Loading" not in screen.getvalue()
