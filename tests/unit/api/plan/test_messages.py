"""Pages of messages."""

import pytest
from flask.testing import FlaskClient

from tests.unit.api.conftest import Library


@pytest.mark.parametrize(
    "query", ["", "sender=user", "sender=agent&platform=whatsapp,instagram,webchat", "from_date=2025-01-01"]
)
def test_pages_of_messages(client: FlaskClient, library: Library, query: str) -> None:
    path = f"{library.base}/{library.phone}/messages"
    whole = client.get(f"{path}?{query}&limit=200").get_json()["data"]
    total = whole["pagination"]["total"]
    assert len(whole["messages"]) == total > 2
    for limit in (1, 2, total, 200):
        found = []
        for offset in range(0, total, limit):
            page = client.get(f"{path}?{query}&limit={limit}&offset={offset}").get_json()["data"]
            assert page["pagination"]["total"] == total
            assert page["pagination"]["hasMore"] is (offset + limit < total)
            found += page["messages"]
        assert found == whole["messages"]


def test_messages_take_up_to_200(client: FlaskClient, library: Library) -> None:
    body = client.get(f"{library.base}/{library.phone}/messages?limit=201").get_json()
    assert body["data"]["pagination"]["limit"] == 200
