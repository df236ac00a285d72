"""Totals and statistics of any time range, wherever it starts and ends: the buckets add up to the count."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from random import Random

import pytest

from api.config import Config
from api.database.pool import Database as ApiDatabase
from api.plan.list.pages import list_leads
from api.plan.statistics import STATISTICS_DAYS, lead_statistics
from api.request.position.cursor import encode, scope_of
from api.request.query import QUERIES
from api.request.text import format_time
from projector.database.rows import Connection
from tests.exactness.platform import Platform, rebuild_now
from tests.support.cases import cases
from tests.support.server import Database, Server

USER = "one"
LEADS = 1500
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


@pytest.fixture(scope="module")
def active(server: Server, template: Database) -> Iterator[Database]:
    """A tenant with leads of the last forty days, some of them to the hour or the day, and of the next two."""
    made = server.create("time_ranges", template=template.name)
    with made.connect() as conn:
        world = Platform(conn)
        conn.execute(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone)"
            " SELECT n, %s, n FROM generate_series(1, %s) AS n",
            (world.agent(world.tenant(USER), platform="webchat"), LEADS),
        )
        # Two in three with an extraction, of every status and none; every other one of these with an email address.
        conn.execute(
            "INSERT INTO extractions (extraction_id, conversation_id, extracted_at, is_latest, email, lead_status_tag)"
            " SELECT gen_random_uuid(), n, now(), true, CASE WHEN n %% 2 = 0 THEN 'a@b.example' END,"
            "  (ARRAY['Hot', 'Warm', 'Cold', NULL])[1 + n %% 4]"
            " FROM generate_series(1, %s) AS n WHERE n %% 3 > 0",
            (LEADS,),
        )
        rng = Random(1)
        rows = [(str(n), str(n), some_time(rng, -40, 2).replace(tzinfo=None)) for n in range(1, LEADS + 1)]
        with conn.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO messages (message_id, conversation_id, timestamp, sender) VALUES (%s, %s, %s,"
                " (ARRAY['user', 'agent', NULL])[1 + %s::integer %% 3])",
                [(*row, row[0]) for row in rows],
            )
        rebuild_now(conn)
    yield made
    server.drop(made)


@pytest.fixture
def api(active: Database) -> Iterator[ApiDatabase]:
    opened = ApiDatabase(Config(active.url))
    yield opened
    opened.close()


@pytest.fixture
def leads(active: Database) -> Iterator[Connection]:
    with active.connect() as conn:
        yield conn


def some_time(rng: Random, first: int, last: int) -> datetime:
    """A moment between two days from now, often the first or the last one of an hour or a day."""
    moment = NOON + (timedelta(days=first) + timedelta(days=last - first) * rng.random())
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    kind = rng.randrange(4)
    if kind > 1:
        return moment
    start = moment.replace(hour=moment.hour if kind else 0, minute=0, second=0, microsecond=0)
    return start - rng.choice((timedelta(0), MILLISECOND))


def count_leads(
    conn: Connection, start: datetime, end: datetime | None = None, condition: str = "true"
) -> int:
    row = conn.execute(
        "SELECT count(*) FROM read_model.leads WHERE user_id = %s AND last_message_at >= %s"
        f" AND last_message_at <= coalesce(%s::timestamptz, 'infinity') AND {condition}".encode(),
        (USER, start, end),
    ).fetchone()
    assert row is not None
    return int(row[0])


@cases(
    ("also", "condition"),
    [
        ("", "true"),
        ("&offset=30000", "true"),
        ("&sort_by=name&sort_order=asc", "true"),
        ("&platform=webchat", "on_webchat"),
        ("&platform=whatsapp", "on_whatsapp"),
        ("&platform=whatsapp,webchat", "(on_whatsapp OR on_webchat)"),
        ("&lead_status=Hot", "lead_status = 'Hot'"),
        ("&lead_status=Warm,Cold&offset=30000", "lead_status IN ('Warm', 'Cold')"),
        ("&has_email=true", "has_email"),
        ("&has_email=false&sort_by=total_messages", "NOT has_email"),
        ("&has_extraction=true&sort_order=asc", "has_extraction"),
        ("&has_extraction=false", "NOT has_extraction"),
        ("&has_extraction=true&has_email=false", "has_extraction AND NOT has_email"),
        ("&last_message_sender=user", "last_message_sender = 'user'"),
        ("&last_message_sender=agent&offset=30000", "last_message_sender = 'agent'"),
        ("&last_message_sender=agent&has_email=true", "last_message_sender = 'agent' AND has_email"),
        ("&has_conversation=true", "has_conversation"),
        ("&is_active=true&has_email=true", "has_email"),
    ],
)
def test_the_total_between_any_two_moments(
    api: ApiDatabase, leads: Connection, also: str, condition: str
) -> None:
    rng = Random(3)
    for number in range(24):
        start, end = sorted((some_time(rng, -45, 4), some_time(rng, -45, 4)))
        if number % 3:
            # Within an hour or so, or a day.
            end = start + timedelta(milliseconds=rng.randrange((2_000_000, 60_000_000)[number % 2]))
        query = f"limit=3&from_date={start:%FT%T.%f}Z&to_date={end:%FT%T.%f}Z{also}"
        row = api.fetch(list_leads(USER, QUERIES["listLeads"].read(query)).at(NOON))
        assert row.total == count_leads(leads, start, end, condition), query


def test_a_page_goes_on_among_leads_of_the_first_moment_of_an_hour(
    api: ApiDatabase, leads: Connection
) -> None:
    rows = leads.execute(
        "SELECT last_message_at, customer_phone FROM read_model.leads WHERE user_id = %s"
        ' ORDER BY last_message_at DESC, customer_phone COLLATE "C" DESC',
        (USER,),
    ).fetchall()
    equal = [(row, other) for row, other in pairwise(rows) if row[0] == other[0]]
    assert len(equal) > 5
    scope = scope_of(QUERIES["listLeads"].read("platform=webchat").page.asked, (USER,))
    for (moment, phone), (_, next_phone) in equal:
        cursor = encode(scope, [format_time(moment), phone])
        parameters = QUERIES["listLeads"].read(f"platform=webchat&limit=1&cursor={cursor}", USER)
        row = api.fetch(list_leads(USER, parameters, collect_matches=True).at(NOON))
        assert row.page[0].startswith(f'{{"customer_phone":"{next_phone}"'.encode())


def test_the_statistics_of_any_moment(api: ApiDatabase, leads: Connection) -> None:
    """The leads do not change here, so that their counts are decided by the windows alone."""
    rng = Random(3)
    ends: dict[datetime | None, tuple[int, ...]] = {}
    moments = [some_time(rng, -12, 12) for _ in range(100)]
    edges = [
        row[0] + timedelta(days=days)
        for row in leads.execute("SELECT last_message_at FROM read_model.leads LIMIT 40").fetchall()
        for days in STATISTICS_DAYS
        if row[0] is not None
    ]
    for now in sorted([*moments, *edges, *(edge + timedelta(microseconds=1) for edge in edges)]):
        row = api.fetch(lead_statistics(USER).at(now))
        statistics, until = json.loads(row.statistics), row.stands_until
        numbers = tuple(statistics[f"leads_last_{days}_days"] for days in STATISTICS_DAYS)
        assert numbers == tuple(count_leads(leads, now - timedelta(days=days)) for days in STATISTICS_DAYS)
        assert statistics["total_leads"] == statistics["by_platform"]["webchat"] == LEADS
        # Up to its end an answer may be given again, and not after it.
        assert ends.setdefault(until, numbers) == numbers
        assert until is not None
        assert now <= until
    assert len(set(ends.values())) > len(edges) / 4
