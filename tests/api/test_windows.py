"""Windows of time, wherever they begin and end in an hour and a day: what is added up is what there is."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
import pytest
from psycopg.rows import TupleRow

from api.config import Config
from api.db import Database as ApiDatabase
from api.queries import STATISTICS_DAYS, lead_statistics, list_leads
from api.schemas import LIST_QUERY
from projector import rebuild
from projector.progress import QUIET
from tests.support.server import Database, Server

USER = "one"
LEADS = 1500
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)

Connection = psycopg.Connection[TupleRow]


@pytest.fixture(scope="module")
def active(server: Server, template: Database) -> Iterator[Database]:
    """A tenant with leads of the last forty days, some of them to the hour or the day, and of the next two."""
    made = server.create("windows", template=template.name)
    with made.connect() as conn:
        conn.execute("INSERT INTO users (user_id) VALUES (%s)", (USER,))
        conn.execute("INSERT INTO phone_numbers (id, user_id, platform) VALUES ('p', %s, 'webchat')", (USER,))
        conn.execute("INSERT INTO agents (agent_id, user_id, phone_number_id) VALUES ('a', %s, 'p')", (USER,))
        conn.execute(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone)"
            " SELECT n, 'a', n FROM generate_series(1, %s) AS n",
            (LEADS,),
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
        rows = [(str(n), str(n), _some_time(rng, -40, 2).replace(tzinfo=None)) for n in range(1, LEADS + 1)]
        with conn.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO messages (message_id, conversation_id, timestamp) VALUES (%s, %s, %s)", rows
            )
        rebuild.rebuild(conn, tenants=None, progress=QUIET)
    yield made
    server.drop(made)


@pytest.fixture
def api(active: Database) -> Iterator[ApiDatabase]:
    opened = ApiDatabase(Config(active.url))
    yield opened
    opened.engine.dispose()


@pytest.fixture
def leads(active: Database) -> Iterator[Connection]:
    with active.connect() as conn:
        yield conn


def _some_time(rng: Random, first: int, last: int) -> datetime:
    """A moment between two days from now, often the first or the last one of an hour or a day."""
    moment = NOON + (timedelta(days=first) + timedelta(days=last - first) * rng.random())
    moment = moment.replace(microsecond=moment.microsecond // 1000 * 1000)
    kind = rng.randrange(4)
    if kind == 0:
        return moment.replace(minute=0, second=0, microsecond=0) - rng.choice((timedelta(0), MILLISECOND))
    if kind == 1:
        return moment.replace(hour=0, minute=0, second=0, microsecond=0) - rng.choice(
            (timedelta(0), MILLISECOND)
        )
    return moment


def _count(conn: Connection, begins: datetime, ends: datetime | None = None, condition: str = "true") -> int:
    row = conn.execute(
        "SELECT count(*) FROM read_model.leads WHERE user_id = %s AND last_message_at >= %s"
        f" AND last_message_at <= coalesce(%s::timestamptz, 'infinity') AND {condition}".encode(),
        (USER, begins, ends),
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_the_statistics_of_any_moment(api: ApiDatabase, leads: Connection) -> None:
    rng = Random(2)
    for _ in range(150):
        now = _some_time(rng, -12, 12) + rng.choice((timedelta(0), timedelta(microseconds=1)))
        row = api.fetch(lead_statistics(USER, now))
        for days in STATISTICS_DAYS:
            found = getattr(row, f"leads_last_{days}_days")
            assert found == _count(leads, now - timedelta(days=days)), now
        assert row.total_leads == row.webchat == LEADS


@pytest.mark.parametrize(
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
    ],
)
def test_the_total_between_any_two_moments(
    api: ApiDatabase, leads: Connection, also: str, condition: str
) -> None:
    rng = Random(3)
    for number in range(100):
        begins, ends = sorted((_some_time(rng, -45, 4), _some_time(rng, -45, 4)))
        if number % 3:
            # Within an hour or so, or a day.
            ends = begins + timedelta(milliseconds=rng.randrange((2_000_000, 60_000_000)[number % 2]))
        query = f"limit=3&from_date={begins:%FT%T.%f}Z&to_date={ends:%FT%T.%f}Z{also}"
        row = api.fetch(list_leads(USER, LIST_QUERY.read(query), NOON))
        assert row.total == _count(leads, begins, ends, condition), query
