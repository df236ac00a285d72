"""What the rolling verify costs: the CPU of a whole round, of its session and of its process, by a driven clock."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from projector.core import pipeline
from projector.report.progress import QUIET
from projector.sweep.verify import rolling, verify
from tests.benchmarks.core import Row, Sample, goal, interleave
from tests.benchmarks.fixtures import Connection, Fixtures
from tests.unit.projector.verify.clock import pass_time

AREA = "Verify"
_LEADS_OF_THE_GOAL = 100_000
_SECONDS_OF_A_DAY = 86_400
_DAYS = 1.0


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    longest: list[float] = []
    with fixtures.main.connect() as conn, fixtures.main.connect() as clock, fixtures.main.connect() as other:
        pipeline.prepare_session(conn)
        leads = _count_leads(clock)

        def at_once() -> None:
            verify(other, tenants=None, sample=None, heal=False, progress=QUIET)

        found = interleave(
            fixtures.size.rounds,
            {
                "round": lambda: cpu_seconds(conn, lambda: longest.append(_round(conn, clock))),
                "at once": lambda: cpu_seconds(other, at_once),
            },
            warm_up=False,
        )
    scale = _LEADS_OF_THE_GOAL / leads
    yield Row(
        AREA,
        "a round over 100,000 leads, of one core for a day",
        "%",
        found["round"].times(scale / _SECONDS_OF_A_DAY * 100),
        "`verify --all`",
        found["at once"].times(scale / _SECONDS_OF_A_DAY * 100),
        goal("verify_cpu"),
        absolute=True,
        note=f"{leads:,} leads; process and session of PostgreSQL together, slices paced over a day",
    )
    yield Row(
        AREA,
        "CPU of a round over 100,000 leads",
        "s",
        found["round"].times(scale),
        "`verify --all`",
        found["at once"].times(scale),
    )
    slices = Sample(tuple(longest))
    yield Row(AREA, "longest slice of a round", "s", slices, "the same", slices)


def cpu_seconds(conn: Connection, work: Callable[[], object]) -> float:
    """The seconds of CPU that the work takes, here and in the session of a connection."""
    session, process = _session_seconds(conn), time.process_time()
    work()
    return _session_seconds(conn) - session + time.process_time() - process


def _session_seconds(conn: Connection) -> float:
    """The seconds on a CPU of a session, by /proc; 0 where there is none."""
    file = Path(f"/proc/{conn.info.backend_pid}/schedstat")
    return int(file.read_text().split()[0]) / 1e9 if file.exists() else 0.0


def _round(conn: Connection, clock: Connection) -> float:
    """A whole round, in which the other connection lets the time pass; returns the seconds of the longest slice."""
    ended = _ended(clock)
    # The next round is due.
    pass_time(clock, _DAYS * _SECONDS_OF_A_DAY)
    longest = 0.0
    while _ended(clock) == ended:
        began = time.perf_counter()
        wait = rolling.step(conn, _DAYS)
        longest = max(longest, time.perf_counter() - began)
        pass_time(clock, wait + 0.001)
    return longest


def _ended(conn: Connection) -> int:
    row = conn.execute(
        "SELECT count(*) FROM projector.verify_rounds WHERE finished_at IS NOT NULL AND days IS NOT NULL"
    ).fetchone()
    return int(row[0]) if row else 0


def _count_leads(conn: Connection) -> int:
    row = conn.execute("SELECT count(*) FROM read_model.leads").fetchone()
    return int(row[0]) if row else 0
