"""What a lead is and how it is found, by examples worked out by hand.

Random rows and requests compare the oracle with the product, which proves both. These examples are for readers; only
the last two are for the comparison itself.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.oracle import Model, compute_leads, differences, differences_of_tables, expected_tables, list_leads
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

NOW = datetime(2025, 12, 12, 20, 55, 31, 163000, tzinfo=UTC)
PHONE = "918979556941"
NO_BREAK_SPACE = "\N{NO-BREAK SPACE}"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text + "+00:00")


SOURCE = Source(
    channels=tuple(
        Channel(id=key, platform=platform)
        for key, platform in (("wa", "whatsapp"), ("ig", "instagram"), ("web", "webchat"))
    ),
    agents=tuple(
        Agent(agent_id=f"a-{channel}", user_id=user_id, phone_number_id=channel)
        for channel, user_id in (("wa", "u"), ("ig", "u"), ("web", "other"))
    ),
    templates=tuple(
        Template(template_id=f"t-{channel}", user_id="u", phone_number_id=channel) for channel in ("wa", "ig")
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
    source = SOURCE
    for kind, table in (
        (Conversation, "conversations"),
        (Message, "messages"),
        (Extraction, "extractions"),
        (Contact, "contacts"),
        (TemplateSend, "template_sends"),
        (Agent, "agents"),
    ):
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
