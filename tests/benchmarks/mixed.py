"""How old a change is when it becomes visible, while writers write, the scheduler refreshes and readers read."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from time import monotonic, perf_counter, sleep

from tests.benchmarks import load, pgbench, servers
from tests.benchmarks.core import Row, Sample, goal
from tests.benchmarks.fixtures import Connection, Database, Fixtures
from tests.support.commands import ROOT, environment

AREA = "Age of a change"
_WINDOWS = 5
_PACE = 0.01
_CLIENTS = 8
_READERS = 2
# Of probes in a window.
_LEAST = 2
# So long that only a fault takes it.
_PATIENCE = 300


@dataclass(slots=True)
class _Probes:
    """Messages of our own among those of the writers, and when each was seen."""

    conn: Connection
    user_id: str
    conversations: list[str]
    # Seconds from the commit to the first sight, in the read model and in the source table.
    ages: list[float] = field(default_factory=list)
    seen_in_source: list[float] = field(default_factory=list)
    _pending: dict[str, float] = field(default_factory=dict)
    _number: int = 0

    def write(self) -> None:
        """Commit another one."""
        row = self.conn.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status)"
            " VALUES ('benchmark-probe-' || nextval('benchmark.numbers'), %s, 'user', 'Anybody there?',"
            " now() AT TIME ZONE 'UTC', 'sent') RETURNING message_id",
            (self.conversations[self._number % len(self.conversations)],),
        ).fetchone()
        committed = perf_counter()
        self._number += 1
        self.conn.execute("SELECT FROM messages WHERE message_id = %s", row).fetchone()
        self.seen_in_source.append(perf_counter() - committed)
        if row is not None:
            self._pending[row[0]] = committed

    def look(self) -> None:
        """See which of them have arrived."""
        found = self.conn.execute(
            "SELECT message_id FROM read_model.lead_messages WHERE user_id = %s AND message_id = ANY(%s)",
            (self.user_id, list(self._pending)),
        ).fetchall()
        now = perf_counter()
        self.ages += [now - self._pending.pop(message_id) for (message_id,) in found]

    def send(self, window: float) -> None:
        """Write one after the other for so many seconds, and look meanwhile which have arrived."""
        ends = monotonic() + window
        written = 0
        # Quantiles need two, and on a busy machine the time may be over before the first.
        while written < _LEAST or monotonic() < ends:
            self.write()
            written += 1
            self.look()
            sleep(_PACE)
        self.look()

    def wait(self) -> None:
        """Wait for those that are still on their way."""
        deadline = monotonic() + _PATIENCE
        while self._pending:
            if monotonic() > deadline:
                raise TimeoutError(f"{len(self._pending)} changes were not visible after {_PATIENCE} s.")
            self.look()
            sleep(_PACE)


@dataclass(frozen=True, slots=True)
class _Run:
    """One run: ages by window of time, what waited in the queue at the end of each, and how fast the writers were."""

    ages: list[list[float]]
    in_source: list[list[float]]
    depths: list[float]
    rate: float
    # Requests a second that were answered meanwhile.
    read: float


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    with fixtures.copy_of(fixtures.main) as database, scheduler(database):
        for number, wanted in enumerate(fixtures.size.rates):
            readers = 0 if number else _READERS
            yield from _rows(_run(fixtures, database, wanted, readers), wanted, readers)


def _rows(run: _Run, wanted: int, readers: int) -> Iterator[Row]:
    title = f"under {run.rate:,.0f} inserts/s (wanted: {wanted:,})"
    if readers:
        title += f" and {run.read:,.0f} requests/s"
    figures: dict[str, Callable[[list[float]], float]] = {
        "p50": lambda ages: quantiles(ages, n=100, method="inclusive")[49],
        "p99": lambda ages: quantiles(ages, n=100, method="inclusive")[98],
        "max": max,
    }
    for name, figure in figures.items():
        is_goal = name == "p99" and readers > 0
        yield Row(
            AREA,
            f"change to visible, {name}, {title}",
            "s",
            Sample(tuple(figure(ages) for ages in run.ages)),
            "commit to a look at the source table",
            Sample(tuple(figure(ages) for ages in run.in_source)),
            goal("visible") if is_goal else None,
            absolute=True,
        )
    yield Row(
        AREA,
        f"changes that wait at the end, {title}",
        "rows",
        Sample((run.depths[-1],)),
        "changes of one second",
        Sample((run.rate,)),
        goal("queue") if readers else None,
        note="at the end of each fifth: " + ", ".join(f"{depth:,.0f}" for depth in run.depths),
    )


def _run(fixtures: Fixtures, database: Database, wanted: int, readers: int) -> _Run:
    user_id = database.tenants["big"]
    with ExitStack() as stack:
        conn = stack.enter_context(database.connect())
        found = conn.execute("SELECT conversation_id FROM benchmark.conversations ORDER BY number").fetchall()
        probes = _Probes(conn, user_id, [row[0] for row in found][::-1])
        reading = None
        window = fixtures.size.mixed / _WINDOWS
        if readers:
            api = stack.enter_context(servers.api(database))
            url = f"{api.url}/users/{user_id}/leads"
            reading = stack.enter_context(
                load.running(url, connections=readers, seconds=fixtures.size.mixed + 5)
            )
        writing = stack.enter_context(
            pgbench.writing(
                database.url,
                pgbench.SINGLE,
                clients=_CLIENTS,
                seconds=fixtures.size.mixed + 1,
                count=len(found),
                rate=max(1, round(wanted - 1 / _PACE)),
            )
        )
        sleep(min(1.0, window))
        ages, in_source, depths = [], [], []
        for _ in range(_WINDOWS):
            seen, seen_in_source = len(probes.ages), len(probes.seen_in_source)
            probes.send(window)
            row = conn.execute("SELECT count(*) FROM projector.changes").fetchone()
            depths.append(float(row[0]) if row else 0.0)
            if len(probes.ages) - seen < _LEAST:
                probes.wait()
            ages.append(probes.ages[seen:])
            in_source.append(probes.seen_in_source[seen_in_source:])
        # What arrives late belongs to the last window.
        seen = len(probes.ages)
        probes.wait()
        ages[-1] += probes.ages[seen:]
        rate = pgbench.tps(writing) + 1 / _PACE
        read = load.stopped(reading).rate if reading else 0.0
        return _Run(ages, in_source, depths, rate, read)


@contextmanager
def scheduler(database: Database, **settings: str) -> Iterator[None]:
    """`python -m projector run`, as an operator starts it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "projector", "run"],
        cwd=ROOT,
        env=environment(DATABASE_URL=database.url, LEADS_VERIFY_DAYS="off", **settings),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"`python -m projector run` ended with {process.returncode}.")
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
