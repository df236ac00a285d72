"""The platform changes a table that a long read of ours holds: it gets its lock soon, and the read is done again."""

import errno
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
import structlog

from projector.core import pipeline, source_reads
from projector.database import connect
from projector.database.rows import Connection
from projector.operate import explain
from projector.operate.explain import explain_lead
from projector.report.progress import QUIET
from projector.sweep import compare, leads, rolling
from projector.sweep.verify import verify
from tests.exactness.interleaving import Stepped, wait_for
from tests.exactness.platform import Platform, assert_exact, forget_build, rebuild_now, refresh_now, value
from tests.support.points import at_points
from tests.unit.projector.sweep.clock import DAYS, pass_time

Work = Callable[[Connection], Any]

# The platform gives up after 25 s; the work that blocks it would take a minute.
ALTER = "SET lock_timeout = '25s'; ALTER TABLE {} ADD COLUMN further integer"
LONG = "SELECT pg_sleep(60)"


class SlowOnce:
    """Makes the first of some work take a minute, in a statement of the transaction that reads the source."""

    def __init__(self) -> None:
        self.began = threading.Event()

    def take_long(self, conn: Connection) -> None:
        if not self.began.is_set():
            self.began.set()
            conn.execute(LONG)

    def at(self, point: str, work: Work) -> Work:
        """Return the work, slow at one of its points."""

        def slow(conn: Connection) -> None:
            with at_points(lambda name: self.take_long(conn) if name == point else None):
                work(conn)

        return slow

    @contextmanager
    def snapshot(self, conn: Connection) -> Iterator[None]:
        """Open a snapshot that is slow before its end."""
        with source_reads.snapshot(conn):
            yield
            self.take_long(conn)


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_reads, "FIRST_PAUSE_SECONDS", 0.01)


def change_while_reading(filled: Platform, slow: SlowOnce, work: Work, table: str = "messages") -> None:
    """Change a table while the work reads it; the work ends well, and says that it gave way."""
    conn = filled.conn
    with structlog.testing.capture_logs() as said, Stepped(filled.database, work) as reading:
        # During the statement of a minute, it locks the tables that the statement reads.
        sleeps = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = %s"
        wait_for(lambda: value(conn, sleeps, reading.pid) or reading.ends())
        assert slow.began.is_set(), reading.error
        conn.execute(ALTER.format(table).encode(), prepare=False)
        reading.finish()
    [line] = [line for line in said if line["event"] == "gave way to a session that waits"]
    assert line["table"] == f"public.{table}"
    assert f"process {conn.info.backend_pid} (" in line["session"]


def verify_all(conn: Connection) -> None:
    report = verify(conn, tenants=None, sample=None, heal=False, progress=QUIET)
    assert (report.checked, len(report.drifts)) == (1, 1)


def explain_one(conn: Connection) -> None:
    explain_lead(conn, "one", "4915")


Made = Callable[[SlowOnce, pytest.MonkeyPatch], Work]


def at(point: str, work: Work) -> Made:
    return lambda slow, _: slow.at(point, work)


def in_snapshot(module: ModuleType, work: Work) -> Made:
    def made(slow: SlowOnce, patches: pytest.MonkeyPatch) -> Work:
        patches.setattr(module, "snapshot", slow.snapshot)
        return work

    return made


def in_comparison_of_keys(slow: SlowOnce, patches: pytest.MonkeyPatch) -> Work:
    real = leads.find_wrong_keys_in

    def find(conn: Connection, *rest: Any) -> Any:  # noqa: ANN401  # Whatever it takes and returns.
        keys = real(conn, *rest)
        slow.take_long(conn)
        return keys

    patches.setattr(leads, "find_wrong_keys_in", find)
    return rebuild_now


def in_spread(slow: SlowOnce, patches: pytest.MonkeyPatch) -> Work:
    """Return work that is slow while it queues each conversation of an agent again."""

    run_steps = pipeline.run_steps

    def run(conn: Connection, name: str, *rest: Any) -> Any:  # noqa: ANN401
        if name != "refresh/1_take/50_expand_changes" or slow.began.is_set():
            return run_steps(conn, name, *rest)
        slow.began.set()
        return conn.execute("SELECT count(*), pg_sleep(60) FROM conversations")

    patches.setattr(pipeline, "run_steps", run)
    return refresh_now


FORGET_BUILD = "UPDATE read_model.projection SET built_at = NULL"
DRIFT = "UPDATE read_model.leads SET total_messages = 7"
EDIT = "UPDATE messages SET text = 'edited'"
READS: dict[str, tuple[str, Made, str]] = {
    "the keys of a first build": (FORGET_BUILD, at("keys", rebuild_now), "conversations"),
    "a piece of a first build": (FORGET_BUILD, at("recomputed", rebuild_now), "messages"),
    "a batch": (EDIT, at("recomputed", refresh_now), "messages"),
    "the end of a batch": (EDIT, at("written", refresh_now), "messages"),
    "the spread of a mass change": ("UPDATE agents SET name = 'Grace'", in_spread, "conversations"),
    "what a rebuild in place writes": (DRIFT, at("recomputed", rebuild_now), "messages"),
    "the comparison of all keys": (EDIT, in_comparison_of_keys, "conversations"),
    "a piece of a rebuild in place": (DRIFT, in_snapshot(compare, rebuild_now), "messages"),
    "a verify": (DRIFT, in_snapshot(compare, verify_all), "conversations"),
    "an explanation": (DRIFT, in_snapshot(explain, explain_one), "messages"),
}
"""What reads the platform's tables: what is done before, what makes it slow, and a table that it reads then."""


@pytest.mark.parametrize("name", READS)
def test_what_reads_gives_way_and_is_complete_afterwards(
    filled: Platform, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before, made, table = READS[name]
    conn, slow = filled.conn, SlowOnce()
    monkeypatch.setattr(explain, "STATEMENT_TIMEOUT_SECONDS", 3600)
    conn.execute(before.encode())
    change_while_reading(filled, slow, made(slow, monkeypatch), table)
    assert value(conn, "SELECT count(*) FROM projector.runs WHERE outcome <> 'done'") == 0
    if name in {"a verify", "an explanation"}:
        # They write nothing.
        rebuild_now(conn)
    refresh_now(conn)
    assert_exact(conn)


def test_a_first_build_gives_way_as_often_as_it_must(filled: Platform) -> None:
    forget_build(filled.conn)
    slows = [SlowOnce(), SlowOnce(), SlowOnce()]

    def work(conn: Connection) -> None:
        left = iter(slows)
        with at_points(lambda name: next(left, slows[0]).take_long(conn) if name == "recomputed" else None):
            rebuild_now(conn)

    with Stepped(filled.database, work) as building:
        for number, slow in enumerate(slows):
            wait_for(slow.began.is_set)
            filled.conn.execute(f"ALTER TABLE messages ADD COLUMN further_{number} integer".encode())
        building.finish()
    refresh_now(filled.conn)
    assert_exact(filled.conn)


def test_a_look_that_fails_is_not_the_last_one(filled: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it is: there is one thread for all reads."""
    slow, real, fails = SlowOnce(), connect.connect_beside, iter([True])

    def connect_beside(conn: Connection, name: str) -> Connection:
        if next(fails, False):
            raise OSError(errno.EMFILE, "Too many open files")
        return real(conn, name)

    filled.message("c", "queued")
    monkeypatch.setattr(connect, "connect_beside", connect_beside)
    change_while_reading(filled, slow, slow.at("recomputed", refresh_now))
    assert next(fails, None) is None
    assert_exact(filled.conn)


def test_a_slice_of_the_rolling_verify_gives_way_and_is_due_again_later(
    filled: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow, waits = SlowOnce(), list[float]()
    monkeypatch.setattr(compare, "snapshot", slow.snapshot)

    def work(conn: Connection) -> None:
        pipeline.prepare_session(conn)
        waits.append(rolling.step(conn, DAYS))

    change_while_reading(filled, slow, work, "conversations")
    assert waits == [rolling.GIVE_WAY_SECONDS]
    pass_time(filled.conn, rolling.GIVE_WAY_SECONDS + 1)
    with filled.database.connect() as own:
        work(own)
    assert value(filled.conn, "SELECT phase FROM projector.sweep_positions") == "leads"
