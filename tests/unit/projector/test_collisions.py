"""Work that is done again because it met another transaction."""

from types import SimpleNamespace

import psycopg
import pytest

from projector.core.collisions import COLLISION_RETRIES, retry_on_collision
from projector.report.errors import BlockedError, GaveWayError


@pytest.fixture(autouse=True)
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("projector.core.collisions.time", SimpleNamespace(sleep=slept.append))
    return slept


@pytest.mark.parametrize(
    "error",
    [
        psycopg.errors.DeadlockDetected("deadlock detected"),
        psycopg.errors.SerializationFailure("moved"),
        psycopg.errors.LockNotAvailable("lock timeout"),
        GaveWayError("This gave way."),
    ],
)
def test_what_met_another_transaction_is_tried_again_some_times(error: Exception) -> None:
    tries: list[int] = []

    def work(failures: int) -> str:
        tries.append(1)
        if len(tries) <= failures:
            raise error
        return "done"

    assert retry_on_collision(lambda: work(COLLISION_RETRIES)) == "done"
    assert len(tries) == COLLISION_RETRIES + 1
    tries.clear()
    with pytest.raises(BlockedError):
        retry_on_collision(lambda: work(COLLISION_RETRIES + 1))
    assert len(tries) == COLLISION_RETRIES + 1
