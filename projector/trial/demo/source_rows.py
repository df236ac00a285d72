"""Source rows on their way into the database: COPY lines, kept until there are enough of them."""

import re
from collections import Counter
from typing import Any, TypeAlias

import psycopg
from psycopg import sql

from projector.database.source_names import source_names

# In an order in which every row finds the rows that it references.
TABLES: dict[str, tuple[str, ...]] = {
    "users": ("user_id", "email", "company_name", "created_at", "updated_at"),
    "phone_numbers": ("id", "user_id", "platform", "meta_phone_number_id", "display_name"),
    "agents": ("agent_id", "user_id", "phone_number_id", "name"),
    "templates": ("template_id", "user_id", "phone_number_id", "name"),
    "contacts": ("contact_id", "user_id", "phone", "name", "email", "company", "updated_at"),
    "conversations": (
        "conversation_id",
        "agent_id",
        "customer_phone",
        "created_at",
        "last_message_at",
        "is_active",
    ),
    "messages": ("message_id", "conversation_id", "timestamp", "sequence_no", "sender", "text", "status"),
    "extractions": (
        "extraction_id",
        "conversation_id",
        "user_id",
        "customer_phone",
        "extracted_at",
        "is_latest",
        "name",
        "email",
        "company",
        "intent_score",
        "urgency_score",
        "budget_score",
        "fit_score",
        "engagement_score",
        "total_score",
        "lead_status_tag",
    ),
    "template_sends": (
        "send_id",
        "template_id",
        "conversation_id",
        "customer_phone",
        "status",
        "sent_at",
        "created_at",
    ),
}

# Messages (or conversations) in one transaction: some megabytes.
_ENOUGH = 20_000

_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})
_NEEDS_ESCAPES = re.compile(r"[\\\t\n\r]").search

Value: TypeAlias = str | int | bool | None


def copy_field(value: Value) -> str:
    """Write one value in COPY's text format."""
    if value is None:
        return r"\N"
    if value is True:
        return "t"
    if value is False:
        return "f"
    if isinstance(value, str):
        return value.translate(_ESCAPES) if _NEEDS_ESCAPES(value) else value
    return str(value)


def message_end(sender: str, text: str, status: str) -> str:
    """Write what a message's line ends with; many messages share one such ending."""
    return f"{copy_field(sender)}\t{copy_field(text)}\t{copy_field(status)}\n"


class SourceRows:
    """Rows of all source tables that wait to be written together.

    Add a row after those that it references: then whatever waits can be written at any moment.
    """

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self.written: Counter[str] = Counter()
        self._connection = connection
        self._lines: dict[str, list[str]] = {table: [] for table in TABLES}
        self.messages = self._lines["messages"]

    def add(self, table: str, *values: Value) -> None:
        """Add one row: its values in the order of `TABLES`."""
        self._lines[table].append("\t".join(map(copy_field, values)) + "\n")

    def write_when_enough(self) -> None:
        """Write what waits if it is enough for a transaction; this is what bounds the memory."""
        if len(self.messages) >= _ENOUGH or len(self._lines["conversations"]) >= _ENOUGH:
            self.write()

    def write(self) -> None:
        """Copy everything that waits into the source tables, in one transaction, and begin anew."""
        names = source_names(self._connection)
        with self._connection.transaction(), self._connection.cursor() as cursor:
            for table, columns in TABLES.items():
                lines = self._lines[table]
                if not lines:
                    continue
                statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
                    sql.SQL(names[table]),
                    sql.SQL(", ").join(map(sql.Identifier, columns)),
                )
                with cursor.copy(statement) as copy:
                    copy.write("".join(lines))
        for table, lines in self._lines.items():
            self.written[table] += len(lines)
            lines.clear()
