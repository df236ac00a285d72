"""Messages before and after others, in both directions, however equal their times and numbers are."""

from collections.abc import Iterator
from random import Random
from typing import Any
from urllib.parse import quote, urljoin

import pytest
from flask.testing import FlaskClient

from tests.conftest import MakeDatabase
from tests.exactness.platform import Platform, rebuild_now
from tests.support.cases import cases
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


def followed(client: FlaskClient, query: str) -> Iterator[dict[str, Any]]:
    """The messages of all pages, each once."""
    address = f"{BASE}?{query}"
    while address:
        answer = client.get(address)
        data = answer.get_json()["data"]
        yield from data["messages"]
        assert ("Link" in answer.headers) is data["pagination"]["hasMore"]
        address = urljoin(address, answer.headers["Link"][1:-13]) if "Link" in answer.headers else ""


def test_newest_first_is_the_exact_reverse(thread: FlaskClient) -> None:
    oldest_first = ids(thread, "")
    assert len(set(oldest_first)) == MESSAGES
    assert ids(thread, "sort_order=asc") == oldest_first
    assert ids(thread, "sort_order=desc") == oldest_first[::-1]
    assert ids(thread, "sort_order=DESC&conversation_id=c") == ids(thread, "conversation_id=c")[::-1]


def test_a_time_range_has_the_whole_of_its_last_millisecond_and_no_more(thread: FlaskClient) -> None:
    whole = list(followed(thread, "limit=200"))
    times = sorted({message["timestamp"] for message in whole})
    assert len(times) == 3
    for start, end in ((times[1], times[1]), (times[0], times[1]), (times[2], times[2])):
        within = [message["message_id"] for message in whole if start <= message["timestamp"] <= end]
        assert ids(thread, f"from_date={start}&to_date={end}") == within


@cases("query", ["", "conversation_id=c", "from_date=2026-01-01", "platform=webchat"])
@cases("order", ["asc", "desc"])
@cases("limit", [1, 7, 200])
def test_links_lead_through_all_messages(thread: FlaskClient, query: str, order: str, limit: int) -> None:
    whole = ids(thread, f"{query}&sort_order={order}")
    found = followed(thread, f"{query}&sort_order={order}&limit={limit}")
    assert [message["message_id"] for message in found] == whole


def test_before_and_after_each_message(thread: FlaskClient) -> None:
    whole = ids(thread, "")
    for place, message_id in enumerate(whole):
        named = quote(message_id)
        assert ids(thread, f"before={named}") == whole[:place]
        assert ids(thread, f"after={named}&sort_order=desc") == whole[:place:-1]


@cases(
    ("query", "name"), [("before=x", "before"), ("after=x", "after"), ("after=x&before=y&limit=1", "before")]
)
def test_a_message_that_the_lead_does_not_have_is_named(thread: FlaskClient, query: str, name: str) -> None:
    answer = thread.get(f"{BASE}?{query}")
    assert answer.status_code == 400
    assert answer.get_json()["message"] == f"{name} takes the message_id of a message of this lead"
