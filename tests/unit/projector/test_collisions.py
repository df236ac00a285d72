"""Work that is done again because it met another transaction."""

from types import SimpleNamespace

import psycopg
import pytest

from projector.core import collisions
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


def test_a_batch_that_gave_way_waits_for_longer(without_pauses: list[float]) -> None:
    def give_way() -> None:
        raise GaveWayError("This gave way.")

    with pytest.raises(GaveWayError):
        retry_on_collision(give_way)
    assert without_pauses.count(collisions.GAVE_WAY_PAUSE_SECONDS) == COLLISION_RETRIES


def test_the_message_says_what_to_look_at() -> None:
    def wait() -> None:
        raise psycopg.errors.LockNotAvailable("canceling statement due to lock timeout")

    with pytest.raises(
        BlockedError, match=r"Another session held a table .* See pg_stat_activity .* Nothing is lost"
    ):
        retry_on_collision(wait)


def test_another_error_is_raised_at_once(without_pauses: list[float]) -> None:
    def fail() -> None:
        raise psycopg.errors.DiskFull("no space left")

    with pytest.raises(psycopg.errors.DiskFull):
        retry_on_collision(fail)
    assert without_pauses == []
