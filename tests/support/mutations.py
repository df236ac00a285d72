"""Random changes of the source tables, of every kind that a platform makes, for any number of connections."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from tests.support import edge_cases
from tests.support.edge_cases import Connection, EdgeCases, Row, as_written, copy_rows

PEOPLE = 40
TRIES = 3

# What a write of a busy platform may run into; everything else is a failure of the test.
AGAIN = (
    psycopg.errors.SerializationFailure,
    psycopg.errors.DeadlockDetected,
    psycopg.errors.LockNotAvailable,
)
SKIP = (
    psycopg.errors.UniqueViolation,
    psycopg.errors.ForeignKeyViolation,
    psycopg.errors.CardinalityViolation,
)

KEYS = {
    "users": "user_id",
    "phone_numbers": "id",
    "agents": "agent_id",
    "conversations": "conversation_id",
    "messages": "message_id",
    "extractions": "extraction_id",
    "contacts": "contact_id",
    "templates": "template_id",
    "template_sends": "send_id",
}


class NothingToChangeError(Exception):
    """The tables hold no row of the wanted kind."""


class _RollBackError(Exception):
    """Ends a transaction that must leave no trace."""


class Writer:
    """Makes single changes through one connection, in the transaction that is open there."""

    def __init__(self, rng: random.Random, connection: Connection, now: datetime | None = None) -> None:
        """Take the randomness and the connection."""
        self.rng = rng
        self.connection = connection
        self.cases = EdgeCases(rng, now)

    def execute(self, query: str, *values: object) -> int:
        """Run a statement with values and tell how many rows it wrote."""
        cursor = self.connection.execute(query.encode(), [as_written(value) for value in values] or None)
        return cursor.rowcount

    def fetch(self, query: str, *values: object) -> tuple[object, ...] | None:
        """Run a query and give its first row."""
        with self.connection.cursor(row_factory=tuple_row) as cursor:
            return cursor.execute(query.encode(), [as_written(value) for value in values]).fetchone()

    def pick_or_none(self, table: str, condition: str = "true", *values: object) -> str | None:
        """Choose the key of an existing row, the same one for the same data and the same randomness."""
        key = KEYS[table]
        found = self.fetch(
            f'SELECT {key}::text FROM {table} WHERE {condition} ORDER BY {key}::text COLLATE "C"'
            f" OFFSET floor(%s::float8 * (SELECT count(*) FROM {table} WHERE {condition})) LIMIT 1",
            *values,
            self.rng.random(),
            *values,
        )
        return None if found is None else str(found[0])

    def pick(self, table: str, condition: str = "true", *values: object) -> str:
        """Choose the key of an existing row, or give up."""
        key = self.pick_or_none(table, condition, *values)
        if key is None:
            raise NothingToChangeError(table)
        return key

    def pick_message(self) -> str:
        """Choose a message, by its conversation where that has some, which spares a walk over all."""
        conversation_id = self.conversation()
        return self.pick_or_none("messages", "conversation_id = %s", conversation_id) or self.pick("messages")

    def insert(self, table: str, row: Mapping[str, object], clause: str = "") -> None:
        """Insert a row."""
        self.insert_all(table, [row], clause)

    def insert_all(self, table: str, rows: Sequence[Mapping[str, object]], clause: str = "") -> None:
        """Insert rows in one statement."""
        columns = list(rows[0])
        one = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(columns)))
        statement = sql.SQL("INSERT INTO {} ({}) VALUES {} {}").format(
            sql.Identifier(table),
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.SQL(", ").join([one] * len(rows)),
            sql.SQL(clause),
        )
        self.connection.execute(statement, [as_written(row[column]) for row in rows for column in columns])

    def update(self, table: str, key: str, **changes: object) -> None:
        """Update a row by its key."""
        statement = sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(
            sql.Identifier(table),
            sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in changes),
            sql.Identifier(KEYS[table]),
        )
        self.connection.execute(statement, [*(as_written(value) for value in changes.values()), key])

    def delete(self, table: str, key: str) -> None:
        """Delete a row by its key."""
        self.execute(f"DELETE FROM {table} WHERE {KEYS[table]} = %s", key)

    def user(self) -> str:
        """Choose a tenant; make one where there is none."""
        return self.pick_or_none("users") or self.new_user()

    def new_user(self) -> str:
        """Insert a tenant."""
        row = self.cases.user()
        self.insert("users", row)
        return str(row["user_id"])

    def channel(self) -> str:
        """Choose a channel; make one where there is none."""
        return self.pick_or_none("phone_numbers") or self.new_channel()

    def new_channel(self) -> str:
        """Insert a channel."""
        row = self.cases.channel(self.user())
        self.insert("phone_numbers", row)
        return str(row["id"])

    def free_channel(self) -> str:
        """Choose a channel without an agent; make one where there is none."""
        free = "id NOT IN (SELECT phone_number_id FROM agents)"
        return self.pick_or_none("phone_numbers", free) or self.new_channel()

    def agent(self) -> str:
        """Choose an agent; make one where there is none."""
        return self.pick_or_none("agents") or self.new_agent()

    def new_agent(self) -> str:
        """Insert an agent on a free channel."""
        row = self.cases.agent(self.user(), self.free_channel())
        self.insert("agents", row)
        return str(row["agent_id"])

    def conversation(self) -> str:
        """Choose a conversation; make one where there is none."""
        return self.pick_or_none("conversations") or self.new_conversation()

    def new_conversation(self) -> str:
        """Insert a conversation."""
        row = self.cases.conversation(self.agent(), PEOPLE)
        self.insert("conversations", row)
        return str(row["conversation_id"])

    def template(self) -> str:
        """Choose a template; make one where there is none."""
        return self.pick_or_none("templates") or self.new_template()

    def new_template(self) -> str:
        """Insert a template."""
        row = self.cases.template(self.user(), self.channel())
        self.insert("templates", row)
        return str(row["template_id"])

    def new_messages(self, conversation_id: str, count: int) -> list[Row]:
        """Make messages that continue a conversation, with gaps and without numbers now and then."""
        found = self.fetch(
            "SELECT coalesce(max(sequence_no), 0) FROM messages WHERE conversation_id = %s", conversation_id
        )
        last = int(str(found[0])) if found else 0
        rows = []
        for _ in range(count):
            last += self.cases.one_of((1, 1, 1, 2, 9))
            rows.append(self.cases.message(conversation_id, None if self.cases.chance(0.1) else last))
        return rows


Change = Callable[[Writer], str]
CHANGES: dict[str, tuple[float, Change]] = {}
REPLICA_CHANGES: dict[str, tuple[float, Change]] = {}


def change(weight: float, changes: dict[str, tuple[float, Change]] = CHANGES) -> Callable[[Change], Change]:
    """Declare a kind of change and how often it comes."""

    def declare(function: Change) -> Change:
        changes[function.__name__] = (weight, function)
        return function

    return declare


# Messages.


@change(14)
def insert_message(writer: Writer) -> str:
    """Insert one message."""
    conversation_id = writer.conversation()
    [row] = writer.new_messages(conversation_id, 1)
    row["timestamp"] = writer.cases.now
    writer.insert("messages", row)
    return f"{row['message_id']} in {conversation_id}"


@change(6)
def insert_late_message(writer: Writer) -> str:
    """Insert one message with a time and a number of long ago."""
    conversation_id = writer.conversation()
    [row] = writer.new_messages(conversation_id, 1)
    row["sequence_no"] = writer.cases.one_of((None, 0, -1, -(2**31), writer.rng.randrange(-1000, 0)))
    writer.insert("messages", row)
    return f"{row['message_id']} in {conversation_id}"


@change(2)
def insert_messages(writer: Writer) -> str:
    """Insert messages of several conversations in one statement."""
    rows = []
    for conversation_id in sorted({writer.conversation() for _ in range(4)}):
        rows += writer.new_messages(conversation_id, writer.rng.randint(1, 5))
    writer.rng.shuffle(rows)
    writer.insert_all("messages", rows)
    return f"{len(rows)} rows"


@change(2)
def copy_messages(writer: Writer) -> str:
    """Import messages by COPY."""
    rows = []
    for conversation_id in sorted({writer.conversation() for _ in range(4)}):
        rows += writer.new_messages(conversation_id, writer.rng.randint(1, 10))
    copy_rows(writer.connection, "messages", rows)
    return f"{len(rows)} rows"


@change(6)
def update_message_status(writer: Writer) -> str:
    """Change the status of one message."""
    message_id, status = writer.pick_message(), writer.cases.one_of(edge_cases.MESSAGE_STATUSES)
    writer.update("messages", message_id, status=status)
    return f"{message_id} to {status!r}"


@change(1)
def read_conversation(writer: Writer) -> str:
    """Mark all messages of a conversation as read."""
    conversation_id = writer.conversation()
    count = writer.execute(
        "UPDATE messages SET status = 'read' WHERE conversation_id = %s AND sender = 'agent'", conversation_id
    )
    return f"{count} rows of {conversation_id}"


@change(3)
def update_message_text(writer: Writer) -> str:
    """Edit one message."""
    message_id = writer.pick_message()
    writer.update("messages", message_id, text=writer.cases.one_of((*edge_cases.TEXTS, None)))
    return message_id


@change(3)
def update_message_time(writer: Writer) -> str:
    """Move one message in time."""
    message_id, moment = writer.pick_message(), writer.cases.moment_or_none()
    writer.update("messages", message_id, timestamp=moment)
    return f"{message_id} to {moment}"


@change(2)
def update_message_place(writer: Writer) -> str:
    """Change sender and number of one message."""
    message_id, number = writer.pick_message(), writer.cases.one_of((None, writer.rng.randrange(10**6)))
    writer.update("messages", message_id, sequence_no=number, sender=writer.cases.one_of(edge_cases.SENDERS))
    return f"{message_id} to {number}"


@change(4)
def delete_message(writer: Writer) -> str:
    """Delete one message."""
    message_id = writer.pick_message()
    writer.delete("messages", message_id)
    return message_id


@change(1)
def delete_messages_of_conversation(writer: Writer) -> str:
    """Empty a conversation, but leave it."""
    conversation_id = writer.conversation()
    count = writer.execute("DELETE FROM messages WHERE conversation_id = %s", conversation_id)
    return f"{count} rows of {conversation_id}"


@change(3)
def move_message(writer: Writer) -> str:
    """Move one message to another conversation."""
    message_id, conversation_id = writer.pick_message(), writer.conversation()
    number = writer.cases.one_of((None, writer.rng.randrange(10**6)))
    writer.update("messages", message_id, conversation_id=conversation_id, sequence_no=number)
    return f"{message_id} to {conversation_id}"


@change(1)
def move_all_messages(writer: Writer) -> str:
    """Move all messages of a conversation to another."""
    origin, target = writer.conversation(), writer.conversation()
    count = writer.execute(
        "UPDATE messages SET conversation_id = %s, sequence_no = NULL WHERE conversation_id = %s",
        target,
        origin,
    )
    return f"{count} rows from {origin} to {target}"


@change(1)
def replace_message(writer: Writer) -> str:
    """Delete a message and insert another under its key, in one transaction."""
    message_id = writer.pick_message()
    [row] = writer.new_messages(writer.conversation(), 1)
    writer.delete("messages", message_id)
    writer.insert("messages", {**row, "message_id": message_id})
    return message_id


@change(2)
def upsert_messages(writer: Writer) -> str:
    """Insert messages, known and new ones, that update what is there."""
    rows = writer.new_messages(writer.conversation(), 2)
    rows[0]["message_id"] = writer.pick_message()
    writer.insert_all(
        "messages",
        rows,
        "ON CONFLICT (message_id) DO UPDATE SET status = excluded.status, text = excluded.text,"
        " timestamp = excluded.timestamp",
    )
    return f"{rows[0]['message_id']} and {rows[1]['message_id']}"


@change(1)
def insert_known_message(writer: Writer) -> str:
    """Insert a message that is there already, which does nothing."""
    [row] = writer.new_messages(writer.conversation(), 1)
    row["message_id"] = writer.pick_message()
    writer.insert("messages", row, "ON CONFLICT DO NOTHING")
    return str(row["message_id"])


@change(2)
def merge_messages(writer: Writer) -> str:
    """Update, delete and insert messages in one MERGE."""
    known, doomed = writer.pick_message(), writer.pick_message()
    [row] = writer.new_messages(writer.conversation(), 1)
    writer.execute(
        "MERGE INTO messages USING (VALUES (%s, %s), (%s, %s), (%s, %s)) AS given (id, action)"
        " ON messages.message_id = given.id"
        " WHEN MATCHED AND given.action = 'delete' THEN DELETE"
        " WHEN MATCHED THEN UPDATE SET text = %s, status = %s"
        " WHEN NOT MATCHED THEN INSERT (message_id, conversation_id, sender, text, timestamp, status)"
        " VALUES (given.id, %s, %s, %s, %s, %s)",
        *(known, "update", doomed, "delete", row["message_id"], "insert"),
        *(row["text"], row["status"]),
        *(row[column] for column in ("conversation_id", "sender", "text", "timestamp", "status")),
    )
    return f"{known} updated, {doomed} deleted, {row['message_id']} inserted"


# Conversations.


@change(5)
def insert_conversation(writer: Writer) -> str:
    """Insert a conversation, with a first message more often than not."""
    conversation_id = writer.new_conversation()
    if writer.cases.chance(0.6):
        writer.insert_all("messages", writer.new_messages(conversation_id, writer.rng.randint(1, 3)))
    return conversation_id


@change(1)
def copy_conversations(writer: Writer) -> str:
    """Import conversations and their messages by COPY."""
    rows = [writer.cases.conversation(writer.agent(), PEOPLE) for _ in range(3)]
    copy_rows(writer.connection, "conversations", rows)
    for row in rows:
        copy_rows(writer.connection, "messages", writer.new_messages(str(row["conversation_id"]), 3))
    return f"{len(rows)} rows"


@change(4)
def update_conversation_phone(writer: Writer) -> str:
    """Give a conversation to another customer, or spell its customer in another way."""
    conversation_id, phone = writer.conversation(), writer.cases.phone(PEOPLE)
    writer.update("conversations", conversation_id, customer_phone=phone)
    return f"{conversation_id} to {phone!r}"


@change(4)
def move_conversation(writer: Writer) -> str:
    """Give a conversation to another agent, which may be another tenant's."""
    conversation_id, agent_id = writer.conversation(), writer.agent()
    writer.update("conversations", conversation_id, agent_id=agent_id)
    return f"{conversation_id} to {agent_id}"


@change(4)
def update_conversation(writer: Writer) -> str:
    """Change the flag and the times of a conversation."""
    conversation_id = writer.conversation()
    writer.update(
        "conversations",
        conversation_id,
        is_active=writer.cases.is_active(),
        created_at=writer.cases.moment_or_none(),
        last_message_at=writer.cases.moment_or_none(),
    )
    return conversation_id


@change(1)
def upsert_conversation(writer: Writer) -> str:
    """Insert a conversation that updates the one there."""
    row = writer.cases.conversation(writer.agent(), PEOPLE)
    row["conversation_id"] = writer.conversation()
    writer.insert(
        "conversations",
        row,
        "ON CONFLICT (conversation_id) DO UPDATE SET customer_phone = excluded.customer_phone,"
        " agent_id = excluded.agent_id, is_active = excluded.is_active",
    )
    return str(row["conversation_id"])


@change(1)
def respell_conversations(writer: Writer) -> str:
    """Put a plus before the phones of all conversations of an agent."""
    agent_id = writer.agent()
    count = writer.execute(
        "UPDATE conversations SET customer_phone = '+' || customer_phone"
        " WHERE agent_id = %s AND customer_phone ~ '^[0-9]{10,15}$'",
        agent_id,
    )
    return f"{count} rows of {agent_id}"


@change(2)
def delete_conversation(writer: Writer) -> str:
    """Delete a conversation and, by cascade, what hangs on it."""
    conversation_id = writer.pick("conversations")
    writer.delete("conversations", conversation_id)
    return conversation_id


# Agents and channels.


@change(2)
def insert_agent(writer: Writer) -> str:
    """Insert an agent."""
    return writer.new_agent()


@change(2)
def rename_agent(writer: Writer) -> str:
    """Rename an agent."""
    agent_id, name = writer.agent(), writer.cases.one_of(edge_cases.AGENT_NAMES)
    writer.update("agents", agent_id, name=name)
    return f"{agent_id} to {name!r}"


@change(2)
def relink_agent(writer: Writer) -> str:
    """Link an agent to another channel."""
    agent_id, channel_id = writer.agent(), writer.free_channel()
    writer.update("agents", agent_id, phone_number_id=channel_id)
    return f"{agent_id} to {channel_id}"


@change(1.5)
def move_agent(writer: Writer) -> str:
    """Give an agent with all its conversations to another tenant."""
    agent_id, user_id = writer.agent(), writer.user()
    writer.update("agents", agent_id, user_id=user_id)
    return f"{agent_id} to {user_id}"


@change(0.4)
def delete_agent(writer: Writer) -> str:
    """Delete an agent and, by cascade, what hangs on it."""
    agent_id = writer.pick("agents")
    writer.delete("agents", agent_id)
    return agent_id


@change(1)
def insert_channel(writer: Writer) -> str:
    """Insert a channel."""
    return writer.new_channel()


@change(2)
def update_channel_platform(writer: Writer) -> str:
    """Change the platform of a channel."""
    channel_id, platform = writer.channel(), writer.cases.platform()
    writer.update("phone_numbers", channel_id, platform=platform)
    return f"{channel_id} to {platform!r}"


@change(0.5)
def move_channel(writer: Writer) -> str:
    """Give a channel to another tenant, which changes no lead."""
    channel_id, user_id = writer.channel(), writer.user()
    writer.update("phone_numbers", channel_id, user_id=user_id, display_name="moved")
    return f"{channel_id} to {user_id}"


@change(0.2)
def delete_channel(writer: Writer) -> str:
    """Delete a channel and, by cascade, its agent and templates."""
    channel_id = writer.pick("phone_numbers")
    writer.delete("phone_numbers", channel_id)
    return channel_id


# Contacts.


@change(3)
def insert_contact(writer: Writer) -> str:
    """Insert a contact."""
    row = writer.cases.contact(writer.user(), PEOPLE)
    writer.insert("contacts", row)
    return f"{row['contact_id']} {row['phone']!r}"


@change(4)
def update_contact(writer: Writer) -> str:
    """Edit a contact."""
    contact_id = writer.pick("contacts")
    row = writer.cases.contact("", PEOPLE)
    del row["contact_id"], row["user_id"], row["phone"]
    columns = writer.rng.sample(list(row), writer.rng.randint(1, 4))
    writer.update("contacts", contact_id, **{column: row[column] for column in columns})
    return f"{contact_id} {', '.join(columns)}"


@change(2)
def update_contact_phone(writer: Writer) -> str:
    """Give a contact another phone, or another spelling."""
    contact_id, phone = writer.pick("contacts"), writer.cases.contact_phone(PEOPLE)
    writer.update("contacts", contact_id, phone=phone)
    return f"{contact_id} to {phone!r}"


@change(1)
def move_contact(writer: Writer) -> str:
    """Give a contact to another tenant."""
    contact_id, user_id = writer.pick("contacts"), writer.user()
    writer.update("contacts", contact_id, user_id=user_id)
    return f"{contact_id} to {user_id}"


@change(2)
def delete_contact(writer: Writer) -> str:
    """Delete a contact."""
    contact_id = writer.pick("contacts")
    writer.delete("contacts", contact_id)
    return contact_id


@change(1)
def copy_contacts(writer: Writer) -> str:
    """Import contacts by COPY."""
    user_id = writer.user()
    copy_rows(writer.connection, "contacts", [writer.cases.contact(user_id, PEOPLE * 20) for _ in range(5)])
    return f"5 rows of {user_id}"


@change(2)
def upsert_contact(writer: Writer) -> str:
    """Insert a contact that updates the one there."""
    row = writer.cases.contact(writer.user(), PEOPLE)
    writer.insert(
        "contacts",
        row,
        "ON CONFLICT (user_id, phone) DO UPDATE SET name = excluded.name, email = excluded.email,"
        " updated_at = excluded.updated_at",
    )
    return f"{row['contact_id']} {row['phone']!r}"


@change(1)
def merge_contacts(writer: Writer) -> str:
    """Update a contact and insert another in one MERGE."""
    contact_id = writer.pick("contacts")
    row = writer.cases.contact(writer.user(), PEOPLE)
    writer.execute(
        "MERGE INTO contacts USING (VALUES (%s), (%s)) AS given (id) ON contacts.contact_id = given.id"
        " WHEN MATCHED THEN UPDATE SET name = %s, company = NULL, updated_at = %s"
        " WHEN NOT MATCHED THEN INSERT (contact_id, user_id, phone, name) VALUES (given.id, %s, %s, %s)",
        *(contact_id, row["contact_id"]),
        *(row["name"], row["updated_at"]),
        *(row["user_id"], row["phone"], row["name"]),
    )
    return f"{contact_id} updated, {row['contact_id']} inserted"


# Extractions.


@change(6)
def run_extraction(writer: Writer) -> str:
    """Insert an extraction as the platform does: the older ones are no longer the latest."""
    conversation_id = writer.conversation()
    writer.execute(
        "UPDATE extractions SET is_latest = false WHERE conversation_id = %s AND is_latest", conversation_id
    )
    row = writer.cases.extraction(conversation_id, is_latest=True)
    writer.insert("extractions", row)
    return f"{row['extraction_id']} of {conversation_id}"


@change(2)
def insert_old_extraction(writer: Writer) -> str:
    """Insert an extraction that is not the latest."""
    row = writer.cases.extraction(writer.conversation(), is_latest=writer.cases.one_of((False, None)))
    writer.insert("extractions", row)
    return f"{row['extraction_id']} of {row['conversation_id']}"


@change(3)
def update_extraction(writer: Writer) -> str:
    """Change some values of an extraction."""
    extraction_id = writer.pick("extractions")
    row = writer.cases.extraction("", is_latest=None)
    del row["extraction_id"], row["conversation_id"], row["is_latest"]
    columns = writer.rng.sample(list(row), writer.rng.randint(1, 4))
    writer.update("extractions", extraction_id, **{column: row[column] for column in columns})
    return f"{extraction_id} {', '.join(columns)}"


@change(1)
def forget_latest_extraction(writer: Writer) -> str:
    """Take the flag from the latest extraction of a conversation."""
    extraction_id, flag = writer.pick("extractions", "is_latest"), writer.cases.one_of((False, None))
    writer.update("extractions", extraction_id, is_latest=flag)
    return f"{extraction_id} to {flag}"


@change(1)
def move_extraction(writer: Writer) -> str:
    """Move an extraction to another conversation."""
    extraction_id, conversation_id = writer.pick("extractions"), writer.conversation()
    writer.update("extractions", extraction_id, conversation_id=conversation_id, is_latest=False)
    return f"{extraction_id} to {conversation_id}"


@change(2)
def delete_extraction(writer: Writer) -> str:
    """Delete an extraction."""
    extraction_id = writer.pick("extractions")
    writer.delete("extractions", extraction_id)
    return extraction_id


# Templates and their sends.


@change(0.5)
def insert_template(writer: Writer) -> str:
    """Insert a template."""
    return writer.new_template()


@change(1)
def move_template(writer: Writer) -> str:
    """Give a template to another tenant, to another channel, or both."""
    template_id = writer.template()
    changes = {"user_id": writer.user(), "phone_number_id": writer.channel()}
    for column in writer.rng.sample(list(changes), writer.rng.randint(0, 1)):
        del changes[column]
    writer.update("templates", template_id, **changes)
    return f"{template_id} to {changes}"


@change(0.3)
def rename_template(writer: Writer) -> str:
    """Rename a template, which changes no lead."""
    template_id = writer.template()
    writer.update("templates", template_id, name=writer.cases.one_of(edge_cases.AGENT_NAMES))
    return template_id


@change(0.3)
def delete_template(writer: Writer) -> str:
    """Delete a template and, by cascade, its sends."""
    template_id = writer.pick("templates")
    writer.delete("templates", template_id)
    return template_id


@change(5)
def insert_template_send(writer: Writer) -> str:
    """Insert a template send."""
    conversation_id = writer.conversation() if writer.cases.chance(0.2) else None
    row = writer.cases.template_send(writer.template(), conversation_id, PEOPLE)
    writer.insert("template_sends", row)
    return f"{row['send_id']} {row['customer_phone']!r} {row['status']!r}"


@change(1)
def copy_template_sends(writer: Writer) -> str:
    """Import the sends of a campaign by COPY."""
    template_id = writer.template()
    rows = [writer.cases.template_send(template_id, None, PEOPLE * 2) for _ in range(8)]
    copy_rows(writer.connection, "template_sends", rows)
    return f"{len(rows)} rows of {template_id}"


@change(5)
def update_send_status(writer: Writer) -> str:
    """Change the status of a template send."""
    send_id, status = writer.pick("template_sends"), writer.cases.one_of(edge_cases.SEND_STATUSES)
    writer.update("template_sends", send_id, status=status, sent_at=writer.cases.moment_or_none())
    return f"{send_id} to {status!r}"


@change(1)
def update_send_time(writer: Writer) -> str:
    """Change the times of a template send."""
    send_id = writer.pick("template_sends")
    writer.update("template_sends", send_id, sent_at=None, created_at=writer.cases.moment_or_none())
    return send_id


@change(2)
def update_send_phone(writer: Writer) -> str:
    """Give a template send to another customer, or spell it in another way."""
    send_id, phone = writer.pick("template_sends"), writer.cases.phone(PEOPLE)
    writer.update("template_sends", send_id, customer_phone=phone)
    return f"{send_id} to {phone!r}"


@change(1)
def move_send(writer: Writer) -> str:
    """Move a send to another template and another conversation."""
    send_id, template_id = writer.pick("template_sends"), writer.template()
    writer.update("template_sends", send_id, template_id=template_id, conversation_id=writer.conversation())
    return f"{send_id} to {template_id}"


@change(1)
def delete_send(writer: Writer) -> str:
    """Delete a template send."""
    send_id = writer.pick("template_sends")
    writer.delete("template_sends", send_id)
    return send_id


@change(1)
def merge_sends(writer: Writer) -> str:
    """Update the sends of a template in one MERGE and insert another."""
    row = writer.cases.template_send(writer.template(), None, PEOPLE)
    columns = ("template_id", "customer_phone", "status", "created_at")
    writer.execute(
        "MERGE INTO template_sends USING"
        " (SELECT send_id FROM template_sends WHERE template_id = %s UNION ALL SELECT %s) AS given (id)"
        " ON template_sends.send_id = given.id"
        " WHEN MATCHED THEN UPDATE SET status = 'READ'"
        " WHEN NOT MATCHED THEN INSERT (send_id, template_id, customer_phone, status, created_at)"
        " VALUES (given.id, %s, %s, %s, %s)",
        *(row["template_id"], row["send_id"]),
        *(row[column] for column in columns),
    )
    return f"of {row['template_id']}"


# Tenants, and changes of more than one row or table.


@change(0.5)
def insert_tenant(writer: Writer) -> str:
    """Insert a tenant with a little of everything."""
    rows = edge_cases.generate(writer.rng, writer.rng.randint(3, 12), now=writer.cases.now)
    edge_cases.write(writer.connection, rows)
    return f"{len(rows)} rows"


@change(0.1)
def delete_tenant(writer: Writer) -> str:
    """Delete a tenant and, by cascade, everything of it."""
    user_id = writer.pick("users")
    writer.delete("users", user_id)
    return user_id


@change(0.5)
def update_tenant(writer: Writer) -> str:
    """Change a tenant's name, which changes no lead."""
    user_id = writer.user()
    writer.update("users", user_id, company_name=writer.cases.one_of(edge_cases.COMPANIES))
    return user_id


@change(2)
def update_nothing(writer: Writer) -> str:
    """Update rows to what they are."""
    table = writer.cases.one_of(list(KEYS))
    count = writer.execute(f"UPDATE {table} SET {KEYS[table]} = {KEYS[table]}")
    return f"{count} rows of {table}"


@change(1)
def update_no_row(writer: Writer) -> str:
    """Update, delete and insert no row at all."""
    writer.execute("UPDATE messages SET text = 'never' WHERE false")
    writer.execute("DELETE FROM conversations WHERE false")
    writer.execute("INSERT INTO messages (message_id, conversation_id) SELECT 'a', 'b' WHERE false")
    return "three statements"


@change(2)
def update_primary_key(writer: Writer) -> str:
    """Give a row that nothing refers to another key."""
    unused = {
        "messages": "true",
        "extractions": "true",
        "contacts": "true",
        "template_sends": "true",
        "conversations": "NOT EXISTS (SELECT FROM messages m WHERE m.conversation_id = c.conversation_id)"
        " AND NOT EXISTS (SELECT FROM extractions e WHERE e.conversation_id = c.conversation_id)"
        " AND NOT EXISTS (SELECT FROM template_sends s WHERE s.conversation_id = c.conversation_id)",
        "agents": "NOT EXISTS (SELECT FROM conversations o WHERE o.agent_id = c.agent_id)",
        "templates": "NOT EXISTS (SELECT FROM template_sends s WHERE s.template_id = c.template_id)",
    }
    table = writer.cases.one_of(list(unused))
    condition = f"{KEYS[table]} IN (SELECT c.{KEYS[table]} FROM {table} c WHERE {unused[table]})"
    key = writer.pick(table, condition)
    new = writer.cases.uuid() if table == "extractions" else writer.cases.identifier("renamed")
    writer.update(table, key, **{KEYS[table]: new})
    return f"{table} {key} to {new}"


@change(0.5)
def rename_conversation(writer: Writer) -> str:
    """Give a conversation and all that refers to it another key, in one statement."""
    old, new = writer.conversation(), writer.cases.identifier("renamed")
    writer.execute(
        "WITH moved_messages AS"
        " (UPDATE messages SET conversation_id = %s WHERE conversation_id = %s),"
        " moved_extractions AS (UPDATE extractions SET conversation_id = %s WHERE conversation_id = %s),"
        " moved_sends AS (UPDATE template_sends SET conversation_id = %s WHERE conversation_id = %s)"
        " UPDATE conversations SET conversation_id = %s WHERE conversation_id = %s",
        *(new, old) * 4,
    )
    return f"{old} to {new}"


@change(1)
def swap_customers(writer: Writer) -> str:
    """Swap the customers of two conversations in one statement."""
    one, other = writer.conversation(), writer.conversation()
    writer.execute(
        "UPDATE conversations SET customer_phone = o.customer_phone FROM conversations o"
        " WHERE conversations.conversation_id IN (%s, %s) AND o.conversation_id IN (%s, %s)"
        " AND o.conversation_id <> conversations.conversation_id",
        *(one, other) * 2,
    )
    return f"{one} and {other}"


@change(0.5)
def rename_all_agents(writer: Writer) -> str:
    """Rename every agent of a tenant."""
    user_id = writer.user()
    count = writer.execute("UPDATE agents SET name = coalesce(name, '') || '!' WHERE user_id = %s", user_id)
    return f"{count} rows of {user_id}"


@change(2)
def change_and_change_back(writer: Writer) -> str:
    """Move a conversation away and back again in one transaction."""
    conversation_id = writer.conversation()
    found = writer.fetch(
        "SELECT customer_phone, agent_id FROM conversations WHERE conversation_id = %s", conversation_id
    )
    if found is None:
        raise NothingToChangeError
    writer.update("conversations", conversation_id, customer_phone="elsewhere", agent_id=writer.agent())
    writer.update("conversations", conversation_id, customer_phone=found[0], agent_id=found[1])
    return conversation_id


@change(3)
def several_changes(writer: Writer) -> str:
    """Make several changes in one transaction, some of them undone by a savepoint."""
    done = []
    for _ in range(writer.rng.randint(2, 5)):
        name, function = _choose(writer.rng, CHANGES)
        try:
            with writer.connection.transaction():
                detail = function(writer)
                if writer.cases.chance(0.2):
                    _roll_back()
        except (*SKIP, NothingToChangeError, _RollBackError) as error:
            detail = f"undone ({type(error).__name__})"
        done.append(f"{name}: {detail}")
    return "; ".join(done)


@change(1)
def rolled_back_change(writer: Writer) -> str:
    """Make a change that is rolled back."""
    name, function = _choose(writer.rng, CHANGES)
    try:
        with writer.connection.transaction():
            function(writer)
            _roll_back()
    except _RollBackError:
        return name


def _roll_back() -> NoReturn:
    raise _RollBackError


def _truncate(writer: Writer, tables: Sequence[str]) -> str:
    table = writer.cases.one_of(tables)
    writer.execute(f"TRUNCATE {table} CASCADE")
    return table


@change(0.25)
def truncate_leaf(writer: Writer) -> str:
    """Truncate a table that nothing refers to."""
    return _truncate(writer, ("messages", "extractions", "contacts", "template_sends"))


@change(0.08)
def truncate_with_cascade(writer: Writer) -> str:
    """Truncate a table and all that refer to it."""
    return _truncate(writer, ("conversations", "agents", "templates", "phone_numbers", "users"))


@change(0.1)
def truncate_and_refill(writer: Writer) -> str:
    """Truncate a table and write into it in the same transaction."""
    writer.execute("TRUNCATE messages")
    return insert_messages(writer)


# Writes of a session that acts as a replica: neither ordinary triggers nor foreign keys act on them.


@contextmanager
def _as_replica(writer: Writer) -> Iterator[None]:
    writer.execute("SET LOCAL session_replication_role = replica")
    yield
    writer.execute("SET LOCAL session_replication_role = origin")


@change(4, REPLICA_CHANGES)
def replica_change(writer: Writer) -> str:
    """Make any other change as a replica."""
    name, function = _choose(
        writer.rng, {key: value for key, value in CHANGES.items() if key != "rolled_back_change"}
    )
    with _as_replica(writer):
        return f"{name}: {function(writer)}"


@change(1, REPLICA_CHANGES)
def replica_orphan(writer: Writer) -> str:
    """Delete a parent and leave its children."""
    table = writer.cases.one_of(("conversations", "conversations", "agents", "templates", "phone_numbers"))
    with _as_replica(writer):
        key = writer.pick(table)
        writer.delete(table, key)
    return f"{table} {key}"


@change(1, REPLICA_CHANGES)
def replica_adopt(writer: Writer) -> str:
    """Insert the parent that some children lack."""
    found = writer.fetch(
        "SELECT min(conversation_id) FROM messages"
        " WHERE conversation_id NOT IN (SELECT conversation_id FROM conversations)"
    )
    if found is None or found[0] is None:
        raise NothingToChangeError
    row = {**writer.cases.conversation(writer.agent(), PEOPLE), "conversation_id": found[0]}
    with _as_replica(writer):
        writer.insert("conversations", row)
    return str(found[0])


def _choose(rng: random.Random, changes: dict[str, tuple[float, Change]]) -> tuple[str, Change]:
    [name] = rng.choices(list(changes), [weight for weight, _ in changes.values()])
    return name, changes[name][1]


def mutate(
    rng: random.Random,
    connection: Connection,
    *,
    kind: str | None = None,
    replica: bool = False,
    now: datetime | None = None,
) -> str:
    """Commit one random change, or one of a kind, and describe it.

    A connection in autocommit mode commits it; in a transaction that is open already it becomes a savepoint.
    `replica` adds writes of a session in the replica role, which needs a superuser and can leave orphans.
    """
    known = CHANGES | REPLICA_CHANGES if replica or kind in REPLICA_CHANGES else CHANGES
    name, function = _choose(rng, known) if kind is None else (kind, known[kind][1])
    writer = Writer(rng, connection, now)
    for _ in range(TRIES):
        try:
            with connection.transaction():
                return f"{name}: {function(writer)}"
        except AGAIN as error:
            reason: Exception = error
        except (*SKIP, NothingToChangeError) as error:
            return f"{name}: skipped ({type(error).__name__})"
    return f"{name}: given up ({type(reason).__name__})"
