"""What it costs to go beyond one machine: requests on a streaming standby, and commits that logical replication brings.

What a second connection costs is in apart.py.

Both servers are on this machine. So the figures say what the road itself costs, without a network between the two, and
two servers share the cores of one.
"""

import http.client
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from statistics import quantiles
from time import monotonic, perf_counter, sleep
from typing import Any
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict

from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.benchmarks import api_statements, load, servers
from tests.benchmarks.core import Row, Sample, interleave
from tests.benchmarks.fixtures import Database, Fixtures
from tests.benchmarks.mixed import scheduler
from tests.benchmarks.visible import Probes
from tests.support.road import Road, address, replicated_platform
from tests.support.running import wait_until, write_conversations
from tests.support.standby import running_standby

AREA = "Roads"
_CLIENTS = 8
_COMMITS_PER_SECOND = 5
_LOOK_EVERY = 0.002
# So long that only a fault takes it.
_PATIENCE = 300


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    yield from _standby(fixtures)
    yield from _subscription(fixtures)


def _standby(fixtures: Fixtures) -> Iterator[Row]:
    """Requests a second of an API on a standby, in turn with one on the primary."""
    database = fixtures.main
    user_id = database.tenants["big"]
    with api_statements.reader(database) as reader:
        phone = reader.ordinary_lead(user_id)
    settings = {"hot_standby_feedback": "on", "max_standby_streaming_delay": "1s"}
    with (
        running_standby(fixtures.server, database.name, **settings) as standby,
        servers.api(database) as on_primary,
        servers.api(_database(standby.url, database.tenants)) as on_standby,
    ):
        for title, path in (
            ("single lead", f"/users/{user_id}/leads/{phone}"),
            ("list page of 50", f"/users/{user_id}/leads"),
        ):
            urls = {"standby": f"{on_standby.url}{path}", "primary": f"{on_primary.url}{path}"}
            found = interleave(
                fixtures.size.pairs,
                {name: partial(_rate, url, fixtures.size.load) for name, url in urls.items()},
            )
            what = f"{title} on a standby, {_CLIENTS} connections"
            yield Row(AREA, what, "requests/s", found["standby"], "the same on the primary", found["primary"])


def _rate(url: str, seconds: float) -> float:
    return load.run(url, connections=_CLIENTS, seconds=seconds).rate


def _subscription(fixtures: Fixtures) -> Iterator[Row]:
    """From a commit at the platform to an answer of the second server, and to one that vouches for the commit."""
    with replicated_platform() as road:
        write_conversations(road.platform, fixtures.size.small, first=2)
        count = fixtures.size.small + 1
        wait_until(road.conn, f"count(*) = {count} FROM public.conversations")
        rebuild(road.conn, tenants=None, progress=QUIET)
        # An unlogged table is not published.
        road.platform.execute(
            "CREATE SCHEMA benchmark; CREATE SEQUENCE benchmark.numbers;"
            " CREATE UNLOGGED TABLE benchmark.conversations AS SELECT row_number() OVER ()::integer AS number,"
            " conversation_id, customer_phone FROM conversations"
        )
        second = _database(address(road.conn), {})
        with (
            scheduler(second, LEADS_ORIGIN_DATABASE_URL=road.origin_url),
            servers.api(second) as api,
        ):
            connection = _connection(api)
            with closing(connection):
                probes = Probes(road.platform, connection, "u", count)
                probes.follow(1.0, _COMMITS_PER_SECOND)
                probes.ages.clear()
                probes.requests.clear()
                probes.follow(fixtures.size.visible / 3, _COMMITS_PER_SECOND)
                vouched = list(_vouched(road, connection, fixtures.size.visible / 3))
    asked = {name: _quantile(probes.requests, place) for name, place in _QUANTILES}
    for name, place in _QUANTILES:
        what = f"commit to an answer over a subscription, {name}, {_COMMITS_PER_SECOND} commits/s"
        note = f"{len(probes.ages)} commits followed"
        sample = _quantile(probes.ages, place)
        yield Row(AREA, what, "ms", sample, "the request alone", asked[name], note=note)
    for name, place in _QUANTILES:
        what = f"commit to an answer whose X-Data-As-Of is later, over a subscription, {name}"
        note = f"{len(vouched)} commits followed"
        yield Row(AREA, what, "ms", _quantile(vouched, place), "the request alone", asked[name], note=note)


_QUANTILES = (("p50", 49), ("p99", 98))


def _quantile(values: list[float], place: int) -> Sample:
    return Sample((quantiles(values, n=100, method="inclusive")[place],))


def _vouched(road: Road, connection: http.client.HTTPConnection, seconds: float) -> Iterator[float]:
    """Milliseconds from a commit to an answer whose as-of is later, one after the other."""
    ends = monotonic() + seconds
    number = 0
    while number < 2 or monotonic() < ends:
        number += 1
        row = road.platform.execute(
            "INSERT INTO messages (message_id, conversation_id, sender, text) VALUES (%s, 'c-u-1', 'user', 'Hello')"
            " RETURNING clock_timestamp()",
            (f"vouched-{number}",),
        ).fetchone()
        committed = perf_counter()
        assert row is not None
        while _as_of(connection) <= row[0]:
            if perf_counter() - committed > _PATIENCE:
                raise TimeoutError(f"A commit was not vouched for after {_PATIENCE} s.")
            sleep(_LOOK_EVERY)
        yield 1000 * (perf_counter() - committed)
        sleep(0.2)


def _as_of(connection: http.client.HTTPConnection) -> datetime:
    connection.request("GET", "/users/u/leads/49151000001")
    answer = connection.getresponse()
    answer.read()
    printed = answer.getheader("X-Data-As-Of")
    return datetime.fromisoformat(printed) if printed else datetime.min.replace(tzinfo=UTC)


def _connection(api: servers.Server) -> http.client.HTTPConnection:
    parts = urlsplit(api.url)
    return http.client.HTTPConnection(parts.hostname or "", parts.port)


def _database(url: str, tenants: dict[str, str]) -> Database:
    given: dict[str, Any] = conninfo_to_dict(url)
    return Database(given["dbname"], url, tenants)
