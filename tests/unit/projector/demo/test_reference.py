"""The tenant of the API reference."""

from datetime import datetime, timedelta

import pytest
from psycopg.rows import dict_row

from projector.trial import demo
from tests.unit.projector.demo.loaded import MIDNIGHT, Connection, one, rows


def test_reference_lead_has_the_printed_conversation(full: Connection) -> None:
    found = full.cursor(row_factory=dict_row).execute(
        """
        SELECT c.*, a.user_id, a.name AS agent_name, a.phone_number_id, p.platform
        FROM conversations AS c
        JOIN agents AS a USING (agent_id)
        JOIN phone_numbers AS p ON p.id = a.phone_number_id
        WHERE customer_phone LIKE '%8979556941'
        """
    )
    assert found.fetchall() == [
        {
            "user_id": "789895c8-4bd6-43e9-bfea-a4171ec47197",
            "conversation_id": "b1a93252-f8c6-448f-a765-195eea996d9a",
            "agent_id": "test-agent-001",
            "agent_name": "Test AI Agent",
            "platform": "whatsapp",
            "phone_number_id": "test-phone-001",
            "customer_phone": "918979556941",
            "is_active": True,
            "created_at": datetime(2025, 10, 5, 6, 21, 34, 662_000),  # noqa: DTZ001  # As the column has it.
            "last_message_at": datetime(2025, 12, 12, 9, 7, 38, 656_000),  # noqa: DTZ001
        }
    ]


def test_reference_lead_has_the_printed_messages(full: Connection) -> None:
    messages = rows(
        full,
        """
        SELECT message_id, sender, text, timestamp::text, status, sequence_no
        FROM messages WHERE conversation_id = 'b1a93252-f8c6-448f-a765-195eea996d9a'
        ORDER BY timestamp
        """,
    )
    assert messages[:2] == [
        (
            "wamid.HBgMOTE4OTc5NTU2OTQxFQIAEhgUM0ZBMDM4RkM0QTg5NkI1ODIzRTgA",
            "user",
            "hi my name is siddhant",
            "2025-10-05 06:21:35.197",
            "sent",
            1,
        ),
        (
            "out-1759645300741-hij9fvlyv",
            "agent",
            (
                "Thanks, Siddhant! How can I help you today? May I have your email to send detailed docs? "
                "Quick one — what's your budget range for this?"
            ),
            "2025-10-05 06:21:42.667",
            "sent",
            2,
        ),
    ]
    assert messages[-1][1:] == (
        "agent",
        (
            "No problem, Siddhant. If you'd like, I can share a quick feature overview or pricing details. "
            "Which would you prefer?"
        ),
        "2025-12-12 09:07:38.656",
        "sent",
        37,
    )
    assert [number for *_, number in messages] == list(range(1, 38))
    assert len({at for *_, at, _, _ in messages}) == 37


def test_reference_lead_has_the_printed_extraction(full: Connection) -> None:
    found = rows(
        full,
        """
        SELECT extraction_id::text, is_latest, name, email, company, lead_status_tag, total_score,
            intent_score, urgency_score, budget_score, fit_score, engagement_score
        FROM extractions WHERE conversation_id = 'b1a93252-f8c6-448f-a765-195eea996d9a'
        """,
    )
    extraction_id = "791a2e81-4706-4703-9532-842a2fd16e0c"
    assert found == [
        (extraction_id, True, "Siddhant", "sddhantjaiii@gmail.com", None, "Cold", 7, 1, 1, 2, 2, 2)
    ]


def test_nothing_else_enriches_the_reference_lead(full: Connection) -> None:
    assert one(full, "SELECT count(*) FROM contacts WHERE user_id = %s", demo.REFERENCE_USER_ID) == 0
    assert one(full, "SELECT count(*) FROM template_sends WHERE customer_phone LIKE '%%8979556941'") == 0


@pytest.mark.parametrize(
    ("now", "last_7_days", "last_30_days"),
    [
        (MIDNIGHT, 2, 2),
        (MIDNIGHT + timedelta(days=4, microseconds=-1), 2, 2),
        (MIDNIGHT + timedelta(days=5), 1, 2),
        (MIDNIGHT + timedelta(days=27, microseconds=-1), 0, 2),
        (MIDNIGHT + timedelta(days=30), 0, 0),
    ],
)
def test_reference_statistics_drift_as_documented(
    full: Connection, now: datetime, last_7_days: int, last_30_days: int
) -> None:
    statistics = rows(
        full,
        """
        WITH leads AS (
            SELECT lead,
                max(coalesce(
                    (SELECT max(timestamp) FROM messages AS m WHERE m.conversation_id = c.conversation_id),
                    (SELECT coalesce(sent_at, created_at) FROM template_sends AS s
                        WHERE s.send_id = c.send_id)
                )) AS last_message_at,
                min((SELECT lead_status_tag FROM extractions AS e
                    WHERE e.conversation_id = c.conversation_id)) AS status,
                bool_and(platform = 'whatsapp') AS whatsapp
            FROM canonical AS c WHERE user_id = %s GROUP BY lead
        )
        SELECT count(*), count(status), count(*) FILTER (WHERE status = 'Cold'),
            count(*) FILTER (WHERE whatsapp),
            count(*) FILTER (WHERE last_message_at >= %s - interval '7 days'),
            count(*) FILTER (WHERE last_message_at >= %s - interval '30 days')
        FROM leads
        """,
        demo.REFERENCE_USER_ID,
        now.replace(tzinfo=None),
        now.replace(tzinfo=None),
    )
    assert statistics == [(4, 3, 3, 4, last_7_days, last_30_days)]
