"""The fields that come from conversations, messages and template sends."""

from collections.abc import Iterable, Sequence

from projector.operate.explain.model import Count, Field, Row
from projector.operate.explain.read import Evidence, Found

PLATFORMS = ("whatsapp", "instagram", "webchat")


def explain_activity(found: Evidence, size: int) -> dict[str, Field]:
    """Return the fields of what happened, by name; at most `size` rows of each kind are named."""
    fields = (
        _customer_phone(found, size),
        _platforms(found, size),
        _conversation_count(found, size),
        _total_messages(found, size),
        _template_sends_count(found, size),
        _conversations(found, size),
    )
    return {one.name: one for one in fields}


def conversation_row(row: Found, column: str | None, value: object = None, note: str | None = None) -> Row:
    """Return a conversation as a row of an explanation."""
    return Row(
        "conversations",
        row["key"],
        column,
        value,
        "created_at",
        row["created_at"],
        note,
        (("agents", row["agent_id"]), ("phone_numbers", row["phone_number_id"])),
    )


def send_row(row: Found, column: str | None, value: object = None, note: str | None = None) -> Row:
    """Return a template send as a row of an explanation."""
    through = (("templates", row["template_id"]), ("phone_numbers", row["phone_number_id"]))
    return Row("template_sends", row["key"], column, value, "sent_at", row["time"], note, through)


def idle_contact_row(row: Found) -> Row:
    """Return a contact as a row that has the phone and makes no lead."""
    return Row(
        "contacts", row["key"], "phone", row["phone"], "updated_at", row["time"], "a contact makes no lead"
    )


def uncounted_sends(found: Evidence, size: int) -> tuple[list[Row], int]:
    """Return template sends that do not count, at most `size`, and how many more there are."""
    losing = [send for send in found.sends if not send["is_counted"]]
    total = losing[0]["total"] if losing else 0
    shown = losing[:size]
    rows = [
        send_row(row, "status", row["status"], f"it did not go out: its status is {row['status']}")
        for row in shown
    ]
    return rows, total - len(rows)


def total_sends(found: Evidence) -> int:
    """Return how many template sends count."""
    return found.counted_sends[0]["total"] if found.counted_sends else 0


def _by_key(rows: Iterable[Found]) -> list[Found]:
    return sorted(rows, key=lambda row: row["key"].encode())


def _counted(made: Field, rows: Sequence[Row], total: int, size: int) -> None:
    """Name some of the rows that are counted."""
    made.sources += rows[:size]
    made.more_sources += total - len(rows[:size])


def _customer_phone(found: Evidence, size: int) -> Field:
    made = Field(
        "customer_phone",
        "The canonical form of customer_phone in the conversations and counted template sends of the lead: of a phone"
        " its digits, of anything else the text without white space around it. Each of these rows makes the lead.",
    )
    conversations, sends = _by_key(found.conversations), found.counted_sends
    made.counts = [Count("conversations", len(conversations)), Count("template_sends", total_sends(found))]
    rows = [conversation_row(row, "customer_phone", row["phone"]) for row in conversations]
    _counted(made, rows, len(rows), size)
    _counted(made, [send_row(row, "customer_phone", row["phone"]) for row in sends], total_sends(found), size)
    made.losers, made.more_losers = uncounted_sends(found, size)
    contacts = found.contacts[:size]
    made.losers += [idle_contact_row(row) for row in contacts]
    made.more_losers += (found.contacts[0]["total"] if found.contacts else 0) - len(contacts)
    return made


def _platforms(found: Evidence, size: int) -> Field:
    made = Field(
        "platforms",
        "Every platform of its conversations and counted template sends, once each, in the order whatsapp, instagram,"
        " webchat. The platform is that of the channel of the agent, or of the template. Named is one row for each.",
    )
    rows = [
        (row["platform"], conversation_row(row, "platform", row["platform"]))
        for row in _by_key(found.conversations)
    ]
    rows += [
        (row["platform"], send_row(row, "platform", row["platform"])) for row in _by_key(found.counted_sends)
    ]
    named = {}
    for platform in PLATFORMS:
        named[platform] = next((row for name, row in rows if name == platform), None)
    made.sources = [row for row in named.values() if row is not None]
    losing = [(name, row) for name, row in rows if row not in made.sources]
    odd = [_noted(row, "its platform is none of the three") for name, row in losing if name not in PLATFORMS]
    again = [_noted(row, f"{name} is there already") for name, row in losing if name in PLATFORMS]
    made.losers = odd[:size] + again[:size]
    made.more_losers = len(found.conversations) + total_sends(found) - len(made.sources) - len(made.losers)
    return made


def _noted(row: Row, note: str) -> Row:
    return Row(row.table, row.key, row.column, row.value, row.time_column, row.time, note, row.through)


def _conversation_count(found: Evidence, size: int) -> Field:
    made = Field("conversation_count", "The number of its conversations. Template sends are not added.")
    made.counts = [Count("conversations", len(found.conversations))]
    rows = [conversation_row(row, None) for row in _by_key(found.conversations)]
    _counted(made, rows, len(rows), size)
    return made


def _total_messages(found: Evidence, size: int) -> Field:
    made = Field(
        "total_messages",
        "The number of messages in its conversations, whatever their status. Template sends are not added.",
    )
    _count_messages(made, found, size)
    return made


def _count_messages(made: Field, found: Evidence, size: int) -> None:
    """Count the messages by conversation; those of the conversations beyond `size` together."""
    rows = [row for row in _by_key(found.conversations) if row["messages"]]
    made.counts += [Count("messages", row["messages"], row["key"]) for row in rows[:size]]
    if rows[size:]:
        made.counts.append(Count("messages", sum(row["messages"] for row in rows[size:])))


def _template_sends_count(found: Evidence, size: int) -> Field:
    made = Field(
        "template_sends_count",
        "The number of its template sends that went out: of every status but PENDING and FAILED.",
    )
    made.counts = [Count("template_sends", total_sends(found))]
    rows = [send_row(row, "status", row["status"]) for row in found.counted_sends]
    _counted(made, rows, total_sends(found), size)
    made.losers, made.more_losers = uncounted_sends(found, size)
    return made


def _conversations(found: Evidence, size: int) -> Field:
    made = Field(
        "conversations",
        "One entry for each conversation: the newest last_message_at first, those without one last, then by"
        " conversation_id. last_message_at is the time of its newest message; without messages, the column."
        " agent_name is the agent's, platform that of the agent's channel; is_active null prints false.",
    )
    rows = [
        Row(
            "conversations",
            row["key"],
            None,
            None,
            "last_message_at",
            row["newest_at"] or row["noted_at"],
            _what_it_shows(row),
            (("agents", row["agent_id"]), ("phone_numbers", row["phone_number_id"])),
        )
        for row in found.conversations
    ]
    _counted(made, rows, len(rows), size)
    _count_messages(made, found, size)
    return made


def _what_it_shows(row: Found) -> str:
    if row["newest_at"] is None:
        return "it has no messages: last_message_at is that of the conversation"
    return f"last_message_at is that of messages {row['newest_id']}"
