"""Several projectors that share a deep queue: changes a second of 1, 2 and 4 of them, and what they wait for."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from time import monotonic, perf_counter, sleep

import psycopg
from psycopg import sql

from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from projector.trial import demo
from tests.benchmarks import cpu
from tests.benchmarks.core import Row, Sample, goal, interleave
from tests.benchmarks.fixtures import SEED, Connection, Database, Fixtures
from tests.support.commands import ROOT, environment
from tests.support.server import connect

AREA = "Projectors"
TENANTS = 40
APART = "2 separate"
_MESSAGES_PER_LEAD = 5
_SESSIONS = "application_name = 'leads-projector run: refresh' AND datname = current_database()"
_LOOK_EVERY = 0.02
# So long that only a fault takes it.
_PATIENCE = 600
# One statement each, as a platform writes that serves many tenants at once.
_CHANGES = """
DO $$
BEGIN
    FOR step IN 1..{changes} LOOP
        INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status)
        SELECT 'benchmark-' || nextval('benchmark.numbers'), conversation_id, 'user',
            'Is this still to be had? Thank you!', now() AT TIME ZONE 'UTC', 'sent'
        FROM benchmark.conversations WHERE number = 1 + floor(random() * {conversations})::integer;
    END LOOP;
END
$$
"""


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    with ExitStack() as stack:
        shared = stack.enter_context(_platform(fixtures))
        other = stack.enter_context(fixtures.copy_of(shared))
        yield _disk(shared, TENANTS * fixtures.size.shared)
        queues = [Queue(database, stack.enter_context(database.connect())) for database in (shared, other)]
        drains = {
            str(count): Drains(queues[:1], fixtures.size.deep, count) for count in fixtures.size.projectors
        }
        # What two projectors reach on this machine that have nothing to share but its cores.
        drains[APART] = Drains(queues, fixtures.size.deep, 1)
        found = interleave(
            fixtures.size.rounds,
            {name: partial(Drains.measure, one) for name, one in drains.items()},
            warm_up=False,
        )
    yield from _rows(fixtures.size.projectors, drains, found)


def _disk(database: Database, leads: int) -> Row:
    with database.connect() as conn:
        sizes: dict[str, float] = dict(
            conn.execute(
                "SELECT relnamespace::regnamespace::text, sum(pg_total_relation_size(oid))::float8 / 1000"
                " FROM pg_class WHERE relkind = 'r' GROUP BY 1"
            ).fetchall()
        )
    ours = Sample(((sizes["read_model"] + sizes["projector"]) / leads,))
    what = f"disk for a lead with {_MESSAGES_PER_LEAD} messages, indexes and keys included"
    return Row(
        AREA, what, "kB", ours, "its source rows with their indexes", Sample((sizes["public"] / leads,))
    )


def _rows(counts: Sequence[int], drains: dict[str, "Drains"], found: dict[str, Sample]) -> Iterator[Row]:
    one, two, *more = map(str, counts)
    for count in (two, *more):
        yield Row(
            AREA,
            f"{count} projectors, changes that wait of {TENANTS} tenants",
            "changes/s",
            found[count],
            "one projector",
            found[one],
            goal("two_projectors") if count == two else None,
            note=drains[count].waits(),
        )
    title = f"{two} projectors that share a queue"
    yield Row(AREA, title, "changes/s", found[two], f"{two} of a database each", found[APART])
    for count in (two, *more, APART):
        yield Row(
            AREA,
            f"processor time of a change, {count} projectors with their sessions",
            "ms",
            Sample(tuple(drains[count].milliseconds)),
            "one projector",
            Sample(tuple(drains[one].milliseconds)),
        )


@dataclass(frozen=True, slots=True)
class Queue:
    """A database with its queue, and a connection that writes and looks."""

    database: Database
    conn: Connection

    def write(self, changes: int) -> None:
        """Write so many messages, each by a statement of its own."""
        row = self.conn.execute("SELECT count(*) FROM benchmark.conversations").fetchone()
        text = _CHANGES.format(changes=changes, conversations=row[0] if row else 0)
        self.conn.execute(text.encode())

    def look(self) -> tuple[bool, list[str]]:
        """Return whether changes wait, and what the session of each projector does or waits for."""
        events = self.conn.execute(
            "SELECT CASE WHEN state <> 'active' THEN 'the projector' ELSE coalesce(wait_event, 'none') END"
            f" FROM pg_stat_activity WHERE {_SESSIONS}".encode()
        ).fetchall()
        waits = self.conn.execute("SELECT FROM projector.changes LIMIT 1").fetchone() is not None
        return waits, [event for (event,) in events]


class Drains:
    """Drains of deep queues by so many projectors each: their processor time, and what their sessions waited for."""

    def __init__(self, queues: Sequence[Queue], changes: int, count: int) -> None:
        self.milliseconds: list[float] = []
        self._samples: Counter[str] = Counter()
        self._queues, self._changes, self._count = queues, changes, count

    def measure(self) -> float:
        """Changes a second of all queues together, from their commit until none waits."""
        with ExitStack() as stack:
            pids = [
                pid for queue in self._queues for pid in stack.enter_context(_running(queue, self._count))
            ]
            self._queues[0].conn.execute("CHECKPOINT")
            before = cpu.seconds_of(pids)
            with ExitStack() as transactions:
                for queue in self._queues:
                    transactions.enter_context(queue.conn.transaction())
                    queue.write(self._changes // len(self._queues))
            began = perf_counter()
            while self._look():
                if perf_counter() - began > _PATIENCE:
                    raise TimeoutError(f"Changes wait after {_PATIENCE} s.")
                sleep(_LOOK_EVERY)
            taken = perf_counter() - began
            self.milliseconds.append(1000 * cpu.spent(before, cpu.seconds_of(pids)) / self._changes)
        return self._changes / taken

    def _look(self) -> bool:
        """Sample the sessions; return whether changes wait."""
        looks = [queue.look() for queue in self._queues]
        self._samples.update(event for _, events in looks for event in events)
        return any(waits for waits, _ in looks)

    def waits(self) -> str:
        """Say in how many of the samples a session waited for another projector, and for what else."""
        others = [
            f"{event} {100 * number / self._samples.total():.0f} %"
            for event, number in self._samples.most_common(5)
            if event not in {"none", "advisory"}
        ]
        waited = 100 * self._samples["advisory"] / max(self._samples.total(), 1)
        return f"samples that waited for each other's tenants: {waited:.0f} %; for " + ", ".join(others)


@contextmanager
def _running(queue: Queue, count: int) -> Iterator[list[int]]:
    """So many projectors of a database; gives the ids of their processes and of the sessions of their refreshes."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_projector(queue.database)) for _ in range(count)]
        deadline = monotonic() + _PATIENCE
        while True:
            sessions = [
                row[0]
                for row in queue.conn.execute(
                    f"SELECT pid FROM pg_stat_activity WHERE {_SESSIONS}".encode()
                ).fetchall()
            ]
            if len(sessions) == count:
                break
            if monotonic() > deadline or any(process.poll() is not None for process in processes):
                raise RuntimeError("`python -m projector run` does not start.")
            sleep(_LOOK_EVERY)
        yield [*(process.pid for process in processes), *sessions]


@contextmanager
def _projector(database: Database) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(
        [sys.executable, "-m", "projector", "run"],
        cwd=ROOT,
        env=environment(DATABASE_URL=database.url, LEADS_VERIFY_DAYS="off"),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _platform(fixtures: Fixtures) -> Iterator[Database]:
    """A database with many tenants of one size, which is there for this area alone."""
    name = f"{fixtures.size.name}_projectors"
    database = sql.Identifier(name)
    with psycopg.connect(fixtures.server.url("postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        conn.execute(sql.SQL("CREATE DATABASE {}").format(database))
    url = fixtures.server.url(name)
    with connect(url, application_name="benchmark") as conn:
        migrate(conn, create_source=True)
        demo.load(
            conn,
            tenants=TENANTS,
            leads=fixtures.size.shared,
            messages_per_lead=_MESSAGES_PER_LEAD,
            seed=SEED,
            today=datetime.now(UTC).date(),
            progress=QUIET,
        )
        rebuild(conn, tenants=None, progress=QUIET)
        conn.execute("CREATE SCHEMA benchmark")
        conn.execute("CREATE SEQUENCE benchmark.numbers")
        conn.execute(
            "CREATE TABLE benchmark.conversations AS SELECT row_number() OVER (ORDER BY md5(conversation_id))::integer"
            " AS number, conversation_id FROM read_model.lead_conversations"
        )
        conn.execute("ALTER TABLE benchmark.conversations ADD PRIMARY KEY (number)")
        conn.execute("VACUUM ANALYZE")
    yield Database(name, url, {})
    with psycopg.connect(fixtures.server.url("postgres"), autocommit=True) as conn:
        conn.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(database))
