"""What the change feed costs: a refresh with its index and without, the pages that a message touches, and an answer."""

from collections.abc import Iterator
from contextlib import closing

from tests.benchmarks import servers
from tests.benchmarks.core import Row, goal, interleave, milliseconds
from tests.benchmarks.fixtures import Fixtures
from tests.benchmarks.staleness import Stale

AREA = "Change feed"
_INDEX = "leads_by_version"
_MESSAGES = 40


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    yield _answer(fixtures)
    with (
        fixtures.copy_of(fixtures.main) as copied,
        closing(Stale(fixtures.main)) as with_it,
        closing(Stale(copied)) as without,
    ):
        without.writer.execute(f"DROP INDEX read_model.{_INDEX}".encode())
        yield from _merges(fixtures, with_it, without)
        yield _pages(fixtures, with_it, without)


def _rounds(fixtures: Fixtures) -> int:
    return max(fixtures.size.rounds, 7) if fixtures.size.rounds > 1 else 1


def _merges(fixtures: Fixtures, with_it: Stale, without: Stale) -> Iterator[Row]:
    for leads, times in ((1, 40), (min(1000, fixtures.size.big // 4), 2)):
        found = interleave(
            _rounds(fixtures),
            {
                "with": lambda: with_it.milliseconds(with_it.message, leads, times),  # noqa: B023
                "without": lambda: without.milliseconds(without.message, leads, times),  # noqa: B023
            },
        )
        what = f"refresh of {leads:,} stale lead{'s' if leads > 1 else ''} (new message)"
        name = f"the same without the index {_INDEX}"
        yield Row(AREA, what, "ms", found["with"], name, found["without"], goal("feed_merge"))


def _pages(fixtures: Fixtures, with_it: Stale, without: Stale) -> Row:
    """After a checkpoint, the first change of a page writes the page to the WAL."""
    with fixtures.no_autovacuum():
        found = interleave(
            _rounds(fixtures), {"with": lambda: _touched(with_it), "without": lambda: _touched(without)}
        )
    more = found["with"].minus(found["without"])
    what = "pages more that a message touches, with the index of the feed"
    name = f"pages that it touches without {_INDEX}"
    return Row(
        AREA, what, "pages", more, name, found["without"], goal("feed_pages"), absolute=True, own_ratio=more
    )


def _touched(stale: Stale) -> float:
    """The pages that a message touches, on average of some, each alone after a checkpoint."""
    images = 0
    for _ in range(_MESSAGES):
        stale.message(stale.pick(1))
        stale.writer.execute("CHECKPOINT")
        before = _images(stale)
        stale.refresh()
        images += _images(stale) - before
    return images / _MESSAGES


def _images(stale: Stale) -> int:
    # A session tells what it has written at intervals, and when it is asked to.
    stale.refresher.execute("SELECT pg_stat_force_next_flush()")
    stale.refresher.execute("SELECT 1")
    row = stale.writer.execute("SELECT wal_fpi FROM pg_stat_wal").fetchone()
    return 0 if row is None else int(row[0])


def _answer(fixtures: Fixtures) -> Row:
    """An answer with a page of changes, against a page of the list."""
    user_id = fixtures.main.tenants["big"]
    with closing(Stale(fixtures.main)) as stale, servers.api(fixtures.main) as api:
        feed = f"{api.url}/users/{user_id}/lead-changes"
        token = servers.get(feed).partition(b'"next":"')[2].partition(b'"')[0].decode()
        stale.message(stale.pick(50))
        stale.refresh()
        found = interleave(
            _rounds(fixtures),
            {
                "feed": lambda: milliseconds(lambda: servers.get(f"{feed}?since={token}&limit=50"), 20),
                "list": lambda: milliseconds(
                    lambda: servers.get(f"{api.url}/users/{user_id}/leads?limit=50"), 20
                ),
            },
        )
    return Row(AREA, "answer with 50 changes", "ms", found["feed"], "list page of 50", found["list"])
