"""Work that is done again because it met another session."""

from types import SimpleNamespace

import psycopg
import pytest

from projector.database.retry import lock_timeouts, retry
from projector.report.errors import BlockedError


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    clock = SimpleNamespace(monotonic=lambda: sum(slept), sleep=slept.append)
    monkeypatch.setattr("projector.database.retry.time", clock)
    return slept


def test_work_that_meets_lock_timeouts_for_too_long_is_given_up(pauses: list[float]) -> None:
    def work() -> None:
        raise psycopg.errors.LockNotAvailable

    with pytest.raises(BlockedError, match="looked up"):
        retry(work, lock_timeouts(3, lambda: "looked up"))
    assert pauses == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_other_errors_of_the_work_are_passed_on() -> None:
    def work() -> None:
        raise psycopg.errors.DeadlockDetected

    with pytest.raises(psycopg.errors.DeadlockDetected):
        retry(work, lock_timeouts(60, "Too long."))
    with pytest.raises(BlockedError, match="Too long"):
        retry(work, lock_timeouts(-1, "Too long.", deadlocks=True))
