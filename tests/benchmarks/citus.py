"""A read model that Citus distributes, on the cluster that LEADS_CITUS_URL names, beside one PostgreSQL."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, closing
from functools import partial

from tests.benchmarks import tables
from tests.benchmarks.core import Row, seconds
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
    with ExitStack() as stack:
        plain = stack.enter_context(bench.database("citus"))
        made = stack.enter_context(citus_database(find_cluster(), plain.name))
        many = Database(made.url, made.name)
        for database, distribute in ((plain, False), (many, True)):
            with database.connect() as conn:
                leads = {"shared": (TENANTS, bench.size.shared)}
                fill(conn, leads, _MESSAGES_PER_LEAD, distribute=distribute)
        name = "the same on one PostgreSQL"
        what = f"first build of {TENANTS * bench.size.shared:,} leads of {TENANTS} tenants on Citus"
        arms = (partial(_first_build, many), name, partial(_first_build, plain))
        yield bench.compare(what, "s", *arms, "citus_build")
        ours, theirs = (stack.enter_context(closing(Stale(database))) for database in (many, plain))
        for title, messages, times, goal in (
            ("a new message", 1, 10, "citus_one"),
            (f"{_MANY:,} messages of {TENANTS} tenants", _MANY, 1, "citus_many"),
        ):
            on_citus, on_one = (partial(each.milliseconds, messages, times) for each in (ours, theirs))
            yield bench.compare(f"refresh of {title} on Citus", "ms", on_citus, name, on_one, goal)


def _first_build(database: Database) -> float:
    with database.connect() as conn:
        tables.never_built(conn)
        return seconds(lambda: build(conn))
