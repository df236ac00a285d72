"""The fields that the order of times decides: the last message, and the first contact."""

from projector.operate.explain.activity import conversation_row, send_row, total_sends, uncounted_sends
from projector.operate.explain.model import Field, Row
from projector.operate.explain.read import Evidence, Found

_LATER = "it comes before the last message"


def explain_times(found: Evidence, size: int) -> dict[str, Field]:
    """Return the fields of the first and the last time, by name; at most `size` losing rows are named."""
    fields = (
        _last_message_at(found, size),
        _last_message(found, "text", size),
        _last_message(found, "sender", size),
        _first_contact_at(found, size),
    )
    return {one.name: one for one in fields}


def _last_message_at(found: Evidence, size: int) -> Field:
    made = Field(
        "last_message_at",
        "The newest last_message_at of its conversations: the time of a conversation's newest message, or the column"
        " of a conversation without messages. Only for a lead without conversations, the newest counted template"
        " send.",
    )
    if found.conversations:
        _of_conversations(made, found, size)
    else:
        _of_sends(made, found, size)
    return made


def _of_conversations(made: Field, found: Evidence, size: int) -> None:
    messages = [_message(row, "timestamp", row["time"]) for row in found.last_messages]
    without = sorted(
        (row for row in found.conversations if not row["messages"] and row["noted_at"] is not None),
        key=lambda row: row["key"].encode(),
    )
    noted = [_noted(row) for row in without]
    # Sorting is stable in reverse too: at one time messages come first, in their order.
    ranked = sorted([*messages, *noted], key=lambda row: row.time or "", reverse=True)
    made.sources = ranked[:1]
    newest = ranked[0].time if ranked else None
    made.losers = [_lost(row, "it is older" if row.time != newest else "another row of the same time is first")
                   for row in ranked[1 : size + 1]]  # fmt: skip
    total = sum(row["messages"] for row in found.conversations) + len(noted)
    made.more_losers = max(total - len(made.sources), 0) - len(made.losers)
    _add_columns_that_do_not_count(made, found, newest, size)
    if newest is None and len(found.conversations) == 1:
        note = (
            "it has neither messages nor a last_message_at, and while it exists template sends do not count"
        )
        made.decided_by.append(conversation_row(found.conversations[0], "last_message_at", None, note))
    sends = found.counted_sends[:size]
    made.losers += [
        send_row(row, "sent_at", row["time"], "the lead has conversations, so template sends do not count")
        for row in sends
    ]
    made.more_losers += total_sends(found) - len(sends)


def _add_columns_that_do_not_count(made: Field, found: Evidence, newest: str | None, size: int) -> None:
    """Name the conversations whose column is not older than the last message: the column has messages before it."""
    held_back = [
        row
        for row in found.conversations
        if row["messages"] and row["noted_at"] is not None and row["noted_at"] >= (newest or "")
    ]
    made.losers += [
        _lost(_noted(row), "the conversation has messages, so its own last_message_at does not count")
        for row in held_back[:size]
    ]
    made.more_losers += len(held_back[size:])
    named = {row.key for row in made.sources if row.table == "messages"}
    made.decided_by += [
        Row(
            "messages",
            row["newest_id"],
            "timestamp",
            row["newest_at"],
            "timestamp",
            row["newest_at"],
            f"while conversation {row['key']} has this message, its later last_message_at does not count",
        )
        for row in held_back
        if row["messages"] == 1 and row["newest_id"] not in named
    ]


def _of_sends(made: Field, found: Evidence, size: int) -> None:
    ranked = found.counted_sends
    made.sources = [send_row(row, "sent_at", row["time"]) for row in ranked[:1]]
    losing = ranked[1 : size + 1]
    made.losers = [send_row(row, "sent_at", row["time"], "it is not the newest") for row in losing]
    made.more_losers = max(total_sends(found) - 1, 0) - len(losing)
    rows, more = uncounted_sends(found, size)
    made.losers += rows
    made.more_losers += more


def _last_message(found: Evidence, column: str, size: int) -> Field:
    made = Field(
        f"last_message_{column}",
        f"The {column} of the last message of all its conversations: the greatest timestamp, then conversation_id, then"
        " sequence_no (null is last), then message_id. Null without messages; template sends have none.",
    )
    made.sources = [_message(row, column, row[column]) for row in found.last_messages[:1]]
    losing = found.last_messages[1 : size + 1]
    made.losers = [_message(row, column, row[column], _LATER) for row in losing]
    total = sum(row["messages"] for row in found.conversations)
    made.more_losers = max(total - 1, 0) - len(losing)
    return made


def _first_contact_at(found: Evidence, size: int) -> Field:
    made = Field(
        "first_contact_at",
        "The earliest of the created_at of its conversations, the timestamp of its messages, and the time of its"
        " counted template sends (sent_at, else created_at). A null time counts as 1970-01-01.",
    )
    rows = [conversation_row(row, "created_at", row["created_at"]) for row in found.conversations]
    rows += [_message(row, "timestamp", row["time"]) for row in found.first_messages]
    rows += [send_row(row, "sent_at", row["time"]) for row in found.counted_sends]
    places = {"conversations": 0, "messages": 1, "template_sends": 2}
    ranked = sorted(rows, key=lambda row: (row.time or "", places[row.table], row.key.encode()))
    made.sources = ranked[:1]
    earliest = ranked[0].time if ranked else None
    made.losers = [_lost(row, "it is later" if row.time != earliest else "another row of the same time is first")
                   for row in ranked[1 : size + 1]]  # fmt: skip
    messages = sum(row["messages"] for row in found.conversations)
    total = len(found.conversations) + messages + total_sends(found)
    made.more_losers = max(total - 1, 0) - len(made.losers)
    return made


def _noted(row: Found) -> Row:
    """A conversation by its own note of its last message."""
    column = "last_message_at"
    return Row("conversations", row["key"], column, row["noted_at"], column, row["noted_at"])


def _message(row: Found, column: str, value: object, note: str | None = None) -> Row:
    return Row("messages", row["key"], column, value, "timestamp", row["time"], note)


def _lost(row: Row, note: str) -> Row:
    return Row(row.table, row.key, row.column, row.value, row.time_column, row.time, note, row.through)
