"""A first build against CREATE TABLE AS, and what readers notice of rebuilds in place."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from projector.database.rows import Connection
from tests.benchmarks import load, servers, tables
from tests.benchmarks.core import Row, Sample, repeating, seconds
from tests.benchmarks.fixtures import Bench, Database, build

_CONNECTIONS = 2
# Parallel workers of CREATE TABLE AS while readers are measured beside it.
_WORKERS = 1


def measure(bench: Bench) -> Iterator[Row]:
    with bench.no_autovacuum(), bench.database("copy", bench.main) as database:
        yield from _alone(bench, database)
        yield from _beside_readers(bench, database)


Prepare = Callable[[Connection], None]
# What a rebuild finds while readers are measured beside it, and how that is made.
_FOUND: dict[str, Prepare] = {
    "rebuild of a right model": tables.right,
    "rebuild where every document differs": tables.every_document_differs,
}


def _alone(bench: Bench, database: Database) -> Iterator[Row]:
    """A first build; mass.py compares rebuilds of all kinds with it."""
    with database.connect() as conn, database.connect() as other:
        ours = partial(_seconds, other, tables.never_built, partial(build, conn))
        computed = partial(_seconds, other, _checkpoint, partial(tables.create, other))
        name = "CREATE TABLE AS + indexes, computed from the source"
        yield bench.compare("first build", "s", ours, name, computed, "first_build")
        tables.drop(other)


def _seconds(conn: Connection, prepare: Prepare, work: Callable[[], object]) -> float:
    prepare(conn)
    return seconds(work)


def _checkpoint(conn: Connection) -> None:
    conn.execute("CHECKPOINT")


@dataclass(slots=True)
class _Readers:
    """Readers during some work; what they found is kept of every run."""

    database: Database
    url: str
    failed: list[float] = field(default_factory=list)
    asked: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)

    def during(self, work: Callable[[], object]) -> float:
        """Return the readers' p99 while the work is done."""
        with _watching(self.database) as waits:
            meanwhile = load.during(self.url, _CONNECTIONS, work)
        self.failed.append(meanwhile.failed)
        self.asked.append(meanwhile.requests)
        self.waits.append(len(waits))
        return meanwhile.p99


@contextmanager
def _watching(database: Database) -> Iterator[set[tuple[int, datetime]]]:
    """Who of the readers is seen to wait for a lock longer than 50 ms, and since when; a look every 5 ms."""
    waits: set[tuple[int, datetime]] = set()
    long_waits = (
        "SELECT l.pid, l.waitstart FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"
        " WHERE NOT l.granted AND a.application_name = 'leads-api'"
        " AND l.waitstart < clock_timestamp() - interval '50 ms'"
    )
    with (
        database.connect() as conn,
        repeating(0.005, lambda: waits.update(conn.execute(long_waits).fetchall())),
    ):
        yield waits


def _beside_readers(bench: Bench, database: Database) -> Iterator[Row]:
    """What readers notice: their p99, failed reads and waits for locks; the database is spoilt."""
    with servers.api(bench, database) as api, database.connect() as conn, database.connect() as other:
        url = f"{api.url}/users/{database.tenants['big']}/leads"
        readers = {title: _Readers(database, url) for title in _FOUND}
        computed = _Readers(database, url)

        def during(readers: _Readers, prepare: Prepare, work: Callable[[], object]) -> float:
            prepare(other)
            return readers.during(work)

        arms = {
            title: partial(during, readers[title], prepare, partial(build, conn))
            for title, prepare in _FOUND.items()
        }
        creating = partial(tables.create, other, workers=_WORKERS)
        arms["tables"] = partial(during, computed, _checkpoint, creating)
        samples = bench.take_turns(arms, warm_up=False)
        tables.drop(other)
    for title, noticing in readers.items():
        name = "the same during CREATE TABLE AS + indexes with one parallel worker"
        what = f"list page of 50, p99, during a {title}"
        yield Row(what, "ms", samples[title], name, samples["tables"], "rebuild_readers")
        for noticed, goal, values in (
            ("failed reads", "rebuild_failures", noticing.failed),
            ("waits of readers for a lock above 50 ms", "rebuild_waits", noticing.waits),
        ):
            counted, asked = Sample(tuple(values)), Sample(tuple(noticing.asked))
            yield Row(f"{noticed} during a {title}", "reads", counted, "reads meanwhile", asked, goal)
