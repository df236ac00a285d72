"""What a second connection costs: the same work with the read model in one database and on another server."""

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from projector.core.batch import refresh_batch
from projector.database import locks
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.scheduler.look import look
from projector.sweep.rebuild import rebuild
from tests.benchmarks.core import Row, interleave, milliseconds, seconds
from tests.benchmarks.fixtures import Connection, Database, Fixtures
from tests.benchmarks.staleness import Stale
from tests.support.server import connect, running_server

AREA = "Roads"


@dataclass(frozen=True, slots=True)
class _Apart(Database):
    """A platform's database, with the read model on another server."""

    read_model_url: str = ""

    def connect(self, **parameters: Any) -> Connection:  # noqa: ANN401  # Whatever psycopg takes.
        return connect(
            self.url, application_name="benchmark", read_model_url=self.read_model_url, **parameters
        )


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """Refreshes of one lead and of many, looks without changes, and a rebuild; in turn with one database."""
    one = fixtures.medium
    with fixtures.copy_of(one) as copied, running_server() as server:
        two = _Apart(copied.name, copied.url, copied.tenants, server.url())
        with two.connect() as conn:
            migrate(conn, create_source=False)
            rebuild(conn, tenants=None, progress=QUIET)
        with closing(Stale(two)) as apart, closing(Stale(one)) as together:
            yield from _refreshes(fixtures, apart, together)
            yield from _idle(fixtures, apart, together)
            yield _rebuild(fixtures, two, one)


def _refreshes(fixtures: Fixtures, apart: Stale, together: Stale) -> Iterator[Row]:
    for asked, times in ((1, 10), (1000, 1)):
        leads = min(asked, fixtures.size.medium // 2)
        found = interleave(
            fixtures.size.rounds,
            {
                "apart": lambda: apart.milliseconds(apart.message, leads, times),  # noqa: B023
                "together": lambda: together.milliseconds(together.message, leads, times),  # noqa: B023
            },
        )
        what = f"refresh after {leads:,} message{'s' if leads > 1 else ''}, read model on a second server"
        yield Row(AREA, what, "ms", found["apart"], "the same in one database", found["together"])


def _idle(fixtures: Fixtures, apart: Stale, together: Stale) -> Iterator[Row]:
    for what, work in (
        ("look that moves freshness", lambda conn: look(conn, timedelta(0))),
        ("refresh with nothing to do", lambda conn: refresh_batch(conn, locks.SHARDS)),
    ):
        found = interleave(
            fixtures.size.rounds,
            {
                "apart": lambda: milliseconds(lambda: work(apart.refresher), 50),  # noqa: B023
                "together": lambda: milliseconds(lambda: work(together.refresher), 50),  # noqa: B023
            },
        )
        yield Row(
            AREA,
            f"{what}, read model on a second server",
            "ms",
            found["apart"],
            "the same in one database",
            found["together"],
        )


def _rebuild(fixtures: Fixtures, two: Database, one: Database) -> Row:
    with two.connect() as apart, one.connect() as together:
        found = interleave(
            fixtures.size.rounds,
            {
                "apart": lambda: seconds(lambda: rebuild(apart, tenants=None, progress=QUIET)),
                "together": lambda: seconds(lambda: rebuild(together, tenants=None, progress=QUIET)),
            },
        )
    what = f"rebuild in place of {fixtures.size.medium:,} leads, read model on a second server"
    return Row(AREA, what, "s", found["apart"], "the same in one database", found["together"])
