"""Several projectors that share a deep queue: changes a second of 1, 2 and 4 of them, and what they wait for."""

import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from time import monotonic, perf_counter, sleep

import psycopg
from psycopg import sql

from projector import demo
from projector.install import migrate
from projector.progress import QUIET
from projector.rebuild import rebuild
from tests.benchmarks import cpu
from tests.benchmarks.core import Row, Sample, goal, interleave
from tests.benchmarks.fixtures import SEED, Connection, Database, Fixtures
from tests.support.commands import ROOT, environment
from tests.support.server import connect

AREA = "Projectors"
TENANTS = 40
COUNTS = (1, 2, 4)
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
    with _platform(fixtures) as database, closing(database.connect()) as conn:
        drains = {count: _Drains(conn, database, fixtures.size.deep, count) for count in COUNTS}
        found = interleave(
            fixtures.size.rounds,
            {str(count): partial(_Drains.measure, drains[count]) for count in COUNTS},
            warm_up=False,
        )
    one, *others = COUNTS
    for count in others:
        yield Row(
            AREA,
            f"{count} projectors, changes that wait of {TENANTS} tenants",
            "changes/s",
            found[str(count)],
            "one projector",
            found[str(one)],
            goal("two_projectors") if count == others[0] else None,
            note=drains[count].waits(),
        )
    for count in others:
        yield Row(
            AREA,
            f"processor time of a change, {count} projectors with their sessions",
            "ms",
            Sample(tuple(drains[count].milliseconds)),
            "one projector",
            Sample(tuple(drains[one].milliseconds)),
        )


class _Drains:
    """Drains of a deep queue by so many projectors: their processor time, and what their sessions waited for."""

    def __init__(self, conn: Connection, database: Database, changes: int, count: int) -> None:
        self.milliseconds: list[float] = []
        self._samples: Counter[str] = Counter()
        self._conn, self._database, self._changes, self._count = conn, database, changes, count

    def measure(self) -> float:
        """Changes a second, from their commit until none waits."""
        with _running(self._conn, self._database, self._count) as pids:
            self._conn.execute("CHECKPOINT")
            row = self._conn.execute("SELECT count(*) FROM benchmark.conversations").fetchone()
            changes = _CHANGES.format(changes=self._changes, conversations=row[0] if row else 0)
            before = cpu.seconds_of(pids)
            self._conn.execute(changes.encode())
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
        for (event,) in self._conn.execute(
            "SELECT CASE WHEN state <> 'active' THEN 'the projector' ELSE coalesce(wait_event, 'none') END"
            f" FROM pg_stat_activity WHERE {_SESSIONS}".encode()
        ).fetchall():
            self._samples[event] += 1
        return self._conn.execute("SELECT FROM projector.changes LIMIT 1").fetchone() is not None

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
def _running(conn: Connection, database: Database, count: int) -> Iterator[list[int]]:
    """So many projectors; gives the ids of their processes and of the sessions of their refreshes."""
    with ExitStack() as stack:
        processes = [stack.enter_context(_projector(database)) for _ in range(count)]
        deadline = monotonic() + _PATIENCE
        while True:
            sessions = [
                row[0]
                for row in conn.execute(
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
