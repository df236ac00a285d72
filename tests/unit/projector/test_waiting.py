"""Commands that wait for a lock, and work that is done again because it met another session."""

import threading
from collections.abc import Iterator
from functools import partial
from types import SimpleNamespace

import psycopg
import pytest

from projector.database import lock_waits as waiting
from projector.database.lock_waits import find_awaited_lock, telling_waits
from projector.database.retry import lock_timeouts, retry
from projector.database.rows import Connection
from projector.report.errors import BlockedError
from tests.support.running import wait_for
from tests.support.server import Database


@pytest.fixture
def holder(database: Database) -> Iterator[Connection]:
    """A session of somebody else, in a transaction."""
    with database.connect(application_name="a long report") as conn:
        conn.execute("BEGIN")
        yield conn


def test_a_short_wait_is_not_told(
    database: Database, holder: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wait is shorter than the time after which it is told, however slow this machine is."""
    monkeypatch.setattr(waiting, "TELL_AFTER_SECONDS", 3600.0)
    assert tell_of_a_wait(database, holder) == []
    monkeypatch.setattr(waiting, "TELL_AFTER_SECONDS", 0.0)
    holder.execute("BEGIN")
    [sentence] = tell_of_a_wait(database, holder, is_told=True)
    assert sentence.startswith("Waiting for the table read_model.leads: ")


def tell_of_a_wait(database: Database, holder: Connection, *, is_told: bool = False) -> list[str]:
    """What is told of a session that waits for a table: until it is told, or for some looks."""
    told: list[str] = []
    holder.execute("LOCK TABLE read_model.leads")
    with database.connect() as conn, database.connect() as looking:

        def release() -> None:
            pid = conn.info.backend_pid
            wait_for(lambda: find_awaited_lock(looking, pid) is not None, "a session that waits")
            if is_told:
                wait_for(lambda: bool(told), "a sentence")
            else:
                # Some looks; nothing is told of them on a fast machine or on a slow one.
                threading.Event().wait(0.5)
            holder.execute("COMMIT")

        with telling_waits(conn, told.append):
            thread = threading.Thread(target=release)
            thread.start()
            conn.execute("SELECT count(*) FROM read_model.leads")
            thread.join()
    return told


@pytest.fixture
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
    def work(error: type[Exception]) -> None:
        raise error

    with pytest.raises(psycopg.errors.SerializationFailure):
        retry(partial(work, psycopg.errors.SerializationFailure), lock_timeouts(60, "Too long."))
    with pytest.raises(BlockedError, match="Too long"):
        retry(partial(work, psycopg.errors.DeadlockDetected), lock_timeouts(-1, "Too long."))
