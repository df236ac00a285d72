"""What a refresh costs: by stale leads, by size of the tenant, by length of a lead's history, with the change feed."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial

from projector.core.batch import refresh_batch
from projector.database import locks
from projector.database.rows import Connection
from tests.benchmarks import tables
from tests.benchmarks.core import Arm, Row, interleave, milliseconds, seconds
from tests.benchmarks.fixtures import MESSAGE, SCORE, Bench, Database, Stale, build
from tests.support.running import value

# The goal for many stale leads compares them with a rebuild of so many.
_MANY, _OF = 10_000, 150_000
# The index by which the change feed reads.
_INDEX = "leads_by_version"
_MESSAGES = 40
# Of the relations of the projector alone: what else runs, such as an ANALYZE of autovacuum, writes to others. The
# records of XLOG are images of pages that a reader marked, for the first time since a checkpoint.
_CHANGED_PAGES = r"""
SELECT count(DISTINCT (c.oid, block.number))
FROM pg_get_wal_records_info(%s, %s) AS record,
    regexp_matches(record.block_ref, 'rel \d+/(\d+)/(\d+) (?:fork main )?blk (\d+)', 'g') AS found(parts),
    LATERAL (SELECT parts[1]::oid AS database, parts[2]::oid AS file, parts[3]::bigint AS number) AS block
    JOIN pg_database AS d ON d.oid = block.database AND d.datname = current_database()
    JOIN pg_class AS c ON pg_relation_filenode(c.oid) = block.file
WHERE record.resource_manager <> 'XLOG'
    AND c.relnamespace IN ('read_model'::regnamespace, 'projector'::regnamespace)
"""


def measure(bench: Bench) -> Iterator[Row]:
    with closing(Stale(bench.main)) as main, closing(Stale(bench.medium)) as medium:
        for title, change, asked, times, goals in (
            ("new message", MESSAGE, 1, 10, ("refresh_one", "refresh_scale")),
            ("other score", SCORE, 1, 10, ("refresh_one", "refresh_scale")),
            ("new message", MESSAGE, 10, 5, ("refresh_scale",)),
            ("new message", MESSAGE, 1000, 1, ("refresh_scale",)),
        ):
            leads = min(asked, bench.size.medium // 2)
            ours, theirs = (partial(stale.milliseconds, leads, times, change) for stale in (main, medium))
            what = f"refresh of {leads:,} stale among {bench.size.big:,} leads ({title})"
            for goal in goals:
                yield bench.compare(what, "ms", ours, f"the same among {bench.size.medium:,}", theirs, goal)
        yield from _many(bench, main)
        yield bench.compare(
            "refresh with nothing to do",
            "ms",
            lambda: milliseconds(lambda: refresh_batch(main.refresher, locks.SHARDS), 50),
            "BEGIN, SELECT 1, COMMIT",
            lambda: milliseconds(lambda: _transaction(main.refresher), 50),
            "refresh_idle",
        )
    with bench.database("copy", bench.main) as copied, closing(Stale(copied)) as spoilt:
        yield from _hot_lead(bench, spoilt)


def _transaction(conn: Connection) -> None:
    with conn.transaction():
        conn.execute("SELECT 1")


def _many(bench: Bench, main: Stale) -> Iterator[Row]:
    """Very many stale leads against a rebuild of a right model, and one against a materialized view."""
    leads = min(_MANY, bench.size.big // 2)
    with bench.main.connect() as conn:
        tables.create_view(conn)
        arms: dict[str, Arm] = {
            "many": lambda: main.milliseconds(leads),
            "rebuild": lambda: milliseconds(lambda: build(conn)),
            # A rebuild analyzes the tables, after which every plan is made again: the second refresh counts.
            "one": lambda: [main.milliseconds(1) for _ in range(2)][1],
            "view": lambda: milliseconds(lambda: tables.refresh_view(conn)),
        }
        samples = bench.take_turns(arms, warm_up=False)
        tables.drop(conn)
    # By lead, so that the ratio means the same at every size.
    by_lead = bench.size.big / _OF * _MANY / leads
    yield Row(
        f"refresh of {leads:,} stale leads (a statement each)",
        "ms",
        samples["many"],
        f"rebuild of {bench.size.big:,} leads",
        samples["rebuild"],
        "refresh_many",
        own_ratio=samples["many"].over(samples["rebuild"]).times(by_lead),
        note=f"ratio for {_MANY:,} of {_OF:,}: times {by_lead:.2f}",
    )
    view = "REFRESH MATERIALIZED VIEW CONCURRENTLY (leads only)"
    yield Row("refresh of 1 stale lead", "ms", samples["one"], view, samples["view"])


def _hot_lead(bench: Bench, spoilt: Stale) -> Iterator[Row]:
    """One new message of a lead that never stops to talk, and of one that has just begun."""
    hot, cool = spoilt.pick(2)
    for conversation_id, messages in ((hot, bench.size.hot), (cool, 10)):
        spoilt.writer.execute("DELETE FROM messages WHERE conversation_id = %s", (conversation_id,))
        spoilt.writer.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp, status, sequence_no)"
            " SELECT 'benchmark-' || nextval('benchmark.numbers'), %s, 'user', 'And one more question', "
            " now() AT TIME ZONE 'UTC' - interval '1 second' * (%s - n), 'sent', n FROM generate_series(1, %s) AS n",
            (conversation_id, messages, messages),
        )
    spoilt.refresh()
    spoilt.writer.execute("VACUUM ANALYZE")
    of_hot, of_cool = (partial(spoilt.milliseconds, 1, 10, conversation_id=talk) for talk in (hot, cool))
    what = f"new message of a lead with {bench.size.hot:,} messages"
    yield bench.compare(what, "ms", of_hot, "the same of a lead with 10", of_cool, "hot_lead")


@dataclass(frozen=True, slots=True)
class Compared:
    """Two databases, of which the first has something more: what a build and the refresh of a lead cost with it.

    The keys of the goals begin with a word for it.
    """

    bench: Bench
    with_: Database
    without: Database
    what: str
    name: str
    goal: str

    def builds(self) -> Iterator[Row]:
        with self.with_.connect() as ours, self.without.connect() as theirs:
            arms = (partial(_first_build, conn) for conn in (ours, theirs))
            what, goal = f"first build {self.what}", f"{self.goal}_build"
            yield self.bench.compare(what, "s", next(arms), self.name, next(arms), goal)
            for conn in (ours, theirs):
                conn.execute("VACUUM ANALYZE")

    def refreshes(self) -> Iterator[Row]:
        rounds = self.bench.size.many_rounds
        with closing(Stale(self.with_)) as ours, closing(Stale(self.without)) as theirs:
            for title, change in (("message", MESSAGE), ("extraction", SCORE)):
                arms = (partial(stale.milliseconds, 1, 40, change) for stale in (ours, theirs))
                what, goal = f"refresh of 1 {title} {self.what}", f"{self.goal}_{title}"
                yield self.bench.compare(what, "ms", next(arms), self.name, next(arms), goal, rounds=rounds)


def _first_build(conn: Connection) -> float:
    tables.never_built(conn)
    return seconds(lambda: build(conn))


def measure_feed(bench: Bench) -> Iterator[Row]:
    """Return the rows of a refresh, and of the pages that it changes, with the feed's index and without."""
    rounds, without = bench.size.many_rounds, f"the same without {_INDEX}"
    with (
        bench.no_autovacuum(),
        bench.database("with_index", bench.main) as indexed,
        bench.database("without_index", bench.main) as bare,
        closing(Stale(indexed)) as ours,
        closing(Stale(bare)) as theirs,
    ):
        theirs.writer.execute(f"DROP INDEX read_model.{_INDEX}".encode())
        theirs.writer.execute("CHECKPOINT")
        # The same messages in two copies of a database, counted in the WAL: none of these figures is a time.
        pages = interleave(rounds, {"with": partial(_pages, ours), "without": partial(_pages, theirs)})
        for leads, times in ((1, 40), (min(1000, bench.size.big // 4), 2)):
            arms = (partial(stale.milliseconds, leads, times) for stale in (ours, theirs))
            what = f"refresh of {leads:,} stale (new message)"
            yield bench.compare(what, "ms", next(arms), without, next(arms), "feed_merge", rounds=rounds)
    more, fewer = pages["with"].minus(pages["without"]), pages["without"]
    what = "pages more that a message changes, with the index of the feed"
    yield Row(what, "pages", more, "pages that it changes without", fewer, "feed_pages", own_ratio=more)


def _pages(stale: Stale) -> float:
    """The pages that a message changes, on average of some, each of another lead."""
    pages = 0
    stale.writer.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    for _ in range(_MESSAGES):
        stale.write(stale.pick(1))
        begins = tables.flushed(stale.writer)
        stale.refresh()
        pages += value(stale.writer, _CHANGED_PAGES, begins, tables.flushed(stale.writer))
    return pages / _MESSAGES
