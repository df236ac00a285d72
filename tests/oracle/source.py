"""The source rows of one moment, read with plain SELECTs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_MOMENT = datetime.min.replace(tzinfo=UTC)
LAST_MOMENT = datetime.max.replace(tzinfo=UTC)

Connection = psycopg.Connection[Any]


@dataclass(frozen=True, slots=True)
class Channel:
    """A row of phone_numbers."""

    id: str
    platform: str | None


@dataclass(frozen=True, slots=True)
class Agent:
    """A row of agents."""

    agent_id: str
    user_id: str
    phone_number_id: str | None
    name: str | None


@dataclass(frozen=True, slots=True)
class Conversation:
    """A row of conversations."""

    conversation_id: str
    agent_id: str
    customer_phone: str | None
    created_at: datetime | None
    last_message_at: datetime | None
    is_active: bool | None


@dataclass(frozen=True, slots=True)
class Message:
    """A row of messages."""

    message_id: str
    conversation_id: str
    sender: str | None
    text: str | None
    timestamp: datetime | None
    status: str | None
    sequence_no: int | None


@dataclass(frozen=True, slots=True)
class Extraction:
    """A row of extractions, without its copies of tenant and phone, which nobody trusts."""

    extraction_id: str
    conversation_id: str
    extracted_at: datetime | None
    is_latest: bool | None
    name: str | None
    email: str | None
    company: str | None
    intent_score: int | None
    urgency_score: int | None
    budget_score: int | None
    fit_score: int | None
    engagement_score: int | None
    total_score: int | None
    lead_status_tag: str | None


@dataclass(frozen=True, slots=True)
class Contact:
    """A row of contacts."""

    contact_id: str
    user_id: str
    phone: str | None
    name: str | None
    email: str | None
    company: str | None
    updated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Template:
    """A row of templates."""

    template_id: str
    user_id: str
    phone_number_id: str | None


@dataclass(frozen=True, slots=True)
class TemplateSend:
    """A row of template_sends."""

    send_id: str
    template_id: str
    customer_phone: str | None
    status: str | None
    sent_at: datetime | None
    created_at: datetime | None


@dataclass(frozen=True, slots=True)
class Source:
    """All source rows that a lead is made of."""

    channels: tuple[Channel, ...] = ()
    agents: tuple[Agent, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    messages: tuple[Message, ...] = ()
    extractions: tuple[Extraction, ...] = ()
    contacts: tuple[Contact, ...] = ()
    templates: tuple[Template, ...] = ()
    template_sends: tuple[TemplateSend, ...] = ()


TIMES = frozenset({"created_at", "last_message_at", "timestamp", "extracted_at", "updated_at", "sent_at"})
TEXTS = frozenset({"extraction_id"})

Row = TypeVar("Row")


def read_source(connection: Connection, schema: str = "public") -> Source:
    """Read every source row in one snapshot: the caller's transaction, or else one of its own."""
    with _one_snapshot(connection):
        return Source(
            channels=_rows(connection, schema, "phone_numbers", Channel),
            agents=_rows(connection, schema, "agents", Agent),
            conversations=_rows(connection, schema, "conversations", Conversation),
            messages=_rows(connection, schema, "messages", Message),
            extractions=_rows(connection, schema, "extractions", Extraction),
            contacts=_rows(connection, schema, "contacts", Contact),
            templates=_rows(connection, schema, "templates", Template),
            template_sends=_rows(connection, schema, "template_sends", TemplateSend),
        )


@contextmanager
def _one_snapshot(connection: Connection) -> Iterator[None]:
    if connection.info.transaction_status != TransactionStatus.IDLE:
        yield
        return
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _rows(connection: Connection, schema: str, table: str, kind: type[Row]) -> tuple[Row, ...]:
    names = list(kind.__dataclass_fields__)  # type: ignore[attr-defined]
    # The seconds since 1970 are the same number for a timestamp that holds UTC and for a timestamptz,
    # whatever the session's time zone and date style are.
    columns = [
        sql.SQL("extract(epoch FROM {}) * 1000000").format(sql.Identifier(name))
        if name in TIMES
        else sql.SQL("{}::text").format(sql.Identifier(name))
        if name in TEXTS
        else sql.Identifier(name)
        for name in names
    ]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), sql.Identifier(schema, table))
    timed = [position for position, name in enumerate(names) if name in TIMES]
    rows = []
    with connection.cursor(row_factory=tuple_row) as cursor:
        for row in cursor.execute(query):
            values = list(row)
            for position in timed:
                if values[position] is not None:
                    values[position] = moment_of(values[position])
            rows.append(kind(*values))
    return tuple(rows)


def moment_of(microseconds: Decimal) -> datetime:
    """Give the time so long after 1970, or the first or last one of the years 1 to 9999, which alone can be printed."""
    first, last = ((end - EPOCH) // timedelta(microseconds=1) for end in (FIRST_MOMENT, LAST_MOMENT))
    return EPOCH + timedelta(microseconds=int(min(max(microseconds, Decimal(first)), Decimal(last))))


class DatabaseLower:
    """The database's own lower(), asked once for each text."""

    def __init__(self, connection: Connection) -> None:
        """Start with nothing known."""
        self._connection = connection
        self._known: dict[str, str] = {}

    def learn(self, texts: set[str]) -> None:
        """Ask for many texts in one statement."""
        unknown = sorted(texts - self._known.keys())
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(
                'SELECT lower(given COLLATE "default")'
                " FROM unnest(%s::text[]) WITH ORDINALITY AS u (given, place) ORDER BY place",
                (unknown,),
            )
            self._known.update(zip(unknown, (row[0] for row in cursor), strict=True))

    def __call__(self, text: str) -> str:
        """Give lower() of a text."""
        if text not in self._known:
            self.learn({text})
        return self._known[text]
