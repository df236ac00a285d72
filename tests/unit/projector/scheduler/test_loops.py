"""A loop goes on after a turn that failed."""

import threading

import pytest
import structlog

from projector.scheduler import loops


def test_a_turn_that_fails_is_logged_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loops, "FAILED_PAUSE_SECONDS", 0.0)
    stop, turns = threading.Event(), list[int]()

    def turn() -> float:
        turns.append(1)
        if len(turns) == 2:
            stop.set()
        raise ZeroDivisionError

    with structlog.testing.capture_logs() as said:
        loops.run_loop("watch", turn, stop)
    assert [line["job"] for line in said] == ["watch", "watch"]
