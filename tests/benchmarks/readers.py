"""What readers notice of a rebuild in place: their p99, failed reads and waits for locks, against CREATE TABLE AS."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.benchmarks import baseline_rebuild, load, model_states, servers
from tests.benchmarks.core import Row, Sample, goal, interleave
from tests.benchmarks.fixtures import Connection, Database, Fixtures

AREA = "Readers during a rebuild"
_CONNECTIONS = 2
# Parallel workers of CREATE TABLE AS while readers are measured beside it.
_WORKERS = 1
# A run of the load ends with the work, long before this.
_LONGEST = 3600


@dataclass(slots=True)
class _Readers:
    """Readers during some work; what they found is kept of every run."""

    database: Database
    url: str
    failed: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    greatest: list[float] = field(default_factory=list)

    def during(self, work: Callable[[], object]) -> float:
        """The readers' p99 while the work is done."""
        with (
            _watching(self.database) as waits,
            load.running(self.url, connections=_CONNECTIONS, seconds=_LONGEST) as process,
        ):
            work()
            found = load.stopped(process)
        self.failed.append(found.failed)
        self.asked.append(found.requests)
        self.waits.append(len(waits))
        self.greatest.append(found.greatest)
        return found.p99


@contextmanager
def _watching(database: Database) -> Iterator[set[tuple[int, datetime]]]:
    """Who of the readers is seen to wait for a lock longer than 50 ms, and since when; a look every 5 ms."""
    waits: set[tuple[int, datetime]] = set()
    ended = threading.Event()

    def watch() -> None:
        with database.connect() as conn:
            while not ended.wait(0.005):
                found = conn.execute(
                    "SELECT l.pid, l.waitstart FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
                    " WHERE NOT l.granted AND a.application_name = 'leads-api'"
                    " AND l.waitstart < clock_timestamp() - interval '50 ms'"
                ).fetchall()
                waits.update((pid, since) for pid, since in found)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield waits
    finally:
        ended.set()
        watcher.join()


def measure(fixtures: Fixtures, database: Database) -> Iterator[Row]:
    """The rows of the readers' part; the database is spoilt."""
    with (
        servers.api(database) as api,
        database.connect() as conn,
        database.connect() as other,
    ):
        url = f"{api.url}/users/{database.tenants['big']}/leads"
        right, changed, tables = (_Readers(database, url) for _ in range(3))

        def rebuilding(readers: _Readers, prepare: Callable[[Connection], None]) -> float:
            prepare(other)
            return readers.during(lambda: rebuild(conn, tenants=None, progress=QUIET))

        def creating() -> float:
            other.execute("CHECKPOINT")
            return tables.during(lambda: baseline_rebuild.create_tables(other, workers=_WORKERS))

        found = interleave(
            fixtures.size.rounds,
            {
                "right": lambda: rebuilding(right, model_states.right),
                "changed": lambda: rebuilding(changed, model_states.every_document_differs),
                "tables": creating,
            },
            warm_up=False,
        )
        baseline_rebuild.drop(other)
    for arm, readers, during in (
        ("right", right, "during a rebuild of a right model"),
        ("changed", changed, "during a rebuild where every document differs"),
    ):
        yield from _rows(found[arm], found["tables"], readers, tables, during)


def _rows(ours: Sample, theirs: Sample, readers: _Readers, others: _Readers, during: str) -> Iterator[Row]:
    name = "the same during CREATE TABLE AS + indexes with one parallel worker"
    yield Row(AREA, f"list page of 50, p99, {during}", "ms", ours, name, theirs, goal("rebuild_readers"))
    slowest = Sample(tuple(readers.greatest)), Sample(tuple(others.greatest))
    yield Row(AREA, f"list page of 50, slowest, {during}", "ms", slowest[0], name, slowest[1])
    asked = Sample(tuple(readers.asked))
    for title, key, values in (
        ("failed reads", "rebuild_failures", readers.failed),
        ("waits of readers for a lock above 50 ms", "rebuild_waits", readers.waits),
    ):
        counted = Sample(tuple(values))
        yield Row(
            AREA, f"{title} {during}", "reads", counted, "reads meanwhile", asked, goal(key), absolute=True
        )
