"""The platform changes a table that a long read of ours holds: it gets its lock soon, and the read is done again."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

import pytest
import structlog

from projector.core import batch, pipeline, source_reads
from projector.core.refresh import refresh
from projector.database import sql
from projector.database.rows import Connection
from projector.operate import explain
from projector.operate.explain import explain_lead
from projector.report.progress import QUIET
from projector.sweep import compare, leads, rolling
from projector.sweep.rebuild import rebuild
from projector.sweep.verify import verify
from tests.exactness.interleaving import Stepped, wait_for
from tests.exactness.platform import Platform, assert_exact, forget_build, refresh_now, texts, value
from tests.support.points import at_points
from tests.unit.projector.sweep.clock import DAYS, pass_time

Work = Callable[[Connection], Any]

# The platform waits no longer; what it waits for would take a minute.
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
        """The work, slow at one of its points."""

        def slow(conn: Connection) -> None:
            with at_points(lambda name: self.take_long(conn) if name == point else None):
                work(conn)

        return slow

    @contextmanager
    def snapshot(self, conn: Connection) -> Iterator[None]:
        """A snapshot that is slow before its end."""
        with source_reads.snapshot(conn):
            yield
            self.take_long(conn)

    def after(self, real: Callable[..., Any]) -> Callable[..., Any]:
        """A function of a connection and more, slow before its end."""

        def slow(conn: Connection, *rest: Any) -> Any:  # noqa: ANN401  # Whatever it takes and returns.
            found = real(conn, *rest)
            self.take_long(conn)
            return found

        return slow


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_reads, "FIRST_PAUSE_SECONDS", 0.01)


def rebuild_all(conn: Connection) -> None:
    rebuild(conn, tenants=None, progress=QUIET)


def refresh_all(conn: Connection) -> None:
    refresh(conn, retry_failed=False, progress=QUIET)


def change_while_reading(filled: Platform, slow: SlowOnce, work: Work, table: str = "messages") -> None:
    """Change a table while the work reads it; the work ends well, and says that it gave way."""
    conn = filled.conn
    with structlog.testing.capture_logs() as said, Stepped(filled.database, work) as reading:
        # In the statement that takes a minute, it holds the tables that this reads.
        sleeps = "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = %s"
        wait_for(lambda: value(conn, sleeps, reading.pid) or reading.ends())
        assert slow.began.is_set(), reading.error
        conn.execute(ALTER.format(table).encode(), prepare=False)
        reading.finish()
    [line] = [line for line in said if line["event"] == "gave way to a session that waits"]
    assert line["table"] == f"public.{table}"
    assert f"process {conn.info.backend_pid} (" in line["session"]


@pytest.mark.parametrize("point", ["built", "indexed"])
def test_a_first_build_gives_way_and_is_complete_afterwards(filled: Platform, point: str) -> None:
    forget_build(filled.conn)
    slow = SlowOnce()
    change_while_reading(filled, slow, slow.at(point, rebuild_all))
    assert value(filled.conn, "SELECT built_at IS NOT NULL FROM read_model.projection")
    assert value(filled.conn, "SELECT count(*) FROM projector.runs WHERE outcome <> 'done'") == 0
    refresh_now(filled.conn)
    assert_exact(filled.conn)


def test_a_first_build_gives_way_as_often_as_it_must(filled: Platform) -> None:
    forget_build(filled.conn)
    slows = [SlowOnce(), SlowOnce(), SlowOnce()]

    def work(conn: Connection) -> None:
        left = iter(slows)
        with at_points(lambda name: next(left, slows[0]).take_long(conn) if name == "built" else None):
            rebuild_all(conn)

    with Stepped(filled.database, work) as building:
        for number, slow in enumerate(slows):
            wait_for(slow.began.is_set)
            filled.conn.execute(f"ALTER TABLE messages ADD COLUMN further_{number} integer".encode())
        building.finish()
    refresh_now(filled.conn)
    assert_exact(filled.conn)


@pytest.mark.parametrize("point", ["recomputed", "written"])
def test_a_batch_gives_way_and_its_changes_are_not_lost(filled: Platform, point: str) -> None:
    filled.message("c", "queued")
    slow = SlowOnce()
    change_while_reading(filled, slow, slow.at(point, refresh_all))
    assert texts(filled.conn, "one", "4915") == ["first", "queued"]
    assert_exact(filled.conn)


def test_the_spread_of_a_mass_change_gives_way(filled: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    """The conversations of an agent, each of which is queued again."""
    slow, real = SlowOnce(), sql.statement

    def slow_statement(name: str) -> str:
        if name != "refresh/1_take/50_spread_changes" or slow.began.is_set():
            return real(name)
        slow.began.set()
        return "SELECT count(*), pg_sleep(60) FROM conversations"

    filled.conn.execute("UPDATE agents SET name = 'Grace'")
    monkeypatch.setattr(batch, "statement", slow_statement)
    change_while_reading(filled, slow, refresh_all, "conversations")
    assert_exact(filled.conn)


def test_what_a_rebuild_in_place_writes_gives_way(filled: Platform) -> None:
    slow = SlowOnce()
    filled.conn.execute("UPDATE read_model.leads SET total_messages = 7")
    change_while_reading(filled, slow, slow.at("recomputed", rebuild_all))
    assert_exact(filled.conn)


def test_the_comparison_of_all_keys_gives_way(filled: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = SlowOnce()
    monkeypatch.setattr(leads, "find_wrong_keys_in", slow.after(leads.find_wrong_keys_in))
    change_while_reading(filled, slow, rebuild_all, "conversations")
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


def verify_all(conn: Connection) -> None:
    report = verify(conn, tenants=None, sample=None, heal=False, progress=QUIET)
    assert (report.checked, len(report.drifts)) == (1, 1)


def explain_one(conn: Connection) -> None:
    explain_lead(conn, "one", "4915")


@pytest.mark.parametrize(
    ("module", "work", "table"),
    [
        (compare, rebuild_all, "messages"),
        (compare, verify_all, "conversations"),
        (explain, explain_one, "messages"),
    ],
    ids=["a piece of a rebuild in place", "a verify", "an explanation"],
)
def test_what_reads_in_a_snapshot_gives_way(
    filled: Platform, monkeypatch: pytest.MonkeyPatch, module: ModuleType, work: Work, table: str
) -> None:
    slow = SlowOnce()
    monkeypatch.setattr(module, "snapshot", slow.snapshot)
    monkeypatch.setattr(explain, "STATEMENT_TIMEOUT_SECONDS", 3600)
    filled.conn.execute("UPDATE read_model.leads SET total_messages = 7")
    change_while_reading(filled, slow, work, table)
    rebuild_all(filled.conn)
    assert_exact(filled.conn)
