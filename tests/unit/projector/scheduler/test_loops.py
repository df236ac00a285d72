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


def test_a_turn_says_how_long_the_pause_is_from_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, stop = Clock(monkeypatch), Waits(4)
    durations = iter([0.25, 0.0, 7.0, 0.0])
    pauses = iter([1.0, 0.5, 2.0, 3.0])

    def turn() -> float:
        clock.now += next(durations)
        return next(pauses)

    Loop("test", turn, stop).run()
    # The clock stands still while the loop waits; the third turn takes longer than its pause.
    assert stop.asked == [0.0, 0.75, 0.5, 0.0, 3.0]
    # The first turn can wait.
    stop = Waits(0)
    Loop("test", lambda: pytest.fail("it was stopped"), stop, first_after=60.0).run()
    assert stop.asked == [60.0]


def test_a_turn_that_fails_is_logged_and_the_loop_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    Clock(monkeypatch)
    stop = Waits(2)

    def turn() -> float:
        raise ZeroDivisionError

    with structlog.testing.capture_logs() as said:
        Loop("watch", turn, stop).run()
    assert [line["job"] for line in said] == ["watch", "watch"]
    assert stop.asked[1:] == [loops.FAILED_PAUSE_SECONDS] * 2


def test_a_stop_ends_a_pause() -> None:
    stop, turned = threading.Event(), threading.Event()

    def turn() -> float:
        turned.set()
        return 3600.0

    loop = Loop("test", turn, stop)
    thread = threading.Thread(target=loop.run)
    thread.start()
    turned.wait(30)
    stop.set()
    thread.join(30)
    assert not thread.is_alive()
