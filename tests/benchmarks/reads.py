"""What a read costs: against an empty endpoint, a bare prepared statement, plain routes and no read model at all."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from api.expressions import Question
from tests.benchmarks import asked, load, plain, servers, sizes
from tests.benchmarks.core import Row, Sample, goal, interleave, milliseconds
from tests.benchmarks.servers import Server
from tests.benchmarks.setting import Setting

AREA = "Reads"
_CONNECTIONS = 8
_SQL = Path(__file__).parent / "sql"
_DOCUMENT = "SELECT document FROM read_model.leads AS l WHERE user_id = %s"
_NEWEST = " ORDER BY last_message_at DESC NULLS LAST, customer_phone DESC LIMIT 50"
_BY_PROFILE = (
    "SELECT (SELECT document FROM read_model.leads AS l WHERE (l.user_id, l.customer_phone) ="
    " (p.user_id, p.customer_phone)) FROM read_model.lead_profiles AS p WHERE p.user_id = %s"
)


@dataclass(frozen=True, slots=True)
class _Page:
    """A read by its path, and the plainest statement for the same rows."""

    title: str
    path: str
    bare: str | Question
    values: tuple[Any, ...] = ()

    def read(self, reader: asked.Reader) -> object:
        """Run that statement."""
        if isinstance(self.bare, str):
            return reader.rows(self.bare, *self.values)
        return reader.fetch(self.bare)


def _pages(user_id: str, customer_phone: str) -> list[_Page]:
    leads = f"/users/{user_id}/leads"
    return [
        _Page("single lead", f"{leads}/{customer_phone}", plain.SINGLE, (user_id, customer_phone)),
        _Page("list page of 50", leads, plain.LIST, (user_id,)),
        _Page(
            "… by name",
            f"{leads}?sort_by=name&sort_order=asc",
            f"{_BY_PROFILE} AND name_key IS NOT NULL ORDER BY name_key, customer_phone LIMIT 50",
            (user_id,),
        ),
        _Page(
            "… by total_score",
            f"{leads}?sort_by=total_score",
            f"{_BY_PROFILE} AND total_score IS NOT NULL ORDER BY total_score DESC, customer_phone DESC LIMIT 50",
            (user_id,),
        ),
        _Page(
            "… lead_status=Hot",
            f"{leads}?lead_status=Hot",
            f"{_DOCUMENT} AND lead_status = 'Hot'{_NEWEST}",
            (user_id,),
        ),
        _Page(
            "… platform=instagram,webchat",
            f"{leads}?platform=instagram,webchat",
            f"{_DOCUMENT} AND (on_instagram OR on_webchat){_NEWEST}",
            (user_id,),
        ),
        _Page(
            "… has_email and days=30",
            f"{leads}?has_email=true&days=30",
            f"{_DOCUMENT} AND has_email AND last_message_at >= now() - interval '30 days'{_NEWEST}",
            (user_id,),
        ),
        _Page(
            "messages page of 50",
            f"{leads}/{customer_phone}/messages",
            plain.MESSAGES,
            (user_id, customer_phone),
        ),
        _Page("statistics", f"{leads}/stats", asked.statistics(user_id)),
    ]


def measure(setting: Setting) -> Iterator[Row]:
    """The rows of this area."""
    database = setting.main
    user_id = database.tenants["big"]
    with (
        servers.api(database) as api,
        servers.limited(database) as limited,
        servers.bare(database) as bare,
        asked.reader(database) as reader,
    ):
        customer_phone = _talkative(reader, user_id)
        _check(api, limited, bare, user_id, customer_phone)
        for page in _pages(user_id, customer_phone):
            _check_rows(api, reader, page)
            yield from _latency(setting, api, limited, reader, page)
        yield from _throughput(setting, api, limited, bare, customer_phone)
        yield _worker(setting, api)
    yield from _live(setting)


def _talkative(reader: asked.Reader, user_id: str) -> str:
    """A lead with more than one page of messages."""
    found = reader.rows(
        "SELECT customer_phone FROM read_model.leads WHERE user_id = %s AND total_messages <= 100"
        " ORDER BY total_messages DESC, customer_phone LIMIT 1",
        user_id,
    )
    customer_phone: bytes = found[0][0]
    return customer_phone.decode()


def _latency(
    setting: Setting, api: Server, limited: Server, reader: asked.Reader, page: _Page
) -> Iterator[Row]:
    """One connection that asks again and again, so that a request's time is the server's and the way there."""
    length = setting.size.load

    def mean(url: str) -> float:
        return load.run(url, connections=1, seconds=length).mean

    found = interleave(
        setting.size.rounds,
        {
            "ours": lambda: mean(f"{api.url}{page.path}"),
            "empty": lambda: mean(f"{limited.url}/plain/nobody/empty"),
            "bare": lambda: milliseconds(lambda: page.read(reader), within=length),
        },
    )
    name = "an empty endpoint, same limiter and headers"
    yield Row(AREA, f"{page.title}: request", "ms", found["ours"], name, found["empty"], goal("inside"))
    beyond = Sample(
        tuple(ours - empty for ours, empty in zip(found["ours"].values, found["empty"].values, strict=True))
    )
    yield Row(
        AREA,
        f"{page.title}: beyond the empty endpoint",
        "ms",
        beyond,
        "the same rows by a bare prepared statement (psycopg)",
        found["bare"],
        goal("beyond"),
    )


def _throughput(
    setting: Setting, api: Server, limited: Server, bare: Server, customer_phone: str
) -> Iterator[Row]:
    def rate(url: str) -> float:
        return load.run(url, connections=_CONNECTIONS, seconds=setting.size.load).rate

    user_id = setting.main.tenants["big"]
    leads = f"{api.url}/users/{user_id}/leads"
    for title, path, plain_path in (
        ("single lead", f"/{customer_phone}", f"/plain/{user_id}/single/{customer_phone}"),
        ("list page of 50", "", f"/plain/{user_id}/list"),
    ):
        found = interleave(
            setting.size.rounds,
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
        setting.size.rounds,
        {"ours": lambda: rate(leads), "dicts": lambda: rate(f"{bare.url}/plain/{user_id}/dicts")},
    )
    name = "plain Flask + psycopg route, rows as dicts by orjson"
    yield Row(AREA, "list page of 50: requests a second", "1/s", found["ours"], name, found["dicts"])


def _worker(setting: Setting, api: Server) -> Row:
    """Memory of the worker after all that load, against a worker of the same server that has served one request."""
    with servers.limited(setting.main) as fresh:
        values = [Sample((_largest_child(server.process.pid),)) for server in (api, fresh)]
    name = "a fresh worker"
    what = "memory of an API worker after the load"
    return Row(AREA, what, "MB", values[0], name, values[1], goal("memory_api"), absolute=True)


def _largest_child(pid: int) -> float:
    """Resident megabytes of the process, or of the greatest of its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return max(sizes.memory(int(child), "VmRSS") for child in (children or [str(pid)]))


def _live(setting: Setting) -> Iterator[Row]:
    """The same answers from the source tables, by one statement that PostgreSQL plans as it likes."""
    user_id = setting.main.tenants["big"]
    now = datetime.now(UTC)
    with asked.reader(setting.main) as reader, setting.main.connect() as conn:
        conn.execute("SET work_mem = '256MB'")
        listed, statistics = asked.listed(user_id, "", now), asked.statistics(user_id, now)
        for title, key, ours, name in (
            ("list page of 50", "live_list", listed, "live_list"),
            ("statistics", "live_statistics", statistics, "live_statistics"),
        ):
            query = (_SQL / f"{name}.sql").read_text("utf-8").encode()
            values = {"user_id": user_id, "now": now}
            live = conn.execute(query, values).fetchall()
            _compare(title, reader.fetch(ours), live)
            found = interleave(
                setting.size.rounds,
                {
                    "live": lambda: milliseconds(lambda: conn.execute(query, values).fetchall()),  # noqa: B023
                    "ours": lambda: reader.milliseconds(ours, within=setting.size.load),  # noqa: B023
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
        same = [getattr(ours, name) for name in ours._fields[2:]] == list(live[0])
    else:
        phones = [lead["customer_phone"] for lead in orjson.loads(b"[%b]" % ours.page)]
        same = ours.total == live[0][0] and phones == [row[1] for row in live]
    if not same:
        raise AssertionError(f"The live aggregation and the read model differ: {title}: {ours} {live[:1]}")


def _check_rows(api: Server, reader: asked.Reader, page: _Page) -> None:
    """The plainest statement has the rows that the API prints."""
    data = orjson.loads(servers.get(f"{api.url}{page.path}"))["data"]
    rows = page.read(reader)
    if "/messages" not in page.path and isinstance(rows, list):
        printed = data if isinstance(data, list) else [data]
        if printed != [orjson.loads(document) for (document,) in rows]:
            raise AssertionError(f"{page.bare} does not give what {page.path} prints.")


def _check(api: Server, limited: Server, bare: Server, user_id: str, customer_phone: str) -> None:
    """The plain routes print what the API prints."""
    leads = f"{api.url}/users/{user_id}/leads"
    for url, path in (
        (leads, f"/plain/{user_id}/list"),
        (f"{leads}/{customer_phone}", f"/plain/{user_id}/single/{customer_phone}"),
    ):
        ours = servers.get(url).rpartition(b'"timestamp"')[0]
        for server in (limited, bare):
            theirs = servers.get(f"{server.url}{path}").rpartition(b'"timestamp"')[0]
            if ours != theirs:
                raise AssertionError(
                    f"{path} does not print what {url} prints: {theirs[:300]!r} {ours[:300]!r}"
                )
