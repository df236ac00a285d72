"""A tenant with leads of every minute around now, and an API over it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

import psycopg
import pytest
from psycopg.rows import TupleRow

from api.config import Config
from api.database.pool import Database as ApiDatabase
from tests.exactness.platform import Platform, rebuild_now
from tests.support.server import Database, Server

USER = "one"
LEADS = 1500
NOON = datetime(2026, 3, 29, 12, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)


Connection = psycopg.Connection[TupleRow]


@pytest.fixture(scope="package")
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
