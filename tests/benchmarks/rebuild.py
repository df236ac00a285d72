"""A first build and rebuilds in place against CREATE TABLE AS and materialized views: seconds, WAL and readers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from projector.database.rows import Connection
from tests.benchmarks import load, servers, tables
from tests.benchmarks.core import Row, Sample, interleave, repeating
from tests.benchmarks.fixtures import Bench, Database, build
from tests.benchmarks.tables import Wal

_LEADS_OF_THE_GOAL = 100_000
_CONNECTIONS = 2
# Parallel workers of CREATE TABLE AS while readers are measured beside it.
_WORKERS = 1


def measure(bench: Bench) -> Iterator[Row]:
    with bench.no_autovacuum(), bench.copy_of(bench.main) as database:
        yield from _alone(bench, database)
        yield from _beside_readers(bench, database)


def _alone(bench: Bench, database: Database) -> Iterator[Row]:
    right: list[Wal] = []
    changed: list[Wal] = []
    computed: list[Wal] = []
    with database.connect() as conn, database.connect() as other:
        tables.create(other)

        def after(prepare: Callable[[Connection], None], wal: list[Wal]) -> float:
            prepare(other)
            return tables.with_wal(other, wal, lambda: build(conn))

        def compute() -> float:
            other.execute("CHECKPOINT")
            return tables.with_wal(other, computed, lambda: tables.create(other))

        found = interleave(
            bench.size.rounds,
            {
                "first build": lambda: after(tables.never_built, []),
                "rebuild of a right model": lambda: after(tables.right, right),
                "rebuild where every document differs": lambda: after(tables.every_document_differs, changed),
                "computed": compute,
            },
            warm_up=False,
        )
        tables.drop(other)
    for what, goal in (
        ("first build", "first_build"),
        ("rebuild of a right model", "rebuild_right"),
        ("rebuild where every document differs", "rebuild_changed"),
    ):
        name = "CREATE TABLE AS + indexes, computed from the source"
        yield Row(what, "s", found[what], name, found["computed"], goal)
    yield from _wal(right, changed, computed, _LEADS_OF_THE_GOAL / bench.size.big)


def _wal(right: list[Wal], changed: list[Wal], computed: list[Wal], scale: float) -> Iterator[Row]:
    name, baseline = "WAL of CREATE TABLE AS + indexes", _whole(computed).times(scale)
    yield Row(
        "WAL of a rebuild of a right model, for 100,000 leads",
        "MB",
        Sample(tuple(wal.records * scale for wal in right)),
        name,
        baseline,
        "rebuild_wal",
        absolute=True,
        note=f"without {max(wal.images * scale for wal in right):.1f} MB of full-page images at most",
    )
    what = "WAL of a rebuild where every document differs, for 100,000 leads"
    yield Row(what, "MB", _whole(changed).times(scale), name, baseline, note="full-page images included")


def _whole(wal: list[Wal]) -> Sample:
    return Sample(tuple(one.records + one.images for one in wal))


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
            found = load.during(self.url, _CONNECTIONS, work)
        self.failed.append(found.failed)
        self.asked.append(found.requests)
        self.waits.append(len(waits))
        return found.p99


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
    with servers.api(database) as api, database.connect() as conn, database.connect() as other:
        url = f"{api.url}/users/{database.tenants['big']}/leads"
        right, changed, computed = (_Readers(database, url) for _ in range(3))

        def rebuilding(readers: _Readers, prepare: Callable[[Connection], None]) -> float:
            prepare(other)
            return readers.during(lambda: build(conn))

        def creating() -> float:
            other.execute("CHECKPOINT")
            return computed.during(lambda: tables.create(other, workers=_WORKERS))

        found = interleave(
            bench.size.rounds,
            {
                "right": lambda: rebuilding(right, tables.right),
                "changed": lambda: rebuilding(changed, tables.every_document_differs),
                "tables": creating,
            },
            warm_up=False,
        )
        tables.drop(other)
    for arm, readers, during in (
        ("right", right, "during a rebuild of a right model"),
        ("changed", changed, "during a rebuild where every document differs"),
    ):
        name = "the same during CREATE TABLE AS + indexes with one parallel worker"
        what = f"list page of 50, p99, {during}"
        yield Row(what, "ms", found[arm], name, found["tables"], "rebuild_readers")
        for title, goal, values in (
            ("failed reads", "rebuild_failures", readers.failed),
            ("waits of readers for a lock above 50 ms", "rebuild_waits", readers.waits),
        ):
            counted, asked = Sample(tuple(values)), Sample(tuple(readers.asked))
            yield Row(f"{title} {during}", "reads", counted, "reads meanwhile", asked, goal, absolute=True)
