"""What a read costs: against an empty endpoint, a bare prepared statement, plain routes and no read model at all."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from api.database.statement import CompiledStatement
from api.request.parameters import PLATFORMS
from tests.benchmarks import api_statements, baseline_server, disk_and_wal, list_ways, load, requests, servers
from tests.benchmarks.core import Row, Sample, goal, interleave, milliseconds
from tests.benchmarks.fixtures import Fixtures
from tests.benchmarks.servers import Server

AREA = "Reads"
_CONNECTIONS = 8
_SQL = Path(__file__).parent / "sql"


@dataclass(frozen=True, slots=True)
class _Page:
    """A read by its path, and the name of the plainest statement for the same rows."""

    title: str
    path: str
    bare: str


def _pages(user_id: str, customer_phone: str) -> list[_Page]:
    leads = f"/users/{user_id}/leads"
    return [
        _Page("single lead", f"{leads}/{customer_phone}", "single"),
        _Page("list page of 50", leads, "list"),
        _Page("… by name", f"{leads}?sort_by=name&sort_order=asc", "name"),
        _Page("… by total_score", f"{leads}?sort_by=total_score", "score"),
        _Page("… lead_status=Hot", f"{leads}?lead_status=Hot", "hot"),
        _Page("… platform=instagram,webchat", f"{leads}?platform=instagram,webchat", "platforms"),
        _Page("… has_email and days=30", f"{leads}?has_email=true&days=30", "email"),
        _Page("messages page of 50", f"{leads}/{customer_phone}/messages", "messages"),
        _Page("statistics", f"{leads}/stats", "statistics"),
    ]


def measure(fixtures: Fixtures) -> Iterator[Row]:
    """The rows of this area."""
    database = fixtures.main
    user_id = database.tenants["big"]
    with (
        servers.api(database) as api,
        servers.limited(database) as limited,
        servers.bare(database) as bare,
        api_statements.reader(database) as reader,
    ):
        customer_phone = _talkative(reader, user_id)
        _check(api, limited, bare, user_id, customer_phone)
        for page in _pages(user_id, customer_phone):

            def ask(name: str = page.bare) -> list[Any]:
                return baseline_server.ask(reader.connection, name, user_id, customer_phone)

            _check_rows(api, page, ask())
            urls = {
                "ours": f"{api.url}{page.path}",
                "empty": f"{limited.url}/plain/{user_id}/empty",
                "bare": f"{limited.url}/plain/{user_id}/bare/{page.bare}/{customer_phone}",
            }
            yield from _latency(fixtures, page.title, urls, ask)
        yield _floor(fixtures, f"{limited.url}/plain/{user_id}")
        yield from _throughput(fixtures, api, limited, bare, customer_phone)
        yield from requests.measure(fixtures, api, user_id, customer_phone)
        yield _worker(fixtures, api)
    yield from _live(fixtures)
    yield from list_ways.measure(AREA, fixtures)


def _talkative(reader: api_statements.Reader, user_id: str) -> str:
    """A lead with more than one page of messages."""
    found = reader.rows(
        "SELECT customer_phone FROM read_model.leads WHERE user_id = %s AND total_messages <= 100"
        " ORDER BY total_messages DESC, customer_phone LIMIT 1",
        user_id,
    )
    customer_phone: bytes = found[0][0]
    return customer_phone.decode()


def _latency(
    fixtures: Fixtures, title: str, urls: dict[str, str], ask: Callable[[], object]
) -> Iterator[Row]:
    """One connection that asks again and again, so that a request's time is the server's and the way there.

    The bare statement is asked by an endpoint too, which returns an empty object: a server that has a request between
    two statements finds PostgreSQL asleep, and waits for it to wake up; a loop around the statement does not.
    """
    length = fixtures.size.load
    found = interleave(
        fixtures.size.rounds,
        {
            **{arm: partial(_mean, url, length) for arm, url in urls.items()},
            "loop": lambda: milliseconds(ask, within=length / 4),
        },
        # They have answered already, and a second of requests does not notice the first one.
        warm_up=False,
    )
    name = "an empty endpoint, same limiter and headers"
    yield Row(AREA, f"{title}: request", "ms", found["ours"], name, found["empty"], goal("inside"))
    ours, bare = (found[arm].minus(found["empty"]) for arm in ("ours", "bare"))
    what = f"{title}: beyond the empty endpoint"
    name = "the same rows by a bare prepared statement (psycopg)"
    yield Row(AREA, what, "ms", ours, f"{name}, asked by that endpoint", bare, goal("beyond"))
    yield Row(AREA, what, "ms", ours, f"{name}, asked in a loop", found["loop"])


def _mean(url: str, seconds: float) -> float:
    """Milliseconds of a request of one connection that asks again and again."""
    return load.run(url, connections=1, seconds=seconds).mean


def _floor(fixtures: Fixtures, routes: str) -> Row:
    """What asking the database costs a request, whatever is asked."""
    found = interleave(
        fixtures.size.rounds,
        {
            arm: partial(_mean, url, fixtures.size.load)
            for arm, url in (("nothing", f"{routes}/bare/nothing/none"), ("empty", f"{routes}/empty"))
        },
        warm_up=False,
    )
    name = "an empty endpoint, same limiter and headers"
    what = "an endpoint that asks SELECT 1: request"
    return Row(AREA, what, "ms", found["nothing"], name, found["empty"])


def _throughput(
    fixtures: Fixtures, api: Server, limited: Server, bare: Server, customer_phone: str
) -> Iterator[Row]:
    def rate(url: str) -> float:
        return load.run(url, connections=_CONNECTIONS, seconds=fixtures.size.load).rate

    user_id = fixtures.main.tenants["big"]
    leads = f"{api.url}/users/{user_id}/leads"
    for title, path, plain_path in (
        ("single lead", f"/{customer_phone}", f"/plain/{user_id}/single/{customer_phone}"),
        ("list page of 50", "", f"/plain/{user_id}/list"),
    ):
        found = interleave(
            fixtures.size.rounds,
            {
                "ours": lambda: rate(f"{leads}{path}"),  # noqa: B023
                "limited": lambda: rate(f"{limited.url}{plain_path}"),  # noqa: B023
                "bare": lambda: rate(f"{bare.url}{plain_path}"),  # noqa: B023
            },
        )
        what = f"{title}: requests a second"
        name = "plain Flask + psycopg route, same bytes, limiter and headers"
        yield Row(AREA, what, "1/s", found["ours"], name, found["limited"], goal("throughput"))
        name = "plain Flask + psycopg route, same bytes"
        yield Row(AREA, what, "1/s", found["ours"], name, found["bare"], goal("throughput_bare"))
    found = interleave(
        fixtures.size.rounds,
        {"ours": lambda: rate(leads), "dicts": lambda: rate(f"{bare.url}/plain/{user_id}/dicts")},
    )
    name = "plain Flask + psycopg route, rows as dicts by orjson"
    yield Row(AREA, "list page of 50: requests a second", "1/s", found["ours"], name, found["dicts"])


def _worker(fixtures: Fixtures, api: Server) -> Row:
    """Memory of the worker after all that load, against a worker of the same server that has served one request."""
    with servers.limited(fixtures.main) as fresh:
        values = [Sample((_largest_child(server.process.pid),)) for server in (api, fresh)]
    name = "a fresh worker"
    what = "memory of an API worker after the load"
    return Row(AREA, what, "MB", values[0], name, values[1], goal("memory_api"), absolute=True)


def _largest_child(pid: int) -> float:
    """Resident megabytes of the process, or of the greatest of its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return max(disk_and_wal.memory(int(child), "VmRSS") for child in (children or [str(pid)]))


def _live(fixtures: Fixtures) -> Iterator[Row]:
    """The same answers from the source tables, by one statement that PostgreSQL plans as it likes."""
    user_id = fixtures.main.tenants["big"]
    now = datetime.now(UTC)
    with api_statements.reader(fixtures.main) as reader, fixtures.main.connect() as conn:
        conn.execute("SET work_mem = '256MB'")
        listed: CompiledStatement[Any] = api_statements.listed(user_id, "", now)
        statistics: CompiledStatement[Any] = api_statements.statistics(user_id, now)
        for title, key, ours, name in (
            ("list page of 50", "live_list", listed, "live_list"),
            ("statistics", "live_statistics", statistics, "live_statistics"),
        ):
            query = (_SQL / f"{name}.sql").read_text("utf-8").encode()
            values = {"user_id": user_id, "now": now}
            live = conn.execute(query, values).fetchall()
            _compare(title, reader.fetch(ours), live)
            found = interleave(
                fixtures.size.rounds,
                {
                    "live": lambda: milliseconds(lambda: conn.execute(query, values).fetchall()),  # noqa: B023
                    "ours": lambda: reader.milliseconds(ours, within=fixtures.size.load),  # noqa: B023
                },
            )
            yield Row(
                AREA,
                f"{title} in the database",
                "ms",
                found["ours"],
                "live aggregation over the source tables",
                found["live"],
                goal(key),
                own_ratio=found["live"].over(found["ours"]),
                note="ratio: baseline ÷ ours",
            )


def _compare(title: str, ours: Any, live: list[Any]) -> None:  # noqa: ANN401  # Rows of different statements.
    """A baseline that gives another answer is none."""
    if title == "statistics":
        numbers = [name for name in ours._fields if "leads" in name or name in PLATFORMS]
        same = [getattr(ours, name) for name in numbers] == list(live[0])
    else:
        phones = [lead["customer_phone"] for lead in map(orjson.loads, ours.page)]
        same = ours.total == live[0][0] and phones == [row[1] for row in live]
    if not same:
        raise AssertionError(f"The live aggregation and the read model differ: {title}: {ours} {live[:1]}")


def _check_rows(api: Server, page: _Page, rows: list[Any]) -> None:
    """The plainest statement has the rows that the API prints."""
    if page.bare == "statistics":
        # They are the API's own statement.
        return
    data = orjson.loads(servers.get(f"{api.url}{page.path}"))["data"]
    if page.bare == "messages":
        printed = [message["message_id"] for message in data["messages"]]
        found = [row[0].decode() for row in rows]
    else:
        printed = data if isinstance(data, list) else [data]
        found = [orjson.loads(document) for (document,) in rows]
    if printed != found:
        raise AssertionError(f"{baseline_server.BARE[page.bare]} does not give what {page.path} prints.")


def _check(api: Server, limited: Server, bare: Server, user_id: str, customer_phone: str) -> None:
    """The plain routes print what the API prints."""
    leads = f"{api.url}/users/{user_id}/leads"
    for url, path in (
        (leads, f"/plain/{user_id}/list"),
        (f"{leads}/{customer_phone}", f"/plain/{user_id}/single/{customer_phone}"),
    ):
        servers.require_same(url, *(f"{server.url}{path}" for server in (limited, bare)))
