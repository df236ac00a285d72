"""The tenant of the API reference, with the lead that its examples print and three more leads.

The rows of the printed lead have the printed times, so the API's answers about it never change. Its messages are in
`texts/reference.json`. The statistics example counts four leads. Of its numbers these stay true:

- always: `total_leads` 4, `leads_with_extraction` 3, `hot_leads` 0, `warm_leads` 0, `cold_leads` 3, and
  `by_platform` whatsapp 4, instagram 0, webchat 0;
- for some days only: `leads_last_7_days` 2 (on the day of loading and the three days after it) and
  `leads_last_30_days` 2 (that day and the 26 days after it), since both count back from now while the rows stay
  where they are.

The two recent leads cannot include the printed one, whose last message is of 2025-12-12; so the list, which puts
the newest first, prints it third as long as nothing new comes in. Loaded for a day within a month after that date,
it would be a third recent lead.
"""

from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import TypedDict

from projector.trial.demo.clock import DAY, HOUR, SECOND, instant, timestamp
from projector.trial.demo.identifiers import incoming_message_ids, outgoing_message_id
from projector.trial.demo.source_rows import SourceRows
from projector.trial.demo.texts import load_texts

USER_ID = "789895c8-4bd6-43e9-bfea-a4171ec47197"
CUSTOMER_PHONE = "918979556941"
LEADS = 4

_CONVERSATION_ID = "b1a93252-f8c6-448f-a765-195eea996d9a"
_AGENT_ID = "test-agent-001"
_PHONE_NUMBER_ID = "test-phone-001"
_TEMPLATE_ID = "test-template-001"
_CREATED_AT = "2025-10-05T06:21:34.662Z"
_PRINTED_IDS = {
    (_CONVERSATION_ID, 1): "wamid.HBgMOTE4OTc5NTU2OTQxFQIAEhgUM0ZBMDM4RkM0QTg5NkI1ODIzRTgA",
    (_CONVERSATION_ID, 2): "out-1759645300741-hij9fvlyv",
}


class _ReferenceTexts(TypedDict):
    printed: list[
        tuple[str, str, str]
    ]  # Time, sender, text; the reference prints the first two and the last.
    recent: list[tuple[str, str]]  # Sender, text.
    old: list[tuple[str, str]]


_TEXTS: _ReferenceTexts = load_texts("reference")


def add_reference_tenant(rows: SourceRows, now: int) -> None:
    """Add the reference's tenant; what is recent in it is so relative to a time."""
    rng = Random(CUSTOMER_PHONE)  # noqa: S311  # Nothing here is secret.
    since = timestamp(_at("2025-10-01T00:00:00.000Z"))
    rows.add("users", USER_ID, "owner@test-tenant.example", "Test Tenant", since, since)
    rows.add("phone_numbers", _PHONE_NUMBER_ID, USER_ID, "whatsapp", "104857600123456", "Test number")
    rows.add("agents", _AGENT_ID, USER_ID, _PHONE_NUMBER_ID, "Test AI Agent")
    rows.add("templates", _TEMPLATE_ID, USER_ID, _PHONE_NUMBER_ID, "product_intro")

    printed = [(_at(at), sender, text) for at, sender, text in _TEXTS["printed"]]
    printed_lead = _Conversation(_CONVERSATION_ID, CUSTOMER_PHONE, _at(_CREATED_AT), printed)
    printed_lead.add_to(rows, rng)
    printed_lead.add_extraction(
        rows,
        "791a2e81-4706-4703-9532-842a2fd16e0c",
        found=("Siddhant", "sddhantjaiii@gmail.com", None),
        scores=(1, 1, 2, 2, 2),
        total_score=7,
    )

    recent = now - DAY - 5 * HOUR
    recent_lead = _Conversation(
        "0d9a7c64-5b1e-4f0b-8a53-2f6f3f1f7d92",
        "919810023457",
        recent - SECOND,
        [
            (recent + place * 70 * SECOND, sender, text)
            for place, (sender, text) in enumerate(_TEXTS["recent"])
        ],
    )
    recent_lead.add_to(rows, rng)
    recent_lead.add_extraction(
        rows,
        "5f0a8a52-2f7e-4a53-9d0c-6a1f4f6f2c11",
        found=("Ananya Rao", None, "Rao Textiles"),
        scores=(1, 1, 1, 2, 2),
        total_score=7,
    )

    old = now - 75 * DAY - 9 * HOUR
    old_lead = _Conversation(
        "e2b6f0a1-7c3d-4d58-9b1f-51d0a4c8e637",
        "917042318866",
        old - SECOND,
        [(old + place * 40 * SECOND, sender, text) for place, (sender, text) in enumerate(_TEXTS["old"])],
    )
    old_lead.add_to(rows, rng)
    old_lead.add_extraction(
        rows,
        "c3d41e0f-93b5-4d53-8a86-0d7d0be6e4a9",
        found=(None, None, None),
        scores=(1, 1, 1, 1, 1),
        total_score=5,
    )

    sent = now - 3 * DAY + 10 * HOUR
    _add_send(rows, "test-send-001", "FAILED", sent - 2 * HOUR)
    _add_send(rows, "test-send-002", "DELIVERED", sent)


@dataclass(frozen=True, slots=True)
class _Conversation:
    """A conversation with the reference's agent."""

    conversation_id: str
    customer_phone: str
    created_at: int
    messages: list[tuple[int, str, str]]

    def add_to(self, rows: SourceRows, rng: Random) -> None:
        """Add the conversation and its messages."""
        rows.add(
            "conversations",
            self.conversation_id,
            _AGENT_ID,
            self.customer_phone,
            timestamp(self.created_at),
            timestamp(self.messages[-1][0]),
            True,  # noqa: FBT003  # A row has its values in the order of the columns.
        )
        incoming = incoming_message_ids(rng, self.customer_phone)
        for number, (at, sender, text) in enumerate(self.messages, start=1):
            message_id = incoming() if sender == "user" else outgoing_message_id(rng, at - 2 * SECOND)
            rows.add(
                "messages",
                _PRINTED_IDS.get((self.conversation_id, number), message_id),
                self.conversation_id,
                timestamp(at),
                number,
                sender,
                text,
                "sent",
            )

    def add_extraction(
        self,
        rows: SourceRows,
        extraction_id: str,
        *,
        found: tuple[str | None, str | None, str | None],
        scores: tuple[int, int, int, int, int],
        total_score: int,
    ) -> None:
        """Add what was extracted half a minute after the last message."""
        rows.add(
            "extractions",
            extraction_id,
            self.conversation_id,
            USER_ID,
            self.customer_phone,
            timestamp(self.messages[-1][0] + 30 * SECOND),
            True,  # noqa: FBT003  # A row has its values in the order of the columns.
            *found,
            *scores,
            total_score,
            "Cold",
        )


def _add_send(rows: SourceRows, send_id: str, status: str, at: int) -> None:
    """Add a template send to the lead that has nothing else."""
    sent_at = None if status == "FAILED" else timestamp(at + SECOND)
    rows.add("template_sends", send_id, _TEMPLATE_ID, None, "919560174402", status, sent_at, timestamp(at))


def _at(printed: str) -> int:
    return instant(datetime.fromisoformat(printed))
