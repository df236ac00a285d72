"""A first build and rebuilds in place against CREATE TABLE AS and materialized views: seconds, WAL and readers."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from projector.database.rows import Connection
from tests.benchmarks import load, servers, tables
from tests.benchmarks.core import Row, Sample, repeating
from tests.benchmarks.fixtures import Bench, Database, build
from tests.benchmarks.tables import Cost

_LEADS_OF_THE_GOAL = 100_000
_CONNECTIONS = 2
# Parallel workers of CREATE TABLE AS while readers are measured beside it.
_WORKERS = 1


def measure(bench: Bench) -> Iterator[Row]:
    with bench.no_autovacuum(), bench.database("copy", bench.main) as database:
        yield from _alone(bench, database)
        yield from _beside_readers(bench, database)


Prepare = Callable[[Connection], None]
# What a rebuild finds: how that is made, the goal of its seconds, and the title.
_FOUND: tuple[tuple[Prepare, str, str], ...] = (
    (tables.never_built, "first_build", "first build"),
    (tables.right, "rebuild_right", "rebuild of a right model"),
    (tables.every_document_differs, "rebuild_changed", "rebuild where every document differs"),
)


def _alone(bench: Bench, database: Database) -> Iterator[Row]:
    costs: dict[str, list[Cost]] = defaultdict(list)
    with database.connect() as conn, database.connect() as other:
        tables.create(other)

        def measured(title: str, prepare: Prepare, work: Callable[[], object]) -> float:
            prepare(other)
            costs[title].append(tables.cost(other, work))
            return costs[title][-1].seconds

        arms = {
            title: partial(measured, title, prepare, partial(build, conn)) for prepare, _, title in _FOUND
        }
        arms["computed"] = partial(measured, "computed", _checkpoint, partial(tables.create, other))
        samples = bench.take_turns(arms, warm_up=False)
        tables.drop(other)
    for _, goal, title in _FOUND:
        name = "CREATE TABLE AS + indexes, computed from the source"
        yield Row(title, "s", samples[title], name, samples["computed"], goal)
    scale = _LEADS_OF_THE_GOAL / bench.size.big

    def wal(title: str, of: Callable[[Cost], float] = lambda cost: cost.wal) -> Sample:
        return Sample(tuple(of(cost) * scale for cost in costs[title]))

    right, changed = (title for *_, title in _FOUND[1:])
    name, computed = "WAL of CREATE TABLE AS + indexes", wal("computed")
    images = max(wal(right, lambda cost: cost.images).values)
    yield Row(
        f"WAL of a {right}, for 100,000 leads",
        "MB",
        wal(right, lambda cost: cost.wal - cost.images),
        name,
        computed,
        "rebuild_wal",
        note=f"without {images:.1f} MB of full-page images at most",
    )
    what = f"WAL of a {changed}, for 100,000 leads"
    yield Row(what, "MB", wal(changed), name, computed, note="full-page images included")


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
        readers = {title: _Readers(database, url) for *_, title in _FOUND[1:]}
        computed = _Readers(database, url)

        def during(readers: _Readers, prepare: Prepare, work: Callable[[], object]) -> float:
            prepare(other)
            return readers.during(work)

        arms = {
            title: partial(during, readers[title], prepare, partial(build, conn))
            for prepare, _, title in _FOUND[1:]
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
