"""The independent reading against expectations worked out by hand, a rule of the specification each."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import TupleRow

from tests.oracle import (
    Model,
    compute_leads,
    differences,
    differences_of_tables,
    expected_tables,
    list_leads,
    messages,
    read_model,
    single,
    stats,
)
from tests.oracle.answers import Answer
from tests.oracle.leads import (
    Agent,
    Channel,
    Contact,
    Conversation,
    Extraction,
    Message,
    Source,
    Template,
    TemplateSend,
)
from tests.oracle.parameters import OF_LIST, BadValueError, date_bound, read_parameters
from tests.oracle.source import read_source
from tests.oracle.values import canonical_phone, trim
from tests.support.edge_cases import as_written
from tests.support.server import Database

NOW = datetime(2025, 12, 12, 20, 55, 31, 163000, tzinfo=UTC)
PHONE = "918979556941"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+00:00")


def agent(key: str, user_id: str, channel: str, name: str | None) -> Agent:
    return Agent(agent_id=key, user_id=user_id, phone_number_id=channel, name=name)


def channel(key: str, platform: str | None) -> Channel:
    return Channel(id=key, platform=platform)


SOURCE = Source(
    channels=(channel("wa", "whatsapp"), channel("ig", "instagram"), channel("web", "webchat")),
    agents=(
        agent("a-wa", "u", "wa", "Test AI Agent"),
        agent("a-ig", "u", "ig", "Insta"),
        agent("a-web", "other", "web", "Web"),
    ),
    templates=(
        Template(template_id="t-wa", user_id="u", phone_number_id="wa"),
        Template(template_id="t-ig", user_id="u", phone_number_id="ig"),
    ),
)


def conversation(key: str = "c", **values: Any) -> Conversation:  # noqa: ANN401
    known = Conversation(
        conversation_id=key,
        agent_id="a-wa",
        customer_phone=PHONE,
        created_at=at("2025-10-05T06:21:34.662999"),
        is_active=True,
    )
    return replace(known, **values)


def message(key: str = "m", **values: Any) -> Message:  # noqa: ANN401
    known = Message(
        message_id=key,
        conversation_id="c",
        sender="user",
        text="hi",
        timestamp=at("2025-11-01T00:00:00"),
        status="sent",
        sequence_no=1,
    )
    return replace(known, **values)


def extraction(number: int = 1, **values: Any) -> Extraction:  # noqa: ANN401
    known = Extraction(extraction_id=f"00000000-0000-0000-0000-{number:012d}", conversation_id="c")
    return replace(known, **values)


def contact(key: str = "k", **values: Any) -> Contact:  # noqa: ANN401
    return replace(Contact(contact_id=key, user_id="u", phone=PHONE), **values)


def send(key: str = "s", **values: Any) -> TemplateSend:  # noqa: ANN401
    known = TemplateSend(
        send_id=key,
        template_id="t-wa",
        customer_phone=PHONE,
        status="SENT",
        sent_at=at("2025-09-01T10:00:00"),
        created_at=at("2025-08-01T10:00:00"),
    )
    return replace(known, **values)


def model_of(*rows: object) -> Model:
    tables: dict[type, str] = {
        Conversation: "conversations",
        Message: "messages",
        Extraction: "extractions",
        Contact: "contacts",
        TemplateSend: "template_sends",
        Channel: "channels",
        Agent: "agents",
        Template: "templates",
    }
    source = SOURCE
    for kind, table in tables.items():
        chosen = tuple(row for row in rows if isinstance(row, kind))
        source = replace(source, **{table: getattr(source, table) + chosen})
    return compute_leads(source)


def lead_of(*rows: object) -> dict[str, Any]:
    return model_of(*rows).of_tenant("u")[PHONE].document()


def phones(answer: Answer) -> list[str]:
    assert answer.status == 200, answer
    return [lead["customer_phone"] for lead in answer.body["data"]]


def listed(model: Model, **params: str) -> list[str]:
    return phones(list_leads(model, "u", list(params.items()), NOW))


def refused(*params: tuple[str, str]) -> frozenset[str]:
    answer = list_leads(model_of(), "u", params, NOW)
    assert answer.status == 400, answer
    return answer.bad


# The reference's own example.


@pytest.fixture
def example() -> Model:
    texts = {1: "hi my name is siddhant", 2: "Thanks, Siddhant!", 37: "No problem, Siddhant."}
    times = {1: "2025-10-05T06:21:35.197", 2: "2025-10-05T06:21:42.667", 37: "2025-12-12T09:07:38.656"}
    return model_of(
        channel("test-phone-001", "whatsapp"),
        agent("test-agent-001", "u", "test-phone-001", "Test AI Agent"),
        conversation(
            "b1a93252",
            agent_id="test-agent-001",
            customer_phone=f"+{PHONE}",
            last_message_at=at("2025-12-12T09:07:38"),
        ),
        *(
            message(
                f"m{number}",
                conversation_id="b1a93252",
                sender="user" if number % 2 and number < 37 else "agent",
                text=texts.get(number, "…"),
                timestamp=at(times.get(number, f"2025-11-01T00:00:{number:02d}")),
                sequence_no=number,
            )
            for number in range(37, 0, -1)
        ),
        extraction(
            791,
            conversation_id="b1a93252",
            is_latest=True,
            name="Siddhant",
            email="sddhantjaiii@gmail.com",
            total_score=7,
            intent_score=1,
            urgency_score=1,
            budget_score=2,
            fit_score=2,
            engagement_score=2,
            lead_status_tag="Cold",
        ),
    )


def test_the_example_of_the_reference(example: Model) -> None:
    lead: dict[str, Any] = {
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
        "last_message_text": "No problem, Siddhant.",
        "last_message_sender": "agent",
        "first_contact_at": "2025-10-05T06:21:34.662Z",
        "has_extraction": True,
        "extraction_id": "00000000-0000-0000-0000-000000000791",
        "conversations": [
            {
                "conversation_id": "b1a93252",
                "agent_id": "test-agent-001",
                "agent_name": "Test AI Agent",
                "platform": "whatsapp",
                "phone_number_id": "test-phone-001",
                "message_count": 37,
                "is_active": True,
                "created_at": "2025-10-05T06:21:34.662Z",
                "last_message_at": "2025-12-12T09:07:38.656Z",
            }
        ],
    }
    [printed] = list_leads(example, "u", [], NOW).body["data"]
    # The reference's example is older than the fields that were added since.
    lead |= {key: value for key, value in printed.items() if key not in lead}
    assert list_leads(example, "u", [], NOW) == Answer(
        200,
        {
            "success": True,
            "data": [lead],
            "pagination": {"total": 1, "limit": 50, "offset": 0, "hasMore": False},
        },
    )
    assert single(example, "u", PHONE) == Answer(200, {"success": True, "data": lead})
    assert messages(example, "u", PHONE, [("limit", "2")]) == Answer(
        200,
        {
            "success": True,
            "data": {
                "customer_phone": PHONE,
                "lead_info": {
                    "name": "Siddhant",
                    "email": "sddhantjaiii@gmail.com",
                    "company": None,
                    "lead_status": "Cold",
                    "total_score": 7,
                },
                "messages": [
                    {
                        "message_id": f"m{number}",
                        "conversation_id": "b1a93252",
                        "agent_id": "test-agent-001",
                        "agent_name": "Test AI Agent",
                        "platform": "whatsapp",
                        "phone_number_id": "test-phone-001",
                        "sender": sender,
                        "text": text,
                        "timestamp": timestamp,
                        "status": "sent",
                        "sequence_no": number,
                    }
                    for number, sender, text, timestamp in (
                        (1, "user", "hi my name is siddhant", "2025-10-05T06:21:35.197Z"),
                        (2, "agent", "Thanks, Siddhant!", "2025-10-05T06:21:42.667Z"),
                    )
                ],
                "pagination": {"total": 37, "limit": 2, "offset": 0, "hasMore": True},
            },
        },
    )
    assert stats(example, "u", [], NOW) == Answer(
        200,
        {
            "success": True,
            "data": {
                "total_leads": 1,
                "leads_with_extraction": 1,
                "hot_leads": 0,
                "warm_leads": 0,
                "cold_leads": 1,
                "by_platform": {"whatsapp": 1, "instagram": 0, "webchat": 0},
                "leads_last_7_days": 1,
                "leads_last_30_days": 1,
            },
        },
    )


# Who is a lead.


@pytest.mark.parametrize(
    ("spelled", "canonical"),
    [
        ("918979556941", "918979556941"),
        ("+91 89795 56941", "918979556941"),
        ("(91) 8979-55.6941", "918979556941"),
        (f"\t +918979556941{NO_BREAK_SPACE}\v", "918979556941"),
        (" 918979556941", "918979556941"),
        ("0091", "0091"),
        ("+0", "0"),
        ("1.5-2", "152"),
        ("web-abc123-def456", "web-abc123-def456"),
        (" US.1349 ", "US.1349"),
        ("++91", "++91"),
        ("91+", "91+"),
        ("( +91) 5", "( +91) 5"),
        ("+", "+"),
        ("()", "()"),
        (f"91{NO_BREAK_SPACE}5", f"91{NO_BREAK_SPACE}5"),
        ("91\t5", "91\t5"),
        ("\N{ARABIC-INDIC DIGIT SEVEN}", "\N{ARABIC-INDIC DIGIT SEVEN}"),
        ("\N{EM SPACE}91", "\N{EM SPACE}91"),
        ("", None),
        (f" \t\n\v\f\r{NO_BREAK_SPACE}", None),
        (None, None),
    ],
)
def test_canonical_phone(spelled: str | None, canonical: str | None) -> None:
    assert canonical_phone(spelled) == canonical


def test_white_space_is_that_of_the_specification() -> None:
    assert trim(f"\r\f\v\n\t {NO_BREAK_SPACE}a b{NO_BREAK_SPACE} ") == "a b"
    assert trim("\N{EM SPACE}a\x1c") == "\N{EM SPACE}a\x1c"


def test_different_spellings_are_one_lead() -> None:
    model = model_of(
        conversation("c1", customer_phone=f"+{PHONE}"),
        conversation("c2", customer_phone=" 91-8979 556941"),
        send(customer_phone=f"({PHONE[:2]}) {PHONE[2:]}"),
        contact(phone=f"+{PHONE[:2]} {PHONE[2:]}", name="Ann"),
    )
    lead = model.of_tenant("u")[PHONE]
    assert (lead.conversation_count, lead.template_sends_count, lead.name) == (2, 1, "Ann")
    assert len(model.of_tenant("u")) == 1


def test_contacts_and_uncounted_sends_make_no_lead() -> None:
    rows = [
        contact(),
        send("s1", status="PENDING"),
        send("s2", status="FAILED"),
        conversation(customer_phone=" "),
    ]
    assert model_of(*rows, send("s3", customer_phone=None)).leads == {}


def test_every_other_status_counts_as_sent() -> None:
    rows = [
        send(f"s{place}", status=status)
        for place, status in enumerate(("READ", "pending", "", None, "FAILED"))
    ]
    assert lead_of(*rows)["template_sends_count"] == 4


def test_the_tenant_is_the_agents_and_the_templates() -> None:
    model = model_of(conversation(agent_id="a-web"), send())
    assert {user_id: list(leads) for user_id, leads in model.leads.items()} == {
        "other": [PHONE],
        "u": [PHONE],
    }


def test_rows_without_their_parents_belong_to_no_lead() -> None:
    rows = [conversation(agent_id="gone"), send(template_id="gone"), message(), extraction()]
    assert model_of(*rows).leads == {}


# Lead fields.


def test_each_value_comes_from_the_extraction_or_else_from_the_contact() -> None:
    lead = lead_of(
        conversation(),
        extraction(name=" Ann ", email=f"{NO_BREAK_SPACE}\t", company=None),
        contact(name="Bob", email=" bob@example.org\n", company=" \v"),
    )
    assert (lead["name"], lead["email"], lead["company"]) == ("Ann", "bob@example.org", None)


def test_only_the_winning_extraction_counts() -> None:
    lead = lead_of(
        conversation(),
        extraction(1, is_latest=False, name="Old", lead_status_tag="Hot"),
        extraction(2, is_latest=True, extracted_at=at("2020-01-01T00:00:00")),
        contact(name="Bob"),
    )
    assert (lead["name"], lead["lead_status"], lead["has_extraction"]) == ("Bob", None, True)
    assert lead["extraction_id"] == "00000000-0000-0000-0000-000000000002"


@pytest.mark.parametrize("step", [1, -1], ids=["in order", "in reverse"])
@pytest.mark.parametrize(
    ("loser", "winner"),
    [
        (
            {"is_latest": None, "extracted_at": at("2025-01-01T00:00:00")},
            {"is_latest": True, "extracted_at": None},
        ),
        (
            {"is_latest": None, "extracted_at": None},
            {"is_latest": False, "extracted_at": at("1960-01-01T00:00:00")},
        ),
        (
            {"extracted_at": at("2025-01-01T00:00:00.000001")},
            {"extracted_at": at("2025-01-01T00:00:00.000002")},
        ),
        ({"extraction_id": "9f"}, {"extraction_id": "a0"}),
    ],
)
def test_the_winning_extraction(loser: dict[str, Any], winner: dict[str, Any], step: int) -> None:
    both = [
        extraction(**{"extraction_id": "1", **loser, "name": "loser"}),
        extraction(**{"extraction_id": "0", **winner, "name": "winner", "conversation_id": "c2"}),
    ]
    assert lead_of(conversation("c"), conversation("c2"), *both[::step])["name"] == "winner"


@pytest.mark.parametrize("step", [1, -1], ids=["in order", "in reverse"])
@pytest.mark.parametrize(
    ("loser", "winner"),
    [
        ({"updated_at": None}, {"updated_at": at("1960-01-01T00:00:00")}),
        ({"updated_at": at("2025-01-01T00:00:00.000001")}, {"updated_at": at("2025-01-01T00:00:00.000002")}),
        ({"contact_id": "Z"}, {"contact_id": "a"}),
        ({"contact_id": "z"}, {"contact_id": "é"}),
    ],
)
def test_the_winning_contact(loser: dict[str, Any], winner: dict[str, Any], step: int) -> None:
    both = [
        contact(**{"contact_id": "1", **loser}, name="loser"),
        contact(**{"contact_id": "0", **winner}, name="winner"),
    ]
    foreign = contact("zz", user_id="other", updated_at=at("2030-01-01T00:00:00"), name="foreign")
    assert lead_of(conversation(), foreign, *both[::step])["name"] == "winner"


def test_the_values_of_contacts_that_lose_are_not_taken() -> None:
    newest = contact("k1", updated_at=at("2025-01-01T00:00:00"), name="New")
    assert lead_of(conversation(), newest, contact("k2", email="old@example.org"))["email"] is None


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ("Hot", "Hot"),
        (" hot ", "Hot"),
        ("WARM", "Warm"),
        (f"{NO_BREAK_SPACE}cOLD\t", "Cold"),
        ("lukewarm", None),
        ("Hot!", None),
        ("", None),
        (None, None),
    ],
)
def test_lead_status(tag: str | None, status: str | None) -> None:
    scores = dict.fromkeys(
        ("intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score", "total_score"), 3
    )
    assert lead_of(conversation(), extraction(lead_status_tag=tag, **scores))["lead_status"] == status


def test_total_score_is_stored_or_the_sum_of_five() -> None:
    five = {"intent_score": 1, "urgency_score": 1, "budget_score": 2, "fit_score": 2, "engagement_score": 2}

    def total(**scores: int | None) -> int | None:
        row: dict[str, Any] = {**five, **scores}
        score: int | None = lead_of(conversation(), extraction(**row))["total_score"]
        return score

    assert total(total_score=7) == 7
    assert total() == 8
    assert total(fit_score=None) is None
    assert lead_of(conversation(), extraction())["total_score"] is None


def test_platforms_are_listed_once_each_in_the_fixed_order() -> None:
    web = agent("a2", "u", "web", None)
    lead = lead_of(
        web,
        conversation("c1", agent_id="a2"),
        conversation("c2", agent_id="a-wa"),
        conversation("c3", agent_id="a-wa"),
        send("s1", template_id="t-ig"),
    )
    assert lead["platforms"] == ["whatsapp", "instagram", "webchat"]
    assert lead_of(conversation(), send("s1", template_id="t-ig", status="FAILED"))["platforms"] == [
        "whatsapp"
    ]


def test_platforms_hold_known_ones_only_but_conversations_print_the_column() -> None:
    lead = lead_of(
        channel("tg", "telegram"),
        channel("null", None),
        agent("a1", "u", "tg", " as stored "),
        agent("a2", "u", "null", None),
        agent("a3", "u", "gone", None),
        conversation("c1", agent_id="a1"),
        conversation("c2", agent_id="a2"),
        conversation("c3", agent_id="a3"),
    )
    assert lead["platforms"] == []
    assert [row["platform"] for row in lead["conversations"]] == ["telegram", None, None]
    assert [row["phone_number_id"] for row in lead["conversations"]] == ["tg", "null", "gone"]
    assert [row["agent_name"] for row in lead["conversations"]] == [" as stored ", None, None]


def test_the_last_message_of_a_conversation_is_its_newest_or_else_the_column() -> None:
    noted = at("2030-01-01T00:00:00.001999")
    lead = lead_of(
        conversation("c", last_message_at=noted),
        message("m1", timestamp=at("2025-11-02T00:00:00.123999")),
        message("m2", timestamp=at("2025-11-01T00:00:00"), sequence_no=2),
    )
    assert (
        lead["last_message_at"] == lead["conversations"][0]["last_message_at"] == "2025-11-02T00:00:00.123Z"
    )
    lead = lead_of(conversation("c", last_message_at=noted))
    assert (
        lead["last_message_at"] == lead["conversations"][0]["last_message_at"] == "2030-01-01T00:00:00.001Z"
    )
    assert (lead["last_message_text"], lead["last_message_sender"]) == (None, None)


def test_last_message_at_of_conversations_comes_before_template_sends() -> None:
    lead = lead_of(conversation(), send(sent_at=at("2025-12-01T00:00:00")))
    assert lead["last_message_at"] is None
    assert lead["first_contact_at"] == "2025-10-05T06:21:34.662Z"


def test_a_lead_of_template_sends_only() -> None:
    lead = lead_of(
        send("s1", sent_at=None, created_at=at("2025-09-02T10:00:00.5009")),
        send("s2", sent_at=at("2025-09-01T10:00:00")),
        send("s3", sent_at=at("2025-09-09T10:00:00"), status="FAILED"),
    )
    assert lead["last_message_at"] == "2025-09-02T10:00:00.500Z"
    assert lead["first_contact_at"] == "2025-09-01T10:00:00.000Z"
    assert (lead["last_message_text"], lead["last_message_sender"]) == (None, None)
    assert (lead["conversation_count"], lead["total_messages"], lead["template_sends_count"]) == (0, 0, 2)
    assert lead["conversations"] == []


def test_first_contact_is_the_earliest_of_all_three() -> None:
    rows = [conversation(), message(), send(sent_at=at("2025-12-01T00:00:00"))]
    assert lead_of(*rows)["first_contact_at"] == "2025-10-05T06:21:34.662Z"
    assert lead_of(*rows, send("s2"))["first_contact_at"] == "2025-09-01T10:00:00.000Z"
    late = message("m2", timestamp=at("2024-01-01T00:00:00"), sequence_no=2)
    assert lead_of(*rows, late)["first_contact_at"] == "2024-01-01T00:00:00.000Z"


def test_no_time_counts_as_1970() -> None:
    lead = lead_of(conversation(created_at=None), message(timestamp=None))
    assert lead["conversations"][0]["created_at"] == "1970-01-01T00:00:00.000Z"
    assert lead["last_message_at"] == "1970-01-01T00:00:00.000Z"
    assert lead_of(send(sent_at=None, created_at=None))["last_message_at"] == "1970-01-01T00:00:00.000Z"


def test_times_are_cut_not_rounded() -> None:
    assert lead_of(conversation(created_at=at("1969-12-31T23:59:59.999999")))["first_contact_at"] == (
        "1969-12-31T23:59:59.999Z"
    )
    assert lead_of(conversation(created_at=at("0001-01-01T00:00:00.000999")))["first_contact_at"] == (
        "0001-01-01T00:00:00.000Z"
    )


def test_the_order_of_conversations() -> None:
    ties = [at("2025-11-01T00:00:00.000999"), at("2025-11-01T00:00:00.000001")]
    rows = [
        conversation("b", last_message_at=ties[0]),
        conversation("a", last_message_at=ties[1]),
        conversation("B", last_message_at=ties[1], is_active=None),
        conversation("n2", last_message_at=None),
        conversation("n1", last_message_at=None),
        conversation("z", last_message_at=at("2025-11-02T00:00:00")),
    ]
    ordered = lead_of(*rows)["conversations"]
    assert [row["conversation_id"] for row in ordered] == ["z", "B", "a", "b", "n1", "n2"]
    assert [row["is_active"] for row in ordered] == [True, False, True, True, True, True]


# Messages.


def test_the_order_of_messages() -> None:
    one, other = at("2025-11-01T00:00:00.000999"), at("2025-11-01T00:00:00")
    rows = [
        conversation("c"),
        conversation("B"),
        message("late", timestamp=at("2025-11-01T00:00:00.001"), sequence_no=0),
        message("c2", timestamp=other, sequence_no=2),
        message("c1", timestamp=one, sequence_no=1),
        message("none-b", timestamp=one, sequence_no=None),
        message("none-a", timestamp=other, sequence_no=None),
        message("B9", conversation_id="B", timestamp=one, sequence_no=9),
        message("null", timestamp=None, sequence_no=9),
    ]
    lead = model_of(*rows).of_tenant("u")[PHONE]
    assert [row.message_id for row in lead.messages] == ["null", "B9", "c1", "c2", "none-a", "none-b", "late"]


def test_the_last_message_is_the_last_in_the_order() -> None:
    same = at("2025-11-01T00:00:00")
    rows = [
        conversation("a"),
        conversation("b"),
        message("m1", conversation_id="a", timestamp=same, sequence_no=9, text="first"),
        message("m2", conversation_id="b", timestamp=same, sequence_no=1, text=None, sender="agent"),
    ]
    lead = lead_of(*rows)
    assert (lead["last_message_text"], lead["last_message_sender"]) == (None, "agent")


def test_message_status_and_nulls() -> None:
    statuses = ["sent", "pending", "failed", "delivered", "read", "FAILED", None]
    rows = [message(f"m{place}", status=status, sequence_no=place) for place, status in enumerate(statuses)]
    answer = messages(model_of(conversation(), *rows, message("mx", text=None, sender=None)), "u", PHONE, [])
    printed = [row["status"] for row in answer.body["data"]["messages"] if row["message_id"] != "mx"]
    assert printed == ["sent", "pending", "failed", "sent", "sent", "sent", "sent"]
    [odd] = [row for row in answer.body["data"]["messages"] if row["message_id"] == "mx"]
    assert (odd["text"], odd["sender"]) == (None, None)


def test_messages_of_leads_without_any_and_of_nobody() -> None:
    model = model_of(send())
    assert messages(model, "u", PHONE, []).body["data"]["messages"] == []
    assert messages(model, "u", "1", []) == Answer(404, {"error": "Not Found", "message": "Lead not found"})
    assert messages(model, "other", PHONE, []).status == single(model, "other", PHONE).status == 404
    assert messages(model, "u", "1", [("limit", "0")]).status == 400
    assert single(model, "u", " ").status == 404


def test_filters_of_messages() -> None:
    model = model_of(
        conversation("c"),
        conversation("i", agent_id="a-ig"),
        message("m1", timestamp=at("2025-11-01T23:59:59.999999"), sender="agent"),
        message("m2", timestamp=at("2025-11-02T00:00:00"), sequence_no=2, sender="User"),
        message("m3", conversation_id="i", timestamp=at("2025-11-03T00:00:00")),
    )

    def found(**params: str) -> list[str]:
        data = messages(model, "u", f"+{PHONE}", list(params.items())).body["data"]
        assert data["pagination"]["total"] == len(data["messages"])
        return [row["message_id"] for row in data["messages"]]

    assert found() == ["m1", "m2", "m3"]
    assert found(platform="Instagram,webchat") == ["m3"]
    assert found(sender="AGENT") == ["m1"]
    assert found(sender="user") == ["m3"]
    assert found(conversation_id=" i ") == ["m3"]
    assert found(conversation_id="elsewhere") == []
    assert found(to_date="2025-11-01") == ["m1"]
    assert found(to_date="2025-11-01T23:59:59.999") == ["m1"]
    assert found(from_date="2025-11-02", to_date="2025-11-02T00:00") == ["m2"]
    assert messages(model, "u", PHONE, [("sender", "user,agent")]).bad == {"sender"}
    assert messages(model, "u", PHONE, [("search", "x"), ("days", "7")]).bad == {"search", "days"}


def test_pages_of_messages() -> None:
    model = model_of(conversation(), *(message(f"m{n:03d}", sequence_no=n) for n in range(201)))
    data = messages(model, "u", PHONE, [("limit", "500")]).body["data"]
    assert data["pagination"] == {"total": 201, "limit": 200, "offset": 0, "hasMore": True}
    assert len(data["messages"]) == 200
    data = messages(model, "u", PHONE, [("limit", "500"), ("offset", "200")]).body["data"]
    assert data["pagination"] == {"total": 201, "limit": 200, "offset": 200, "hasMore": False}
    assert [row["message_id"] for row in data["messages"]] == ["m200"]


# Filters of the list.


@pytest.fixture
def three() -> Model:
    return model_of(
        conversation("c1", customer_phone="1", last_message_at=at("2025-12-05T20:55:31.163")),
        extraction(
            1, conversation_id="c1", is_latest=True, name="Ann_Lee", total_score=10, lead_status_tag="hot"
        ),
        conversation(
            "c2", customer_phone="2", agent_id="a-ig", last_message_at=at("2025-12-05T20:55:31.162999")
        ),
        conversation("c2w", customer_phone="2"),
        extraction(2, conversation_id="c2", email="Ann@example.org", lead_status_tag="odd"),
        conversation("c3", customer_phone="3"),
        contact(phone="3", name="100% O'Brien", company=f"Big{NO_BREAK_SPACE}Co"),
    )


def test_filters(three: Model) -> None:
    assert listed(three, sort_order="asc") == ["2", "1", "3"]
    assert listed(three, platform="instagram") == ["2"]
    assert listed(three, platform=" ,WhatsApp , instagram,") == ["1", "2", "3"]
    assert listed(three, lead_status="HOT,cold") == ["1"]
    assert listed(three, has_extraction="TRUE") == ["1", "2"]
    assert listed(three, has_extraction="0") == ["3"]
    assert listed(three, has_email="1") == ["2"]
    assert listed(three, has_email="False") == ["1", "3"]
    assert listed(three, min_total_score="10", max_total_score="10") == ["1"]
    assert listed(three, max_total_score="9") == []
    assert listed(three, min_total_score="5") == ["1"]
    assert listed(three, customer_phone=" +1") == ["1"]
    assert listed(three, customer_phone="(1)", has_email="true") == []
    assert listed(three, customer_phone="nobody") == []


def test_repeated_lists_add_up_and_platform_does_not_trim_conversations(three: Model) -> None:
    answer = list_leads(three, "u", [("platform", "webchat"), ("platform", "instagram")], NOW)
    assert phones(answer) == ["2"]
    assert len(answer.body["data"][0]["conversations"]) == 2


def test_windows_and_bounds(three: Model) -> None:
    # Seven times 24 hours before NOW, to the millisecond; and a millisecond earlier.
    assert listed(three, days="7") == ["1"]
    assert listed(three, days="8") == ["1", "2"]
    assert phones(list_leads(three, "u", [("days", "7")], NOW + timedelta(microseconds=1))) == []
    assert listed(three, from_date="2025-12-05T20:55:31.163") == ["1"]
    assert listed(three, from_date="2025-12-05T20:55:31.1639999") == ["1"]
    assert listed(three, to_date="2025-12-05 20:55:31.162Z") == ["2"]
    assert listed(three, from_date="2025-12-05", to_date="2025-12-05") == ["1", "2"]
    assert listed(three, to_date="2025-12-04") == []
    assert listed(three, from_date="0001-01-01") == ["1", "2"]
    assert listed(three, from_date="2025-12-06T02:25:31.163+05:30") == ["1"]
    assert listed(three, from_date="2025-12-06T02:25:31.163 05:30") == ["1"]
    assert listed(three, to_date="2025-12-05T12:55:31.162-08:00") == ["2"]


def test_search(three: Model) -> None:
    assert listed(three, search="ANN") == ["1", "2"]
    assert listed(three, search="ann_") == ["1"]
    assert listed(three, search="100%") == ["3"]
    assert listed(three, search="%") == ["3"]
    assert listed(three, search="\\") == []
    assert listed(three, search=f"co{NO_BREAK_SPACE}\t3 BIG") == ["3"]
    assert listed(three, search="ann brien") == []
    assert listed(three, search="bríen") == []
    assert listed(three, search="bríen", ignore_accents="true") == ["3"]
    assert listed(three, search="\N{COMBINING ACUTE ACCENT}", ignore_accents="true") == []
    assert listed(three, search=" \t ") == ["1", "2", "3"]


def test_search_for_a_phone() -> None:
    model = model_of(
        conversation("c1"),
        conversation("c2", customer_phone="555"),
        contact(phone="555", name="+91 89795 club"),
        conversation("c3", customer_phone="web-91"),
    )
    assert listed(model, search="+91 89795 56941") == [PHONE]
    assert listed(model, search=" 91 89795") == [PHONE, "555"]
    assert listed(model, search="+9-1") == ["web-91", PHONE]
    assert listed(model, search="+9x") == []


@pytest.mark.parametrize(
    ("sort_by", "valued", "valueless"),
    [
        ("last_message_at", ["1", "2", "10"], ["3", "4"]),
        ("first_contact_at", ["4", "3", "1", "10", "2"], []),
        ("total_messages", ["1", "10", "3", "4", "2"], []),
        ("total_score", ["10", "1", "3"], ["2", "4"]),
        ("name", ["3", "1", "10", "2"], ["4"]),
    ],
)
def test_sorting(sort_by: str, valued: list[str], valueless: list[str]) -> None:
    begun = {"1": "2025-01-03", "10": "2025-01-03", "2": "2025-01-04", "3": "2025-01-02", "4": "2025-01-01"}
    noted = {"1": at("2025-06-01T00:00:00"), "10": at("2025-07-01T00:00:00")}
    model = model_of(
        *(
            conversation(
                phone,
                customer_phone=phone,
                created_at=at(f"{day}T00:00:00"),
                last_message_at=noted.get(phone),
            )
            for phone, day in begun.items()
        ),
        message("m", conversation_id="2", timestamp=at("2025-06-15T00:00:00")),
        extraction(1, conversation_id="1", name="b", total_score=9),
        extraction(2, conversation_id="10", name="B", total_score=5),
        extraction(3, conversation_id="3", name="A", total_score=9),
        extraction(4, conversation_id="2", name="é"),
    )
    assert listed(model, sort_by=sort_by.upper(), sort_order="Asc") == valued + valueless
    assert listed(model, sort_by=sort_by) == valued[::-1] + valueless[::-1]


def test_pages_put_together_are_the_whole() -> None:
    model = model_of(*(conversation(f"c{n}", customer_phone=f"{n}") for n in range(120)))
    whole = [f"{n}" for n in sorted(range(120), key=str, reverse=True)]
    assert listed(model) == whole[:50]
    pages = [listed(model, limit="7", offset=str(offset)) for offset in range(0, 120, 7)]
    assert [phone for page in pages for phone in page] == whole
    pagination = list_leads(model, "u", [("limit", "500"), ("offset", "20")], NOW).body["pagination"]
    assert pagination == {"total": 120, "limit": 100, "offset": 20, "hasMore": False}
    pagination = list_leads(model, "u", [("offset", "2147483647")], NOW).body["pagination"]
    assert pagination == {"total": 120, "limit": 50, "offset": 2147483647, "hasMore": False}
    pagination = list_leads(model, "u", [("limit", "100"), ("offset", "19")], NOW).body["pagination"]
    assert pagination["hasMore"] is True


# Statistics.


def test_statistics_equal_the_totals_of_lists(three: Model) -> None:
    numbers = stats(three, "u", [], NOW).body["data"]

    def total(**params: str) -> int:
        value = list_leads(three, "u", list(params.items()), NOW).body["pagination"]["total"]
        assert isinstance(value, int)
        return value

    assert numbers == {
        "total_leads": total(),
        "leads_with_extraction": total(has_extraction="true"),
        "hot_leads": total(lead_status="Hot"),
        "warm_leads": total(lead_status="Warm"),
        "cold_leads": total(lead_status="Cold"),
        "by_platform": {name: total(platform=name) for name in ("whatsapp", "instagram", "webchat")},
        "leads_last_7_days": total(days="7"),
        "leads_last_30_days": total(days="30"),
    }
    assert numbers["by_platform"] == {"whatsapp": 3, "instagram": 1, "webchat": 0}


def test_an_unknown_tenant_has_zeros() -> None:
    numbers = stats(model_of(), "nobody", [], NOW).body["data"]
    assert set(numbers.pop("by_platform").values()) | set(numbers.values()) == {0}
    assert phones(list_leads(model_of(), "nobody", [], NOW)) == []


# Parameters.


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2025-01-01T10:00", "2025-01-01T10:00:00"),
        ("2025-01-01 10:00:30", "2025-01-01T10:00:30"),
        ("2025-01-01T10:00:30.5", "2025-01-01T10:00:30.5"),
        ("2025-01-01T10:00:30.1239", "2025-01-01T10:00:30.123"),
        ("2025-01-01T10:00Z", "2025-01-01T10:00:00"),
        ("2025-01-01T00:30+01:00", "2024-12-31T23:30:00"),
        ("2025-01-01T00:30 01:00", "2024-12-31T23:30:00"),
        ("2025-01-01 00:30 01:00", "2024-12-31T23:30:00"),
        ("2025-01-01T23:30-01:00", "2025-01-02T00:30:00"),
        ("2024-02-29T00:00", "2024-02-29T00:00:00"),
    ],
)
def test_times(value: str, expected: str) -> None:
    milliseconds = (at(expected) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    bound = date_bound(value)
    assert (bound.first, bound.last) == (milliseconds, milliseconds)


def test_a_bare_date_is_a_whole_day() -> None:
    bound = date_bound("1970-01-02")
    assert (bound.first, bound.last) == (86_400_000, 2 * 86_400_000 - 1)


@pytest.mark.parametrize(
    "value",
    [
        "1735689600",
        "20250101",
        "2025-1-1",
        "2025-02-29",
        "2025-13-01",
        "0000-01-01",
        "2025-01-01T24:00",
        "2025-01-01T10",
        "2025-01-01T10:00:60",
        "2025-01-01T10:00:00.",
        "2025-01-01t10:00",
        "2025-01-01T10:00z",
        "2025-01-01  10:00",
        "2025-01-01Z",
        "2025-01-01T10:00+0100",
        "2025-01-01T10:00+24:00",
        "2025-01-01T10:00.5",
        "yesterday",
    ],
)
def test_no_times(value: str) -> None:
    with pytest.raises(BadValueError):
        date_bound(value)


def test_bad_values_are_all_named() -> None:
    assert refused(("limit", "0"), ("offset", "-1"), ("days", "0"), ("name", "x")) == {
        "limit",
        "offset",
        "days",
        "name",
    }
    assert refused(("platform", ","), ("lead_status", " , ")) == {"platform", "lead_status"}
    assert refused(("platform", "whatsapp,telegram"), ("lead_status", "Lukewarm")) == {
        "platform",
        "lead_status",
    }
    assert refused(("has_email", "yes"), ("has_extraction", "2")) == {"has_email", "has_extraction"}
    assert refused(("min_total_score", "4"), ("max_total_score", "16")) == {
        "min_total_score",
        "max_total_score",
    }
    assert refused(("min_total_score", "10"), ("max_total_score", "9")) == {
        "min_total_score",
        "max_total_score",
    }
    assert refused(("from_date", "2025-01-02"), ("to_date", "2025-01-01")) == {"from_date", "to_date"}
    assert refused(("days", "36501"), ("offset", "2147483648")) == {"days", "offset"}
    assert refused(("limit", "1.5"), ("days", "+7"), ("offset", "\N{ARABIC-INDIC DIGIT SEVEN}")) == {
        "limit",
        "days",
        "offset",
    }
    assert refused(("sort_by", "phone"), ("sort_order", "up"), ("search", "x" * 201)) == {
        "sort_by",
        "sort_order",
        "search",
    }
    assert refused(("limit", "10"), ("limit", "20")) == {"limit"}
    assert refused(("Limit", "10")) == {"Limit"}
    assert refused(("search", "a\0b")) == {"search"}
    assert refused(("customer_phone", "\udcff")) == {"customer_phone"}


def test_what_is_not_a_bad_value() -> None:
    pairs = [
        ("_", "1"),
        ("utm_source", "x"),
        ("gclid", ""),
        ("fbclid", "x"),
        ("days", ""),
        ("search", f" {NO_BREAK_SPACE}"),
        ("limit", " 10 "),
        ("limit", "10"),
        ("offset", "-0"),
        ("platform", "whatsapp,,"),
        ("search", "x" * 200 + " "),
        ("from_date", "2025-01-01T23:59:59.999"),
        ("to_date", "2025-01-01"),
        ("max_total_score", "015"),
        ("min_total_score", "15"),
    ]
    read = read_parameters(OF_LIST, pairs)
    assert not read.refused
    assert read.values["limit"] == 10
    assert read.values["offset"] == 0
    assert "days" not in read.values
    assert read_parameters(OF_LIST, [("limit", "9" * 5000)]).values["limit"] == 100


def test_broken_characters_anywhere_are_refused() -> None:
    model = model_of(send())
    assert list_leads(model, "u", [("utm_source", "\0")], NOW).status == 400
    assert list_leads(model, "u\0", [], NOW).status == 400
    assert single(model, "u", f"{PHONE}\0").status == 400
    assert messages(model, "u", "\udcff", []).status == 400
    assert stats(model, "\udcff", [], NOW).status == 400


def test_endpoints_without_parameters_refuse_any() -> None:
    model = model_of(send())
    assert stats(model, "u", [("platform", "whatsapp")], NOW).bad == {"platform"}
    assert single(model, "u", PHONE, [("limit", "1")]).bad == {"limit"}
    assert single(model, "u", PHONE, [("_", "1")]).status == 200


# Comparing answers.


def test_differences_tell_where_an_answer_departs(three: Model) -> None:
    expected = list_leads(three, "u", [], NOW)
    body = {**expected.body, "timestamp": "…", "correlationId": "…"}
    assert differences(expected, 200, body) == []
    assert differences(expected, 500, body) != []
    assert differences(expected, 200, expected.body) == ["timestamp or correlationId is missing"]
    changed = {**body, "pagination": {**expected.body["pagination"], "hasMore": 0}}
    assert differences(expected, 200, changed) == [".pagination.hasMore: expected False, found 0"]
    assert differences(expected, 200, {**body, "more": 1}) != []
    bad = Answer(400, {"error": "Bad Request"}, frozenset({"limit"}))
    answer = {"error": "Bad Request", "message": "days: …", "timestamp": "…", "correlationId": "…"}
    assert differences(bad, 400, answer) == ["the message does not name 'limit': days: …"]


# Comparing tables.


def test_the_tables_of_a_model(three: Model) -> None:
    tables = expected_tables(three)
    assert {table: len(rows) for table, rows in tables.items()} == {
        "leads": 3,
        "lead_profiles": 3,
        "lead_conversations": 4,
        "lead_messages": 0,
        "lead_counts": 3,
        "lead_daily_counts": 2,
        "lead_totals": 5,
    }
    assert tables["lead_profiles"]["u", "3"]["search_text"] == f"100% o'brien\nbig{NO_BREAK_SPACE}co\n3"
    assert tables["lead_profiles"]["u", "3"]["search_plain"] is None
    assert sum(row["leads"] for row in tables["lead_counts"].values()) == 3


def test_differences_of_tables_tell_row_and_field(three: Model) -> None:
    expected, found = expected_tables(three), expected_tables(three)
    assert differences_of_tables(expected, found) == []
    found["leads"]["u", "1"]["total_messages"] = 1
    del found["lead_profiles"]["u", "2"]
    found["lead_messages"]["u", "m"] = {"text": "odd"}
    assert [text.split(":")[0] for text in differences_of_tables(expected, found)] == [
        "leads ('u', '1') total_messages",
        "lead_profiles ('u', '2')",
        "lead_messages ('u', 'm')",
    ]


# Reading a database.


@pytest.fixture(params=["timestamp", "timestamptz"])
def source(
    request: pytest.FixtureRequest, source_database: Database
) -> Iterator[psycopg.Connection[TupleRow]]:
    with source_database.connect() as connection:
        if request.param == "timestamptz":
            columns = connection.execute(
                "SELECT table_name, column_name FROM information_schema.columns"
                " WHERE table_schema = 'public' AND data_type = 'timestamp without time zone'"
            ).fetchall()
            for table, column in columns:
                connection.execute(
                    sql.SQL("ALTER TABLE {} ALTER {} TYPE timestamptz").format(
                        sql.Identifier(table), sql.Identifier(column)
                    )
                )
        yield connection


def test_times_are_read_alike_whatever_the_column_and_the_session(
    source: psycopg.Connection[TupleRow],
) -> None:
    source.execute("SET TimeZone = 'Asia/Kolkata'")
    source.execute("SET DateStyle = 'SQL, DMY'")
    source.execute("INSERT INTO users (user_id) VALUES ('u')")
    source.execute("INSERT INTO phone_numbers (id, user_id, platform) VALUES ('wa', 'u', 'whatsapp')")
    source.execute("INSERT INTO agents (agent_id, user_id, phone_number_id) VALUES ('a', 'u', 'wa')")
    moments = [
        at("2025-10-05T06:21:34.662999"),
        at("0001-01-01T00:00:00.000001"),
        at("9999-12-31T23:59:59.999999"),
    ]
    for moment in moments:
        source.execute(
            "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
            " VALUES (%s, 'a', %s, %s)",
            (str(moment.year), str(moment.year), as_written(moment)),
        )
    source.execute(
        "INSERT INTO extractions (extraction_id, conversation_id)"
        " VALUES ('791A2E81-4706-4703-9532-842A2FD16E0C', '2025')"
    )
    read = read_source(source)
    assert sorted(row.created_at for row in read.conversations if row.created_at) == sorted(moments)
    [lead] = [lead for lead in read_model(source).all_leads() if lead.customer_phone == "2025"]
    assert lead.extraction_id == "791a2e81-4706-4703-9532-842a2fd16e0c"


def test_the_database_says_what_lower_is(source_database: Database) -> None:
    with source_database.connect() as connection:
        lower = read_model(connection).lower
        [expected] = connection.execute("SELECT lower('ÉΣİ')").fetchone() or ("",)
        assert lower("ÉΣİ") == expected
        assert lower("ABC") == "abc"
