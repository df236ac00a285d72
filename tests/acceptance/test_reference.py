"""Every example of the API's reference, answered as printed for the demo's tenant."""

from datetime import UTC, date, datetime
from typing import Any

import orjson
import pytest

from api.response.openapi.document import document
from projector.report.progress import QUIET
from projector.trial import demo
from tests.acceptance.conftest import MakePlatform, Platform
from tests.support.cases import cases
from tests.support.server import Database

USER_ID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
PHONE = "918979556941"
# The moment at which the reference's examples were taken.
NOW = datetime(2025, 12, 12, 20, 55, 31, 163_000, tzinfo=UTC)

CONVERSATION = {
    "conversation_id": "b1a93252-f8c6-448f-a765-195eea996d9a",
    "agent_id": "test-agent-001",
    "agent_name": "Test AI Agent",
    "platform": "whatsapp",
    "phone_number_id": "test-phone-001",
    "message_count": 37,
    "is_active": True,
    "created_at": "2025-10-05T06:21:34.662Z",
    "last_message_at": "2025-12-12T09:07:38.656Z",
}
LEAD = {
    "customer_phone": PHONE,
    "name": "Siddhant",
    "email": "sddhantjaiii@gmail.com",
    "company": None,
    "lead_status": "Cold",
    "total_score": 7,
    "intent_score": 1,
    "urgency_score": 1,
    "budget_score": 2,
    "fit_score": 2,
    "engagement_score": 2,
    "platforms": ["whatsapp"],
    "conversation_count": 1,
    "total_messages": 37,
    "template_sends_count": 0,
    "last_message_at": "2025-12-12T09:07:38.656Z",
    "last_message_text": (
        "No problem, Siddhant. If you'd like, I can share a quick feature overview or pricing details. "
        "Which would you prefer?"
    ),
    "last_message_sender": "agent",
    "first_contact_at": "2025-10-05T06:21:34.662Z",
    "has_extraction": True,
    "extraction_id": "791a2e81-4706-4703-9532-842a2fd16e0c",
    "conversations": [CONVERSATION],
}
FIRST_MESSAGES = [
    {
        "message_id": "wamid.HBgMOTE4OTc5NTU2OTQxFQIAEhgUM0ZBMDM4RkM0QTg5NkI1ODIzRTgA",
        "conversation_id": "b1a93252-f8c6-448f-a765-195eea996d9a",
        "agent_id": "test-agent-001",
        "agent_name": "Test AI Agent",
        "platform": "whatsapp",
        "phone_number_id": "test-phone-001",
        "sender": "user",
        "text": "hi my name is siddhant",
        "timestamp": "2025-10-05T06:21:35.197Z",
        "status": "sent",
        "sequence_no": 1,
    },
    {
        "message_id": "out-1759645300741-hij9fvlyv",
        "conversation_id": "b1a93252-f8c6-448f-a765-195eea996d9a",
        "agent_id": "test-agent-001",
        "agent_name": "Test AI Agent",
        "platform": "whatsapp",
        "phone_number_id": "test-phone-001",
        "sender": "agent",
        "text": (
            "Thanks, Siddhant! How can I help you today? May I have your email to send detailed docs? "
            "Quick one — what's your budget range for this?"
        ),
        "timestamp": "2025-10-05T06:21:42.667Z",
        "status": "sent",
        "sequence_no": 2,
    },
]


@pytest.fixture
def platform(database: Database, make_platform: MakePlatform) -> Platform:
    made = make_platform(database, NOW)
    demo.load(
        made.connection,
        leads=demo.DEFAULT_LEADS // 10,
        today=date(2026, 6, 1),
        progress=QUIET,
    )
    made.rebuild()
    return made


def as_documented(lead: dict[str, Any]) -> dict[str, Any]:
    """The lead without fields that were added since: the response schema and the oracle have those."""
    return {key: value for key, value in lead.items() if key in LEAD}


def get(platform: Platform, path: str) -> dict[str, Any]:
    answer = platform.client.get(f"/users/{USER_ID}/leads{path}")
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert isinstance(body.pop("timestamp"), str)
    assert isinstance(body.pop("correlationId"), str)
    return dict(body)


def leads(platform: Platform, query: str = "") -> list[dict[str, Any]]:
    return [as_documented(lead) for lead in get(platform, query)["data"]]


def test_list(platform: Platform) -> None:
    body = get(platform, "")
    assert list(body) == ["success", "data", "pagination"]
    assert body["pagination"] == {"total": 4, "limit": 50, "offset": 0, "hasMore": False}
    assert LEAD in leads(platform)
    assert all(list(lead) == list(LEAD) for lead in leads(platform))


@cases(
    ("query", "is_found"),
    [
        ("?search=siddhant", True),
        ("?search=SIDDHANT+918979", True),
        ("?customer_phone=918979556941", True),
        ("?customer_phone=%2B91+89795+56941", True),
        ("?search=%2B91+89795+56941", True),
        ("?lead_status=Hot", False),
        ("?lead_status=cold,hot&min_total_score=7&max_total_score=7", True),
        ("?from_date=2025-12-12&to_date=2025-12-12", True),
        ("?to_date=2025-12-12T09:07:38.656Z&from_date=2025-12-12T09:07:38.656Z", True),
        ("?to_date=2025-12-12T09:07:38.655Z", False),
        ("?has_email=true&has_extraction=1&platform=whatsapp,webchat", True),
        ("?has_email=false", False),
        ("?platform=instagram", False),
    ],
)
def test_filters_of_the_list(platform: Platform, query: str, is_found: bool) -> None:  # noqa: FBT001  # A parameter.
    assert (LEAD in leads(platform, query)) is is_found
    body = get(platform, query)
    assert body["pagination"]["total"] == len(body["data"])


def test_single_lead(platform: Platform) -> None:
    body = get(platform, f"/{PHONE}")
    assert list(body) == ["success", "data"]
    assert body["success"] is True
    assert as_documented(body["data"]) == LEAD


def test_messages(platform: Platform) -> None:
    data = get(platform, f"/{PHONE}/messages?limit=5")["data"]
    assert list(data) == ["customer_phone", "lead_info", "messages", "pagination"]
    assert data["customer_phone"] == PHONE
    assert data["lead_info"] == {
        name: LEAD[name] for name in ("name", "email", "company", "lead_status", "total_score")
    }
    assert data["messages"][:2] == FIRST_MESSAGES
    assert len(data["messages"]) == 5
    assert data["pagination"] == {"total": 37, "limit": 5, "offset": 0, "hasMore": True}


def test_all_messages(platform: Platform) -> None:
    data = get(platform, f"/{PHONE}/messages")["data"]
    assert [message["sequence_no"] for message in data["messages"]] == list(range(1, 38))
    last = data["messages"][-1]
    assert (last["timestamp"], last["sender"], last["text"]) == (
        LEAD["last_message_at"],
        LEAD["last_message_sender"],
        LEAD["last_message_text"],
    )


def test_statistics(database: Database, make_platform: MakePlatform) -> None:
    """As printed on the day of loading: then the two windows hold the two recent leads of the example."""
    made = make_platform(database, datetime(2026, 6, 1, 20, 55, 44, 81_000, tzinfo=UTC))
    demo.load(
        made.connection,
        leads=10,
        messages_per_lead=2,
        today=date(2026, 6, 1),
        progress=QUIET,
    )
    made.rebuild()
    assert get(made, "/stats") == {
        "success": True,
        "data": {
            "total_leads": 4,
            "leads_with_extraction": 3,
            "hot_leads": 0,
            "warm_leads": 0,
            "cold_leads": 3,
            "by_platform": {"whatsapp": 4, "instagram": 0, "webchat": 0},
            "leads_last_7_days": 2,
            "leads_last_30_days": 2,
        },
    }
    assert as_text(get(made, "/stats")) == as_text(sample("/stats"))


def sample(path: str) -> dict[str, Any]:
    """The sample of an answer in the OpenAPI document, without its moment and its id."""
    operation = orjson.loads(document())["paths"][f"/users/{{user_id}}/leads{path}"]["get"]
    found = dict(operation["responses"]["200"]["content"]["application/json"]["example"])
    assert list(found)[-2:] == ["timestamp", "correlationId"]
    return {key: value for key, value in found.items() if key not in ("timestamp", "correlationId")}


def test_the_samples_of_the_document_are_answers(platform: Platform) -> None:
    expected = sample("")
    assert as_text(get(platform, "?limit=1")["pagination"]) == as_text(expected["pagination"])
    assert as_text(get(platform, f"?customer_phone={PHONE}")["data"]) == as_text(expected["data"])
    assert as_text(get(platform, f"/{PHONE}")) == as_text(sample("/{customer_phone}"))
    messages = get(platform, f"/{PHONE}/messages?limit=1")
    assert as_text(messages) == as_text(sample("/{customer_phone}/messages"))


def as_text(value: object) -> bytes:
    """The value with the order of its keys."""
    return orjson.dumps(value)
