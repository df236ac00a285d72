"""What the change feed costs: a refresh with its index and without, the pages that a message changes, and an answer."""

from collections.abc import Iterator
from contextlib import closing

from tests.benchmarks import servers
from tests.benchmarks.core import Row, goal, interleave, milliseconds
from tests.benchmarks.fixtures import Fixtures
from tests.benchmarks.staleness import Stale
from tests.support.wal import written

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
    yield _pages(fixtures)


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


def _pages(fixtures: Fixtures) -> Row:
    """The same messages in two copies of a database, counted in the WAL: no figure of these is a time."""
    with (
        fixtures.no_autovacuum(),
        fixtures.copy_of(fixtures.main, "with_index") as one,
        fixtures.copy_of(fixtures.main, "without_index") as other,
        closing(Stale(one)) as with_it,
        closing(Stale(other)) as without,
    ):
        without.writer.execute(f"DROP INDEX read_model.{_INDEX}".encode())
        without.writer.execute("CHECKPOINT")
        found = interleave(
            _rounds(fixtures), {"with": lambda: _changed(with_it), "without": lambda: _changed(without)}
        )
    more = found["with"].minus(found["without"])
    what = "pages more that a message changes, with the index of the feed"
    name = f"pages that it changes without {_INDEX}"
    return Row(
        AREA, what, "pages", more, name, found["without"], goal("feed_pages"), absolute=True, own_ratio=more
    )


def _changed(stale: Stale) -> float:
    """The pages that a message changes, on average of some, each of another lead."""
    pages = 0
    for _ in range(_MESSAGES):
        stale.message(stale.pick(1))
        pages += sum(one.pages for one in written(stale.writer, stale.refresh).values())
    return pages / _MESSAGES


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
