"""Messages before and after others, however equal their times and numbers are; tests/acceptance has the pages."""

from random import Random
from urllib.parse import quote

import pytest
from flask.testing import FlaskClient

from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform, rebuild_now
from tests.support.server import Database
from tests.unit.api.conftest import MakeApp

PHONE = "49151"
MESSAGES = 60


@pytest.fixture
def thread(make_database: MakeDatabase, built_template: Database, make_app: MakeApp) -> FlaskClient:
    """A lead with two conversations, of whose messages many have one time, and no number."""
    database, rng = make_database(built_template), Random(3)
    with database.connect() as conn:
        world = Platform(conn)
        agent = world.agent(world.tenant("u"), platform="webchat")
        for conversation in ("c", "é"):
            world.insert(
                "conversations",
                conversation_id=conversation,
                agent_id=agent,
                customer_phone=PHONE,
                is_active=conversation == "c",
            )
        for number in range(MESSAGES):
            world.insert(
                "messages",
                message_id=rng.choice(("m", "é", "%", "&", "'")) + str(number),
                conversation_id=rng.choice(("c", "é")),
                timestamp=rng.choice(
                    ("2026-03-01", "2026-03-01 00:00:00.0005", "2026-03-01 00:00:00.001", None)
                ),
                # A number is there once in a conversation, and the ends of their range are there too.
                sequence_no=rng.choice((None, None, number, -number))
                if number > 1
                else (2**31 - 1, -(2**31))[number],
            )
        rebuild_now(conn)
    return make_app(database).test_client()


BASE = f"/users/u/leads/{PHONE}/messages"


def ids(client: FlaskClient, query: str) -> list[str]:
    data = client.get(f"{BASE}?limit=200&{query}").get_json()["data"]
    assert data["pagination"]["total"] == len(data["messages"])
    return [message["message_id"] for message in data["messages"]]


def test_a_time_range_has_the_whole_of_its_last_millisecond_and_no_more(thread: FlaskClient) -> None:
    whole = thread.get(f"{BASE}?limit=200").get_json()["data"]["messages"]
    times = sorted({message["timestamp"] for message in whole})
    assert len(times) == 3
    for start, end in ((times[1], times[1]), (times[0], times[1]), (times[2], times[2])):
        within = [message["message_id"] for message in whole if start <= message["timestamp"] <= end]
        assert ids(thread, f"from_date={start}&to_date={end}") == within


def test_before_and_after_each_message(thread: FlaskClient) -> None:
    whole = ids(thread, "")
    for place, message_id in enumerate(whole):
        named = quote(message_id)
        assert ids(thread, f"before={named}") == whole[:place]
        assert ids(thread, f"after={named}&sort_order=desc") == whole[:place:-1]
