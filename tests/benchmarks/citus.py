"""A read model that Citus distributes, on the cluster that LEADS_CITUS_URL names, beside one PostgreSQL."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial

from tests.benchmarks import tables
from tests.benchmarks.core import Row, compare, seconds
from tests.benchmarks.fixtures import Bench, Database, Stale, build, fill
from tests.support.citus import CITUS, citus_database, find_cluster

TENANTS = 100
_MESSAGES_PER_LEAD = 5
_MANY = 1000


def measure(bench: Bench) -> Iterator[Row]:
    """Return the rows of this case; none without a cluster."""
    if CITUS not in os.environ:
        bench.say(f"  {CITUS} is not set: Citus is left out.")
        return
    name = f"{bench.size.name}_citus"
    with ExitStack() as stack:
        one = Database(name, stack.enter_context(bench.database(name)), {})
        many = Database(name, stack.enter_context(citus_database(find_cluster(), name)).url, {})
        for database, distribute in ((one, False), (many, True)):
            with database.connect() as conn:
                leads = {"shared": (TENANTS, bench.size.shared)}
                fill(conn, leads, _MESSAGES_PER_LEAD, distribute=distribute)
        yield from compare(
            bench.size.rounds,
            f"first build of {TENANTS * bench.size.shared:,} leads of {TENANTS} tenants on Citus",
            "s",
            partial(_first_build, many),
            {"the same on one PostgreSQL": (partial(_first_build, one), "citus_build")},
        )
        ours, theirs = (stack.enter_context(closing(Stale(database))) for database in (many, one))
        for what, messages, times, goal in (
            ("a new message", 1, 10, "citus_one"),
            (f"{_MANY:,} messages of {TENANTS} tenants", _MANY, 1, "citus_many"),
        ):
            yield from compare(
                bench.size.rounds,
                f"refresh of {what} on Citus",
                "ms",
                partial(ours.milliseconds, messages, times),
                {"the same on one PostgreSQL": (partial(theirs.milliseconds, messages, times), goal)},
                absolute=messages == 1,
            )


def _first_build(database: Database) -> float:
    with database.connect() as conn:
        tables.never_built(conn)
        return seconds(lambda: build(conn))
