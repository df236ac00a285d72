"""Since when a lead waits and when its reply window ends, after each step of stories that move them."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from projector.capture.texts import Texts, read_mapping
from projector.operate.explain import explain_lead
from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.verify import verify
from tests.exactness.platform import Platform, assert_exact, assert_verified, rebuild_now, refresh_now, value

MIDNIGHT = datetime(2025, 1, 1, tzinfo=UTC)
# A minute before all others: the oracle alone says which.
LONG_AGO = -1
MOMENTS = "waiting_since, reply_window_ends_at, last_customer_message_at"


@dataclass(frozen=True)
class Step:
    """A change of source rows, and the minute since when the lead then waits; None where it does not."""

    command: str
    waits_since: int | None


def wrote(sender: str, minute: int, name: str = "", *, of: str = "c", place: int | None = None) -> str:
    """Return the command that inserts a message, which is named by its sender unless it has a name."""
    number = "NULL" if place is None else place
    at = f"'2025-01-01'::timestamp + interval '{minute} minutes'"
    return (
        "INSERT INTO messages (message_id, conversation_id, sender, timestamp, sequence_no)"
        f" VALUES ('{name or sender}', '{of}', '{sender}', {at}, {number})"
    )


def edited(name: str, columns: str) -> str:
    return f"UPDATE messages SET {columns} WHERE message_id = '{name}'"


def gone(name: str) -> str:
    return f"DELETE FROM messages WHERE message_id = '{name}'"


# The lead has a message of the customer, `m`, of minute 0, in `c` of WhatsApp. `d` is a web chat of it, and `e` is a
# conversation of WhatsApp with another.
STORIES = {
    "the newest answer goes": [
        Step(wrote("agent", 10), None),
        Step(wrote("user", 20), 20),
        Step(gone("agent"), 0),
    ],
    "of two answers at a time one goes": [
        Step(wrote("agent", 10, of="d"), None),
        Step(wrote("agent", 10, "also", of="d"), None),
        Step(wrote("user", 20), 20),
        Step(gone("also"), 20),
        Step(gone("agent"), 0),
    ],
    "the newest message of the customer goes": [
        Step(wrote("user", 20), 0),
        Step(wrote("user", 30, "web", of="d"), 0),
        Step(gone("user"), 0),
        Step(gone("m"), 30),
        Step(gone("web"), None),
    ],
    "another sender is written": [
        Step(wrote("agent", 10), None),
        Step(wrote("user", 20), 20),
        Step(edited("agent", "sender = 'user'"), 0),
        Step(edited("agent", "sender = 'bot'"), 0),
        Step(edited("agent", "sender = 'agent'"), 20),
        Step(edited("user", "sender = 'agent'"), None),
        Step(edited("user", "sender = NULL"), None),
    ],
    "neither of them writes": [
        Step(wrote("bot", 10), None),
        Step(wrote("user", 20), 0),
        Step(wrote("agent", 30), None),
        Step(wrote("bot", 30, "beside", of="d"), None),
        Step(wrote("system", 40), None),
        Step(wrote("user", 50, "again"), 50),
    ],
    "an answer that failed": [
        Step(wrote("agent", 10), None),
        Step(edited("agent", "status = 'failed'"), None),
        Step(edited("agent", "status = 'pending'"), None),
        Step(wrote("user", 20), 20),
    ],
    "equal times are ordered by the number": [
        Step(wrote("agent", 10, place=2), None),
        Step(wrote("user", 10, place=1), None),
        Step(edited("user", "sequence_no = 3"), 10),
        Step(wrote("user", 20, "later"), 10),
        Step(edited("user", "sequence_no = NULL"), 10),
        Step(edited("user", "sequence_no = 1"), 20),
        Step(edited("user", "sequence_no = 3"), 10),
    ],
    "equal times are ordered by the conversation": [
        Step(wrote("agent", 10), None),
        Step(wrote("user", 10, of="d"), 10),
        Step(wrote("user", 20, "later", of="d"), 10),
        Step(edited("agent", "conversation_id = 'd', sequence_no = 1"), 10),
        Step(edited("user", "conversation_id = 'c'"), 20),
    ],
    "a late message and one that moves in time": [
        Step(wrote("agent", 10), None),
        Step(wrote("user", 30), 30),
        Step(wrote("user", 20, "late"), 20),
        Step(edited("late", "timestamp = '2025-01-01 00:05'"), 30),
        Step(edited("agent", "timestamp = '2025-01-01 00:40'"), None),
        Step(edited("agent", "timestamp = NULL"), 0),
        Step(edited("user", "timestamp = NULL"), LONG_AGO),
    ],
    "a conversation comes and goes": [
        Step(wrote("agent", 10), None),
        Step(wrote("user", 20), 20),
        Step("UPDATE conversations SET customer_phone = '4915' WHERE conversation_id = 'e'", 40),
        Step(gone("answer"), 20),
        Step(wrote("agent", 50, "second", of="e"), None),
        Step("UPDATE conversations SET customer_phone = '4916' WHERE conversation_id = 'e'", 20),
        Step("DELETE FROM messages WHERE conversation_id = 'c'", None),
    ],
    "a channel becomes another": [
        Step(wrote("user", 20, of="d"), 0),
        Step("UPDATE phone_numbers SET platform = 'webchat'", 0),
        Step("UPDATE phone_numbers SET platform = 'instagram'", 0),
        Step("UPDATE phone_numbers SET platform = NULL", 0),
    ],
    "no date of ours": [
        Step(wrote("user", 20), 0),
        Step(edited("user", "timestamp = '9999-12-31 12:00'"), 0),
        Step(edited("user", "timestamp = 'infinity'"), 0),
        Step(edited("user", "timestamp = '-infinity'"), LONG_AGO),
        Step(wrote("agent", 10), None),
    ],
}


@pytest.mark.parametrize("story", STORIES)
def test_the_moments_follow_each_step(filled: Platform, story: str) -> None:
    conn = filled.conn
    for platform, conversation, phone in (("webchat", "d", "4915"), ("whatsapp", "e", "4916")):
        agent = filled.agent("one", platform=platform)
        filled.insert("conversations", conversation_id=conversation, agent_id=agent, customer_phone=phone)
    for command in (wrote("agent", 30, "answer", of="e"), wrote("user", 40, "of e", of="e")):
        conn.execute(command.encode())
    for step in STORIES[story]:
        conn.execute(step.command.encode())
        refresh_now(conn)
        assert_exact(conn)
        since = value(conn, "SELECT waiting_since FROM read_model.leads WHERE customer_phone = '4915'")
        if step.waits_since != LONG_AGO:
            minutes = None if step.waits_since is None else MIDNIGHT + timedelta(minutes=step.waits_since)
            assert since == minutes, step
    before = conn.execute(
        f"SELECT {MOMENTS} FROM read_model.leads ORDER BY customer_phone".encode()
    ).fetchall()
    assert_verified(conn)
    rebuild_now(conn, first=True)
    assert_exact(conn)
    after = conn.execute(
        f"SELECT {MOMENTS} FROM read_model.leads ORDER BY customer_phone".encode()
    ).fetchall()
    assert after == before


WINDOWS = {
    "0": timedelta(0),
    "90 minutes": timedelta(minutes=90),
    "0.0015 seconds": timedelta(milliseconds=1),
    "7 days": timedelta(days=7),
    "366 days": timedelta(days=366),
    # Thirty days, whatever the months.
    "1 month": timedelta(days=30),
    "366 days 1 second": None,
    "400 days": None,
    "-1 second": None,
    "2 years": None,
    "": None,
}
"""Windows of a mapping, and how long after the customer's message they end; None for none."""


def test_a_window_may_be_of_any_length(filled: Platform) -> None:
    conn, texts = filled.conn, read_mapping("default").files
    shipped = re.search(r"CASE\n.*?END(?= AS reply_window)", texts["conversations"], re.DOTALL)
    assert shipped is not None
    window = "nullif(split_part(c.conversation_id, ' of ', 1), '')::interval"
    written = texts["conversations"].replace(
        shipped[0], f"CASE WHEN c.conversation_id LIKE '% of %' THEN {window} END"
    )
    migrate(conn, create_source=False, mapping=Texts({**texts, "conversations": written}))
    rebuild_now(conn)
    agent = filled.agent("one")
    for number, length in enumerate(WINDOWS):
        name = f"{length} of {number}"
        filled.insert("conversations", conversation_id=name, agent_id=agent, customer_phone=str(number))
        conn.execute(wrote("user", 0, f"m{number}", of=name).encode())
    refresh_now(conn)
    ends: dict[str, timedelta | None] = dict(
        conn.execute(
            "SELECT customer_phone, reply_window_ends_at - waiting_since FROM read_model.leads"
        ).fetchall()
    )
    assert [ends[str(number)] for number in range(len(WINDOWS))] == [*WINDOWS.values()]
    assert verify(conn, tenants=None, sample=None, heal=False, progress=QUIET).drifts == []


def test_moments_that_are_wrong_are_explained_found_and_healed(filled: Platform) -> None:
    conn = filled.conn
    conn.execute(wrote("user", 20).encode())
    refresh_now(conn)

    def fields() -> dict[str, dict[str, object]]:
        return {row["field"]: row for row in explain_lead(conn, "one", "4915").fields}

    assert {name: fields()[name]["value"] for name in MOMENTS.split(", ")} == {
        "waiting_since": "2025-01-01T00:00:00.000Z",
        "reply_window_ends_at": "2025-01-02T00:20:00.000Z",
        "last_customer_message_at": "2025-01-01T00:20:00.000Z",
    }
    for name in MOMENTS.split(", "):
        conn.execute(f"UPDATE read_model.leads SET {name} = '2000-01-01'".encode())
        assert [row["field"] for row in fields().values() if row["differs"]] == [name]
        report = verify(conn, tenants=None, sample=None, heal=True, progress=QUIET)
        assert len(report.drifts) == 1
        assert_exact(conn)
    conn.execute("UPDATE read_model.lead_conversations SET newest_agent_message_at = '2000-01-01'")
    assert verify(conn, tenants=None, sample=None, heal=True, progress=QUIET).drifts
    assert_exact(conn)
