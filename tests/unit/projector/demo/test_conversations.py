"""Conversations, their messages and their times."""

import re
from datetime import UTC, date, timedelta

import pytest

from tests.unit.projector.demo.loaded import MIDNIGHT, Connection, load, one, rows

TIMES = {
    "users": ("created_at", "updated_at"),
    "conversations": ("created_at", "last_message_at"),
    "messages": ("timestamp",),
    "extractions": ("extracted_at",),
    "contacts": ("updated_at",),
    "template_sends": ("sent_at", "created_at"),
}


@pytest.mark.parametrize(("table", "column"), [(table, column) for table in TIMES for column in TIMES[table]])
def test_no_time_is_in_the_future_or_before_the_demo(full: Connection, table: str, column: str) -> None:
    earliest, latest = rows(full, f"SELECT min({column}), max({column}) FROM {table}")[0]
    assert latest < MIDNIGHT.replace(tzinfo=None)
    assert earliest >= (MIDNIGHT - timedelta(days=600)).replace(tzinfo=None)
    showcase = rows(full, f"SELECT min({column}) FROM {table} WHERE {column} < timestamp '2025-10-21'")
    # What is older than 400 days belongs to the reference's lead, whose times are printed.
    assert showcase[0][0] is None or showcase[0][0].date() in {
        date(2025, 10, 1),
        date(2025, 10, 5),
    }


def test_conversations_begin_before_their_first_message(full: Connection) -> None:
    assert (
        one(
            full,
            "SELECT count(*) FROM messages JOIN conversations USING (conversation_id) "
            "WHERE timestamp < created_at",
        )
        == 0
    )


def test_message_ids_and_texts_look_as_in_the_reference(full: Connection) -> None:
    patterns = {
        "user": re.compile(r"wamid\.HBg[A-Za-z0-9+/]{50,70}={0,2}"),
        "agent": re.compile(r"out-\d{13}-[a-z0-9]{9}"),
    }
    for message_id, sender, text in rows(full, "SELECT message_id, sender, text FROM messages"):
        assert patterns[sender].fullmatch(message_id), message_id
        assert 10 <= len(text) <= 200, text
        assert "{" not in text, text


def test_messages_are_skewed(source: Connection) -> None:
    load(source, tenants=1, leads=1000, messages_per_lead=10)
    counts = [
        count
        for (count,) in rows(
            source,
            "SELECT count(m.*) FROM canonical LEFT JOIN messages AS m USING (conversation_id) GROUP BY lead",
        )
    ]
    counts.sort(reverse=True)
    assert sum(counts[:100]) > 0.35 * sum(counts)
    assert counts[500] < 10


def test_a_long_conversation_is_written_in_pieces(source: Connection) -> None:
    load(source, tenants=1, leads=3, messages_per_lead=30_000)
    longest, pieces, numbers, first, last = rows(
        source,
        """
        SELECT count(*), count(DISTINCT xmin::text), count(DISTINCT sequence_no),
            min(timestamp), max(timestamp)
        FROM messages GROUP BY conversation_id ORDER BY count(*) DESC LIMIT 1
        """,
    )[0]
    assert longest > 20_000
    assert pieces > 1
    assert numbers == longest
    assert MIDNIGHT - timedelta(days=400) <= first.replace(tzinfo=UTC) < last.replace(tzinfo=UTC) < MIDNIGHT


def test_leads_without_any_message(source: Connection) -> None:
    report = load(source, tenants=1, leads=50, messages_per_lead=0)
    assert report.messages == 0
    assert one(source, "SELECT count(DISTINCT lead) FROM canonical") == 50
