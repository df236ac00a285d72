"""What a read costs: against an empty endpoint, a bare statement, other servers, no read model, and no protection."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_hex

import orjson
from joserfc import jwt
from joserfc.jwk import OctKey

from api.plan.statistics import lead_statistics
from tests.benchmarks import floods, plain, servers, statements
from tests.benchmarks.core import Row, milliseconds, repeating
from tests.benchmarks.fixtures import Bench
from tests.benchmarks.servers import Server

_LEADS = Path(__file__).with_name("live.sql").read_text("utf-8")
# What is asked of the leads that these lines compute from the source tables.
_LIVE = {
    "live_list": """
SELECT (SELECT count(*) FROM everyone), e.* FROM everyone AS e
ORDER BY e.last_message_at DESC NULLS LAST, e.customer_phone COLLATE "C" DESC LIMIT 50
""",
    "live_statistics": """
SELECT count(*), count(x.customer_phone),
    count(*) FILTER (WHERE x.lead_status = 'Hot'),
    count(*) FILTER (WHERE x.lead_status = 'Warm'),
    count(*) FILTER (WHERE x.lead_status = 'Cold'),
    count(*) FILTER (WHERE e.on_whatsapp),
    count(*) FILTER (WHERE e.on_instagram),
    count(*) FILTER (WHERE e.on_webchat),
    count(*) FILTER (WHERE e.last_message_at >= %(now)s::timestamptz AT TIME ZONE 'UTC' - interval '7 days'),
    count(*) FILTER (WHERE e.last_message_at >= %(now)s::timestamptz AT TIME ZONE 'UTC' - interval '30 days')
FROM everyone AS e
LEFT JOIN (
    SELECT DISTINCT ON (t.customer_phone) t.customer_phone, projector.lead_status(x.lead_status_tag) AS lead_status
    FROM talks AS t
    INNER JOIN extractions AS x ON x.conversation_id = t.conversation_id
    ORDER BY t.customer_phone, x.is_latest IS TRUE DESC, x.extracted_at DESC NULLS LAST, x.extraction_id DESC
) AS x ON x.customer_phone = e.customer_phone
""",
}
_EMPTY = "an empty endpoint, same limiter and headers"


def measure(bench: Bench) -> Iterator[Row]:
    """Return the rows of the API against baselines that print the same."""
    user_id = bench.main.tenants["big"]
    leads, routes = f"/users/{user_id}/leads", f"/plain/{user_id}"
    with (
        servers.api(bench, bench.main, LEADS_ANSWERS_MB="0") as api,
        servers.api(bench, bench.main) as kept,
        servers.plain(bench, bench.main, "limited") as limited,
        servers.plain(bench, bench.main, "flask") as flask,
        servers.plain(bench, bench.main, "asyncpg") as asyncpg,
        statements.reader(bench.main) as reader,
    ):
        phone = reader.lead(user_id, "<= 100")
        for title, path, bare in (
            ("single lead", f"{leads}/{phone}", "single"),
            ("list page of 50", leads, "list"),
            ("… by name", f"{leads}?sort_by=name&sort_order=asc", "name"),
            ("… by total_score", f"{leads}?sort_by=total_score", "score"),
            ("… lead_status=Hot", f"{leads}?lead_status=Hot", "hot"),
            ("… platform=instagram,webchat", f"{leads}?platform=instagram,webchat", "platforms"),
            ("… has_email and days=30", f"{leads}?has_email=true&days=30", "email"),
            ("messages page of 50", f"{leads}/{phone}/messages", "messages"),
        ):
            _require_rows(api, path, bare, plain.ask(reader.connection, plain.BARE[bare], (user_id, phone)))
            yield from _latency(bench, title, (api, path), (limited, routes), f"{bare}/{phone}")
        stats, empty = api.mean(f"{leads}/stats"), limited.mean(f"{routes}/empty")
        yield bench.compare("statistics: request", "ms", stats, _EMPTY, empty, "inside")
        for title, path, plain_path, key in (
            ("single lead", f"{leads}/{phone}", f"{routes}/single/{phone}", "single"),
            ("list page of 50", leads, f"{routes}/list", "page"),
        ):
            servers.require_same(path, plain_path, api, limited, flask, asyncpg)
            samples = bench.take_turns(
                {
                    "ours": api.rate(path),
                    "kept": kept.rate(path),
                    "plain route, same limiter and headers": limited.rate(plain_path),
                    "plain Flask with a pool of psycopg's": flask.rate(plain_path),
                    "uvicorn with asyncpg, no framework": asyncpg.rate(plain_path),
                },
            )
            ours, again = samples.pop("ours"), samples.pop("kept")
            goals = ("throughput", f"miss_{key}", "")
            for (name, theirs), goal in zip(samples.items(), goals, strict=True):
                yield Row(f"{title}: requests a second, without memory", "1/s", ours, name, theirs, goal)
                if not goal:
                    what = f"{title}: requests a second, from memory"
                    yield Row(what, "1/s", again, name, theirs, f"hit_{key}")
        yield from _memory(bench, api, kept, leads, phone)
        yield from _unchanged(bench, api, kept, leads, phone)
        yield from _live(bench, reader, user_id)


def _latency(
    bench: Bench, title: str, ours: tuple[Server, str], plain: tuple[Server, str], bare: str
) -> Iterator[Row]:
    """One connection that asks again and again, so that a request's time is the server's and the way there.

    The bare statement is asked by an endpoint too, which returns an empty object: a server that has a request between
    two statements finds PostgreSQL asleep, and waits for it to wake up; a loop around the statement does not.
    """
    (api, path), (limited, routes) = ours, plain
    # They have answered already, and a second of requests does not notice the first one.
    samples = bench.take_turns(
        {
            "ours": api.mean(path),
            "empty": limited.mean(f"{routes}/empty"),
            "bare": limited.mean(f"{routes}/bare/{bare}"),
        },
        warm_up=False,
    )
    yield Row(f"{title}: request", "ms", samples["ours"], _EMPTY, samples["empty"], "inside")
    beyond, theirs = (samples[arm].minus(samples["empty"]) for arm in ("ours", "bare"))
    name = "the same rows by a bare prepared statement (psycopg), asked by that endpoint"
    yield Row(f"{title}: beyond the empty endpoint", "ms", beyond, name, theirs, "beyond")


def _memory(bench: Bench, api: Server, kept: Server, leads: str, phone: str) -> Iterator[Row]:
    """What memory gives, and what it costs where it gives nothing."""
    without = "without memory"
    ours, theirs = (server.rate(leads, header="Accept-Encoding: gzip") for server in (kept, api))
    what = "list page of 50, gzip: requests a second, from memory"
    yield bench.compare(what, "1/s", ours, without, theirs, "hit_compressed")
    # Ten times a second, as changes of a row do that no answer shows.
    change = "UPDATE read_model.tenants SET version = version + 1, version_id = gen_random_uuid()"
    with bench.main.connect() as conn, repeating(0.1, lambda: conn.execute(change)):
        for title, path in (("single lead", f"{leads}/{phone}"), ("list page of 50", leads)):
            ours, theirs = (server.rate(path, fresh=True) for server in (kept, api))
            what = f"{title}: requests a second that are no hit, while all tenants change"
            yield bench.compare(what, "1/s", ours, without, theirs, "miss_writers")


def _unchanged(bench: Bench, api: Server, kept: Server, leads: str, phone: str) -> Iterator[Row]:
    """The processor time of a 304 against that of the full answer."""
    for title, path in (
        ("single lead", f"{leads}/{phone}"),
        ("list page of 50", leads),
        ("… with filters", f"{leads}?lead_status=Hot,Warm&has_email=true"),
        ("messages page of 50", f"{leads}/{phone}/messages"),
        ("statistics", f"{leads}/stats"),
    ):
        what, full = f"{title}: CPU of API and PostgreSQL, 304", api.processor_time(path)
        tag = f"If-None-Match: {api.get(path)[1]['ETag']}"
        unchanged, again = (server.processor_time(path, header=tag) for server in (api, kept))
        yield bench.compare(what, "ms", unchanged, "the full answer", full, "unchanged")
        # The full answer has to be there first, under the very headers that the load has.
        kept.rate(path)()
        yield bench.compare(f"{what} from memory", "ms", again, "the full answer", full, "unchanged_hit")


def _live(bench: Bench, reader: statements.Reader, user_id: str) -> Iterator[Row]:
    """The same number of leads from the source tables, by one statement that PostgreSQL plans as it likes."""
    now = datetime.now(UTC)
    with bench.main.connect() as conn:
        conn.execute("SET work_mem = '256MB'")
        for title, name, ours in (
            ("list page of 50", "live_list", statements.listed(user_id, "", now)),
            ("statistics", "live_statistics", lead_statistics(user_id).at(now)),
        ):
            query, values = f"{_LEADS}{_LIVE[name]}".encode(), {"user_id": user_id, "now": now}
            live, answer = conn.execute(query, values).fetchall(), reader.fetch(ours)
            # A baseline that gives another answer is none. The statistics are an object.
            counted = [orjson.loads(cell)["total_leads"] for cell in answer[0] if str(cell).startswith("{")]
            if live[0][0] not in (*answer[0], *counted):
                raise AssertionError(f"{name} and the read model differ: {answer[0]} {live[0]}")
            samples = bench.take_turns(
                {
                    "live": lambda: milliseconds(lambda: conn.execute(query, values).fetchall()),  # noqa: B023
                    "ours": reader.arm(ours, within=bench.size.load),
                },
            )
            yield Row(
                f"{title} in the database",
                "ms",
                samples["ours"],
                "live aggregation over the source tables",
                samples["live"],
                name,
                own_ratio=samples["live"].over(samples["ours"]),
                note="ratio: baseline ÷ ours",
            )


def _require_rows(api: Server, path: str, bare: str, rows: list[tuple[str, ...]]) -> None:
    """Raise AssertionError unless the plainest statement has the rows that the API prints."""
    data = orjson.loads(api.get(path)[0])["data"]
    if bare == "messages":
        printed, expected = [message["message_id"] for message in data["messages"]], [row[0] for row in rows]
    else:
        printed = data if isinstance(data, list) else [data]
        expected = [orjson.loads(document) for (document,) in rows]
    if printed != expected:
        raise AssertionError(f"{plain.BARE[bare]} does not give what {path} prints.")


def measure_scale(bench: Bench) -> Iterator[Row]:
    """Return the rows of reads in the largest tenant, against one of 1,000 leads in the same database."""
    with servers.api(bench, bench.main, LEADS_ANSWERS_MB="0") as api, statements.reader(bench.main) as reader:
        sizes = {size: bench.main.tenants[size] for size in ("big", "small")}
        phones = {size: reader.lead(user_id, "= 5") for size, user_id in sizes.items()}
        for title, path in (
            ("first page", ""),
            ("first page by name", "?sort_by=name&sort_order=asc"),
            ("first page by total_score", "?sort_by=total_score"),
            ("single lead", "/{phone}"),
            ("messages page", "/{phone}/messages"),
            ("statistics", "/stats"),
        ):
            big, small = (
                api.p50(f"/users/{user_id}/leads{path.format(phone=phones[size])}")
                for size, user_id in sizes.items()
            )
            what = f"p50, {title}, among {bench.size.big:,} leads"
            name = f"the same in a tenant of {bench.size.small:,}"
            yield bench.compare(what, "ms", big, name, small, "scale")


def measure_guard(bench: Bench) -> Iterator[Row]:
    """Return the rows of an API with authentication and row security, against one with neither and the owner's rights.

    Both get the same request, so that the header itself is in both.
    """
    user_id, secret = bench.main.tenants["big"], token_hex(32)
    header = _authorization(user_id, secret)
    with statements.reader(bench.main) as reader:
        phone = reader.lead(user_id, "= 5")
    leads = f"/users/{user_id}/leads"
    with (
        servers.api(
            bench, bench.main, LEADS_AUTH="jwt,key", LEADS_JWT_KEY=secret, LEADS_ANSWERS_MB="0"
        ) as guarded,
        servers.api(
            bench, bench.main, LEADS_AUTH="none", LEADS_API_ROLE="off", LEADS_ANSWERS_MB="0"
        ) as open_to_all,
    ):
        for title, path, connections in (
            ("single lead", f"{leads}/{phone}", 1),
            ("single lead", f"{leads}/{phone}", 32),
            ("list page of 50", leads, 1),
            ("list page of 50", leads, 32),
            # So many searches of one tenant at once are refused, as they should be.
            ("search", f"{leads}?search=an+so", 1),
        ):
            ours, theirs = (
                server.processor_time(path, connections=connections, header=header)
                for server in (guarded, open_to_all)
            )
            what = f"CPU of API and PostgreSQL, {title}, connections: {connections}"
            name = "without authentication and row security"
            yield bench.compare(what, "ms", ours, name, theirs, "guard", rounds=bench.size.pairs)
        yield from floods.measure(bench, guarded, leads, header)
        other = bench.main.tenants["small"]
        flooding = (f"/users/{other}/leads", _authorization(other, secret))
        yield from floods.measure_tenants(bench, guarded, (leads, header), flooding)


def _authorization(user_id: str, secret: str) -> str:
    """Return a header with a token of a tenant, which outlives the run."""
    claims = {"sub": user_id, "exp": int((datetime.now(UTC) + timedelta(days=1)).timestamp())}
    return f"Authorization: Bearer {jwt.encode({'alg': 'HS256'}, claims, OctKey.import_key(secret))}"
