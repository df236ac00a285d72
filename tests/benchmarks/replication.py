"""What it costs to go beyond one machine: requests on a streaming standby, and commits over logical replication.

Both servers are on this machine, so the figures have no network in them, and two servers share the cores of one.
"""

import http.client
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from statistics import quantiles
from time import monotonic, perf_counter, sleep

from psycopg.conninfo import conninfo_to_dict

from tests.benchmarks import servers, statements
from tests.benchmarks.core import Row, once
from tests.benchmarks.fixtures import PATIENCE, Bench, Database, build, projector
from tests.benchmarks.visible import Probes
from tests.support.replication import TwoServers, address, replicated_platform
from tests.support.running import wait_for, wait_until, write_conversations
from tests.support.standby import running_standby

_COMMITS_PER_SECOND = 5
_LOOK_EVERY = 0.002


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
        servers.api(database) as on_primary,
        servers.api(_database(standby.url, database.tenants)) as on_standby,
    ):
        for title, path in (
            ("single lead", f"/users/{user_id}/leads/{phone}"),
            ("list page of 50", f"/users/{user_id}/leads"),
        ):
            what, name = f"{title} on a standby, 8 connections", "the same on the primary"
            ours, theirs = (server.rate(bench, path) for server in (on_standby, on_primary))
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
            servers.api(second) as api,
            closing(api.connection()) as connection,
        ):
            Probes(both.platform, connection, "u").follow(1.0, _COMMITS_PER_SECOND)
            probes = Probes(both.platform, connection, "u")
            probes.follow(bench.size.visible / 3, _COMMITS_PER_SECOND)
            vouched = list(_vouched(both, connection, bench.size.visible / 3))
    yield from probes.rows(f"commit to an answer over a subscription at {_COMMITS_PER_SECOND} commits/s", {})
    for name, place in (("p50", 49), ("p99", 98)):
        ours, request = (
            once(quantiles(found, n=100, method="inclusive")[place]) for found in (vouched, probes.requests)
        )
        what = f"commit to an answer whose X-Data-As-Of is later, over a subscription, {name}"
        yield Row(what, "ms", ours, "the request alone", request, note=f"{len(vouched)} commits followed")


def _vouched(both: TwoServers, connection: http.client.HTTPConnection, seconds: float) -> Iterator[float]:
    """Milliseconds from a commit to an answer whose as-of is later, one after the other."""
    ends = monotonic() + seconds
    number = 0
    while number < 2 or monotonic() < ends:
        number += 1
        row = both.platform.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text) VALUES (%s, 'c-u-1', 'user', 'Hello')"
            " RETURNING clock_timestamp()",
            (f"vouched-{number}",),
        ).fetchone()
        committed = perf_counter()
        assert row is not None
        moment = row[0]
        wait_for(lambda: _as_of(connection) > moment, "a commit is vouched for", PATIENCE, _LOOK_EVERY)  # noqa: B023
        yield 1000 * (perf_counter() - committed)
        sleep(0.2)


def _as_of(connection: http.client.HTTPConnection) -> datetime:
    connection.request("GET", "/users/u/leads/49151000001")
    answer = connection.getresponse()
    answer.read()
    printed = answer.getheader("X-Data-As-Of")
    return datetime.fromisoformat(printed) if printed else datetime.min.replace(tzinfo=UTC)


def _database(url: str, tenants: dict[str, str]) -> Database:
    return Database(str(conninfo_to_dict(url)["dbname"]), url, tenants)
