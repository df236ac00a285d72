"""Loops: their pauses, whatever the wall clock does, their errors and their end."""

import threading

import pytest
import structlog

from projector.scheduler import loops
from projector.scheduler.loops import Loop


class Waits(threading.Event):
    """A stop that notes what is waited for, lets no time pass, and is set after some waits."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.asked: list[float | None] = []
        self._most = most

    def wait(self, timeout: float | None = None) -> bool:
        self.asked.append(timeout)
        if len(self.asked) > self._most:
            self.set()
        return self.is_set()


class Clock:
    """A clock that a test drives."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(loops, "_clock", lambda: self.now)


def test_a_turn_that_fails_is_logged_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    stop = Waits(2)

    def turn() -> float:
        raise ZeroDivisionError

    with structlog.testing.capture_logs() as said:
        Loop("watch", turn, stop).run()
    assert [line["job"] for line in said] == ["watch", "watch"]
    assert stop.asked[1:] == [loops.FAILED_PAUSE_SECONDS] * 2
