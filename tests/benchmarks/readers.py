"""What readers notice of a rebuild: their p99, failed reads and waits for locks, against CREATE TABLE AS."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from projector.progress import QUIET
from projector.rebuild import rebuild
from tests.benchmarks import baseline_rebuild, load, servers
from tests.benchmarks.core import Row, Sample, goal, interleave
from tests.benchmarks.fixtures import Database, Fixtures

AREA = "Readers during a rebuild"
_CONNECTIONS = 2
# A run of the load ends with the work, long before this.
_LONGEST = 3600


@dataclass(slots=True)
class _Readers:
    """Readers beside some work; what they found is kept of every run."""

    fixtures: Fixtures
    url: str
    failed: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    greatest: list[float] = field(default_factory=list)

    def beside(self, work: Callable[[], object]) -> float:
        """The readers' p99 while the work is done."""
        with (
            _watching(self.fixtures.main) as waits,
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


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    with (
        servers.api(fixtures.main) as api,
        fixtures.main.connect() as conn,
        fixtures.main.connect() as other,
    ):
        url = f"{api.url}/users/{fixtures.main.tenants['big']}/leads"
        ours, theirs = _Readers(fixtures, url), _Readers(fixtures, url)
        found = interleave(
            fixtures.size.rounds,
            {
                "rebuild": lambda: ours.beside(lambda: rebuild(conn, tenants=None, progress=QUIET)),
                "baseline": lambda: theirs.beside(lambda: baseline_rebuild.create_tables(other)),
            },
            warm_up=False,
        )
        baseline_rebuild.drop(other)
    name = "the same beside CREATE TABLE AS + indexes"
    what = "list page of 50, p99, during a rebuild"
    yield Row(AREA, what, "ms", found["rebuild"], name, found["baseline"], goal("rebuild_readers"))
    slowest = "list page of 50, slowest, during a rebuild"
    yield Row(AREA, slowest, "ms", Sample(tuple(ours.greatest)), name, Sample(tuple(theirs.greatest)))
    asked = Sample(tuple(ours.asked))
    for title, key, values in (
        ("failed reads", "rebuild_failures", ours.failed),
        ("waits of readers for a lock above 50 ms", "rebuild_waits", ours.waits),
    ):
        what = f"{title} during a rebuild"
        yield Row(
            AREA, what, "reads", Sample(tuple(values)), "reads meanwhile", asked, goal(key), absolute=True
        )
