"""The platform's tables: which columns the projection reads, and which key a changed row queues."""

from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from projector.sql import query


@dataclass(frozen=True, slots=True)
class SourceTable:
    """A table that is read and never written to.

    `columns` are those that the projection reads: an update of any other queues nothing. `queue_key` is the column
    whose value a change queues, as a change of this `kind`; a table without a kind is not captured.
    """

    name: str
    primary_key: str
    columns: tuple[str, ...]
    kind: str | None
    queue_key: str


SOURCE_TABLES = (
    # Nothing of a tenant's row is printed; rows that depend on it are captured in their own tables, cascades too.
    SourceTable("users", "user_id", ("user_id",), None, "user_id"),
    SourceTable("phone_numbers", "id", ("id", "platform"), "phone_numbers", "id"),
    SourceTable(
        "agents", "agent_id", ("agent_id", "user_id", "phone_number_id", "name"), "agents", "agent_id"
    ),
    SourceTable(
        "conversations",
        "conversation_id",
        ("conversation_id", "agent_id", "customer_phone", "created_at", "last_message_at", "is_active"),
        "conversations",
        "conversation_id",
    ),
    SourceTable(
        "messages",
        "message_id",
        ("message_id", "conversation_id", "sender", "text", "timestamp", "status", "sequence_no"),
        "messages",
        "conversation_id",
    ),
    SourceTable(
        "extractions",
        "extraction_id",
        (
            "extraction_id",
            "conversation_id",
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
        "extractions",
        "conversation_id",
    ),
    SourceTable(
        "contacts",
        "contact_id",
        ("contact_id", "user_id", "phone", "name", "email", "company", "updated_at"),
        "contacts",
        "contact_id",
    ),
    SourceTable(
        "templates", "template_id", ("template_id", "user_id", "phone_number_id"), "templates", "template_id"
    ),
    SourceTable(
        "template_sends",
        "send_id",
        ("send_id", "template_id", "customer_phone", "status", "sent_at", "created_at"),
        "template_sends",
        "send_id",
    ),
)

# What a recompute looks up in the platform's tables, and would read the whole table for without an index.
LOOKED_UP = (
    ("agents", "phone_number_id"),
    ("conversations", "agent_id"),
    ("messages", "conversation_id"),
    ("extractions", "conversation_id"),
    ("templates", "phone_number_id"),
    ("template_sends", "template_id"),
)


def find_missing_source(conn: psycopg.Connection[TupleRow]) -> list[str]:
    """Return the source tables and columns that do not exist, each in words."""
    rows = conn.execute(
        query("install", "find_source_columns"), {"tables": [table.name for table in SOURCE_TABLES]}
    ).fetchall()
    found = {name: (is_there, set(columns)) for name, is_there, columns in rows}
    missing: list[str] = []
    for table in SOURCE_TABLES:
        is_there, columns = found[table.name]
        absent = [column for column in table.columns if column not in columns]
        if not is_there:
            missing.append(f"table {table.name}")
        elif absent:
            missing.append(f"table {table.name} has no column {', '.join(absent)}")
    return missing
