"""The comparison of answers with those of the oracle finds what departs.

Random rows and requests compare the oracle itself with the product, which proves both.
"""

from datetime import UTC, datetime

import pytest

from tests.oracle import Model, compute_leads, list_leads
from tests.oracle.answers import Answer, differences
from tests.oracle.leads import Agent, Conversation, Source

NOW = datetime(2025, 12, 12, 20, 55, 31, 163000, tzinfo=UTC)


@pytest.fixture
def two() -> Model:
    conversations = tuple(
        Conversation(conversation_id=f"c{phone}", agent_id="a", customer_phone=phone) for phone in "12"
    )
    return compute_leads(Source(agents=(Agent(agent_id="a", user_id="u"),), conversations=conversations))


def test_differences_tell_where_an_answer_departs(two: Model) -> None:
    expected = list_leads(two, "u", [], NOW)
    body = {**expected.body, "timestamp": "…", "correlationId": "…"}
    assert differences(expected, 200, body) == []
    assert differences(expected, 500, body) != []
    assert differences(expected, 200, expected.body) == ["timestamp or correlationId is missing"]
    changed = {**body, "pagination": {**expected.body["pagination"], "hasMore": 0}}
    assert {'-  "hasMore": false,', '+  "hasMore": 0,'} <= {*differences(expected, 200, changed)}
    assert differences(expected, 200, {**body, "more": 1}) != []
    bad = Answer(400, {"error": "Bad Request"}, frozenset({"limit"}))
    answer = {"error": "Bad Request", "message": "days: …", "timestamp": "…", "correlationId": "…"}
    assert differences(bad, 400, answer) == ["the message does not name 'limit': days: …"]
