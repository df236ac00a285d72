"""What a request pays before the database: against what others would serve the same rows by, and a 304 against it."""

from collections.abc import Iterator
from functools import partial

from tests.benchmarks import load, processor, servers
from tests.benchmarks.core import Row, goal, interleave
from tests.benchmarks.fixtures import Fixtures
from tests.benchmarks.servers import Server

AREA = "Reads"
CONNECTIONS = 8


def measure(fixtures: Fixtures, api: Server, user_id: str, customer_phone: str) -> Iterator[Row]:
    """The rows of this part."""
    yield from _against_peers(fixtures, api, user_id, customer_phone)
    yield from _unchanged(fixtures, api, user_id, customer_phone)


def _against_peers(fixtures: Fixtures, api: Server, user_id: str, customer_phone: str) -> Iterator[Row]:
    """Requests a second with limiter and headers on, against peers that have neither."""
    leads, plain = f"/users/{user_id}/leads", f"/plain/{user_id}"
    with servers.plain_flask(fixtures.main) as flask, servers.plain_asyncpg(fixtures.main) as asyncpg:
        for title, path, plain_path in (
            ("single lead", f"{leads}/{customer_phone}", f"{plain}/single/{customer_phone}"),
            ("list page of 50", leads, f"{plain}/list"),
        ):
            servers.require_same(
                f"{api.url}{path}", *(f"{peer.url}{plain_path}" for peer in (flask, asyncpg))
            )
            found = interleave(
                fixtures.size.rounds,
                {
                    "ours": partial(_rate, fixtures, f"{api.url}{path}"),
                    "flask": partial(_rate, fixtures, f"{flask.url}{plain_path}"),
                    "asyncpg": partial(_rate, fixtures, f"{asyncpg.url}{plain_path}"),
                },
            )
            what = f"{title}: requests a second"
            name = "plain Flask with a pool of psycopg's, same rows and server"
            yield Row(AREA, what, "1/s", found["ours"], name, found["flask"], goal("peer"))
            name = "uvicorn with asyncpg (uvloop, httptools), no framework, same rows"
            yield Row(AREA, what, "1/s", found["ours"], name, found["asyncpg"])


def _rate(fixtures: Fixtures, url: str) -> float:
    return load.run(url, connections=CONNECTIONS, seconds=fixtures.size.load).rate


def _unchanged(fixtures: Fixtures, api: Server, user_id: str, customer_phone: str) -> Iterator[Row]:
    """The processor time of a 304 against that of the full answer."""
    leads = f"/users/{user_id}/leads"
    for title, path in (
        ("single lead", f"{leads}/{customer_phone}"),
        ("list page of 50", leads),
        ("… with filters", f"{leads}?lead_status=Hot,Warm&has_email=true"),
        ("messages page of 50", f"{leads}/{customer_phone}/messages"),
        ("statistics", f"{leads}/stats"),
    ):
        header = f"If-None-Match: {servers.tag_of(f'{api.url}{path}')}"
        spent = partial(processor.milliseconds_of_request, fixtures, api, path)
        found = interleave(fixtures.size.rounds, {"unchanged": partial(spent, header=header), "full": spent})
        what = f"{title}: CPU of API and PostgreSQL, 304"
        yield Row(AREA, what, "ms", found["unchanged"], "the full answer", found["full"], goal("unchanged"))
