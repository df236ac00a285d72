"""What it costs to go beyond one machine: requests on a streaming standby, and commits over logical replication.

Both servers are on this machine, so the figures have no network in them, and two servers share the cores of one.
"""

from collections.abc import Iterator
from contextlib import closing

from psycopg.conninfo import conninfo_to_dict

from tests.benchmarks import servers, statements
from tests.benchmarks.core import Row
from tests.benchmarks.fixtures import Bench, Database, build, projector
from tests.benchmarks.visible import Probes
from tests.support.replication import address, replicated_platform
from tests.support.running import wait_until, write_conversations
from tests.support.standby import running_standby

_COMMITS_PER_SECOND = 5
_PARTS: dict[float, str] = {50: "", 99: ""}


def measure(bench: Bench) -> Iterator[Row]:
    yield from _standby(bench)
    yield from _subscription(bench)


def _standby(bench: Bench) -> Iterator[Row]:
    """Requests a second of an API on a standby, in turn with one on the primary."""
    database = bench.main
    user_id = database.tenants["big"]
    with statements.reader(database) as reader:
        phone = reader.lead(user_id, "= 5")
    settings = {"hot_standby_feedback": "on", "max_standby_streaming_delay": "1s"}
    with (
        running_standby(bench.server, database.name, **settings) as standby,
        servers.api(bench, database) as on_primary,
        servers.api(bench, _database(standby.url, database.tenants)) as on_standby,
    ):
        for title, path in (
            ("single lead", f"/users/{user_id}/leads/{phone}"),
            ("list page of 50", f"/users/{user_id}/leads"),
        ):
            what, name = f"{title} on a standby, 8 connections", "the same on the primary"
            ours, theirs = (server.rate(path) for server in (on_standby, on_primary))
            yield bench.compare(what, "requests/s", ours, name, theirs, rounds=bench.size.pairs)


def _subscription(bench: Bench) -> Iterator[Row]:
    """From a commit at the platform to an answer of the second server, and to one that vouches for the commit."""
    with replicated_platform() as both:
        write_conversations(both.platform, bench.size.small, first=2)
        wait_until(both.conn, f"count(*) = {bench.size.small + 1} FROM public.conversations")
        build(both.conn)
        # An unlogged table is not published.
        both.platform.execute(
            "CREATE SCHEMA benchmark; CREATE SEQUENCE benchmark.numbers;"
            " CREATE UNLOGGED TABLE benchmark.conversations AS SELECT row_number() OVER ()::integer AS number,"
            " conversation_id, customer_phone FROM conversations"
        )
        second = _database(address(both.conn), {})
        with (
            projector(second, LEADS_ORIGIN_DATABASE_URL=both.origin_url),
            servers.api(bench, second) as api,
            closing(api.connection()) as connection,
        ):
            Probes(both.platform, connection, "u").follow(1.0, _COMMITS_PER_SECOND)
            for until_vouched, what, goals in (
                (False, f"over a subscription at {_COMMITS_PER_SECOND} commits/s", _PARTS | {99.9: ""}),
                (True, "whose X-Data-As-Of is later, over a subscription", _PARTS),
            ):
                probes = Probes(both.platform, connection, "u", until_vouched)
                probes.follow(bench.size.visible / 3, _COMMITS_PER_SECOND)
                yield from probes.rows(f"commit to an answer {what}", goals)


def _database(url: str, tenants: dict[str, str]) -> Database:
    return Database(url, str(conninfo_to_dict(url)["dbname"]), tenants)
