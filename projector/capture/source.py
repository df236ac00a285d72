"""The platform's tables: which columns the projection reads, and which key a changed row queues."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from projector.database.ownership import explain_missing
from projector.database.rows import Row, rows
from projector.database.source_names import source_names
from projector.database.sql import query
from projector.report.errors import NOT_INSTALLED, SourceMissingError


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

CAPTURED_TABLES = tuple(table for table in SOURCE_TABLES if table.kind is not None)

# What a recompute looks up in the platform's tables, and would read the whole table for without an index.
LOOKED_UP = (
    ("agents", "phone_number_id"),
    ("conversations", "agent_id"),
    ("messages", "conversation_id"),
    ("extractions", "conversation_id"),
    ("templates", "phone_number_id"),
    ("template_sends", "template_id"),
)


def find_missing_source(
    conn: psycopg.Connection[TupleRow], relations: Mapping[str, str] | None = None
) -> list[str]:
    """Return the source tables and columns that do not exist, each in words.

    `relations` are the names of the tables with their schemas, if it is not yet noted where they are.
    """
    missing: list[str] = []
    for table, found in zip(SOURCE_TABLES, find_source(conn, relations), strict=True):
        absent = [column for column in table.columns if column not in found.columns]
        if found.kind is None:
            missing.append(f"table {table.name}")
        elif found.kind != "table":
            missing.append(
                f"table {table.name} (there is a {found.kind} of that name, which has no triggers)"
            )
        elif absent:
            missing.append(f"table {table.name} has no column {', '.join(absent)}")
    return missing


def foreign_owner(conn: psycopg.Connection[TupleRow]) -> SourceMissingError | None:
    """Return the error that names the first captured table of an owner whose rights this login does not have."""
    for table, found in zip(SOURCE_TABLES, find_source(conn), strict=True):
        if table.kind is not None and found.kind is not None and not found.is_owned:
            return SourceMissingError(
                f"The triggers cannot be installed again, because the table {found.name} belongs to {found.owner} now."
                " Give it back to its old owner, or let the projector's login act for the new one: run"
                f" GRANT {found.owner} TO {conn.info.user}; The projector then goes on by itself."
            )
    return None


@contextmanager
def naming_missing_source(conn: psycopg.Connection[TupleRow]) -> Iterator[None]:
    """Raise SourceMissingError instead of PostgreSQL's error where the block fails because the source lacks a column.

    The platform may change its tables at any moment, between the check of a batch and its statements too. Where
    something of ours is missing, the error says so, too: see `explain_missing`.
    """
    try:
        yield
    except NOT_INSTALLED as error:
        if conn.broken or conn.info.transaction_status != psycopg.pq.TransactionStatus.IDLE:
            raise
        missing = find_missing_source(conn)
        if missing:
            raise misfit(missing) from error
        explained = explain_missing(conn, error)
        if explained is None:
            raise
        raise explained from error


def misfit(problems: Sequence[str]) -> SourceMissingError:
    """Return the error that says what of the source does not fit the projection, and what to do."""
    return SourceMissingError(
        f"The platform's tables do not fit the projection: {'; '.join(problems)}. The platform is not held up, and"
        " answers stay as they are. Put back what is missing, under its old name; if the tables have moved to another"
        " schema, run migrate --source-schema NAME. The projector then installs its triggers again and rebuilds what"
        " it missed by itself."
    )


def find_source(conn: psycopg.Connection[TupleRow], relations: Mapping[str, str] | None = None) -> list[Row]:
    """Return what there is of each source table, in the order of SOURCE_TABLES; see sql/queries/operate.sql.

    `relations` are the names of the tables with their schemas, if it is not yet noted where they are.
    """
    names = [table.name for table in SOURCE_TABLES]
    relations = relations or source_names(conn)
    wanted = {"tables": names, "relations": [relations[name] for name in names]}
    return rows(conn, Row, query("operate", "find_source"), wanted)
