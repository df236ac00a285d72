"""Random changes of the source tables, of every kind that a platform makes, for any number of connections."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

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
PARENTS = {"users", "phone_numbers", "agents", "conversations", "templates"}


class NothingToChangeError(Exception):
    """The tables hold no row of the wanted kind."""


class Writer:
    """Makes single changes through one connection, in the transaction that is open there."""

    def __init__(self, rng: random.Random, connection: Connection, now: datetime | None = None) -> None:
        self.rng = rng
        self.connection = connection
        self.cases = EdgeCases(rng, now)

    def execute(self, query: str, *values: object) -> int:
        cursor = self.connection.execute(query.encode(), [as_written(value) for value in values] or None)
        return cursor.rowcount

    def fetch(self, query: str, *values: object) -> tuple[object, ...] | None:
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
        key = self.pick_or_none(table, condition, *values)
        if key is None:
            raise NothingToChangeError(table)
        return key

    def insert(self, table: str, row: Mapping[str, object], clause: str = "") -> None:
        self.insert_all(table, [row], clause)

    def insert_all(self, table: str, rows: Sequence[Mapping[str, object]], clause: str = "") -> None:
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
        statement = sql.SQL("UPDATE {} SET {} WHERE {} = %s").format(
            sql.Identifier(table),
            sql.SQL(", ").join(sql.SQL("{} = %s").format(sql.Identifier(column)) for column in changes),
            sql.Identifier(KEYS[table]),
        )
        self.connection.execute(statement, [*(as_written(value) for value in changes.values()), key])

    def one(self, table: str) -> str:
        """Choose the key of a row; make one where there is none, or give up where nothing refers to such rows."""
        if table == "messages":
            # By its conversation where that has some, which spares a walk over all.
            conversation_id = self.one("conversations")
            return self.pick_or_none(table, "conversation_id = %s", conversation_id) or self.pick(table)
        return self.pick_or_none(table) or self.new(table) if table in PARENTS else self.pick(table)

    def new(self, table: str) -> str:
        row = self.row(table)
        self.insert(table, row)
        return str(row[KEYS[table]])

    def row(self, table: str) -> Row:
        make: dict[str, Callable[[], Row]] = {
            "users": self.cases.user,
            "phone_numbers": lambda: self.cases.channel(self.one("users")),
            "agents": lambda: self.cases.agent(self.one("users"), self.free_channel()),
            "conversations": lambda: self.cases.conversation(self.one("agents"), PEOPLE),
            "messages": lambda: self.new_messages(self.one("conversations"), 1)[0],
            "extractions": lambda: self.cases.extraction(
                self.one("conversations"), is_latest=self.cases.one_of((False, None))
            ),
            "contacts": lambda: self.cases.contact(self.one("users"), PEOPLE),
            "templates": lambda: self.cases.template(self.one("users"), self.one("phone_numbers")),
            "template_sends": lambda: self.cases.template_send(
                self.one("templates"), self.one("conversations") if self.cases.chance(0.2) else None, PEOPLE
            ),
        }
        return make[table]()

    def free_channel(self) -> str:
        """Choose a channel without an agent; make one where there is none."""
        free = "id NOT IN (SELECT phone_number_id FROM agents)"
        return self.pick_or_none("phone_numbers", free) or self.new("phone_numbers")

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


Value = Callable[[Writer], object]
Change = Callable[[Writer], str]


def _of(*options: object) -> Value:
    return lambda writer: writer.cases.one_of(options)


def _one(table: str) -> Value:
    return lambda writer: writer.one(table)


def _moment(writer: Writer) -> object:
    return writer.cases.moment_or_none()


def _phone(writer: Writer) -> object:
    return writer.cases.phone(PEOPLE)


def _place(writer: Writer) -> object:
    return writer.cases.one_of((None, writer.rng.randrange(10**6)))


# Kinds of changes: what they do with any table.


def _insert(table: str, clause: str = "", **columns: Value) -> Change:
    def make(writer: Writer) -> str:
        row = writer.row(table) | {name: value(writer) for name, value in columns.items()}
        writer.insert(table, row, clause)
        return str(row[KEYS[table]])

    return make


def _update(table: str, **columns: Value) -> Change:
    def make(writer: Writer) -> str:
        key, changes = writer.one(table), {name: value(writer) for name, value in columns.items()}
        writer.update(table, key, **changes)
        return f"{key} to {changes}"

    return make


def _edit(table: str, *kept: str) -> Change:
    """Update some columns of a row to those of another one, but not its key nor these."""

    def make(writer: Writer) -> str:
        key, row = writer.one(table), writer.row(table)
        columns = writer.rng.sample(sorted(row.keys() - {KEYS[table], *kept}), writer.rng.randint(1, 4))
        writer.update(table, key, **{column: row[column] for column in columns})
        return f"{key} {', '.join(columns)}"

    return make


def _delete(table: str) -> Change:
    def make(writer: Writer) -> str:
        key = writer.pick(table)
        writer.execute(f"DELETE FROM {table} WHERE {KEYS[table]} = %s", key)
        return key

    return make


def _run(query: str, **values: Value) -> Change:
    def make(writer: Writer) -> str:
        given = {name: as_written(value(writer)) for name, value in values.items()}
        cursor = writer.connection.execute(query.encode(), given or None)
        return f"{cursor.rowcount} rows, {given}"

    return make


def _copy(table: str, count: int) -> Change:
    def make(writer: Writer) -> str:
        rows = [writer.row(table) for _ in range(count)]
        copy_rows(writer.connection, table, rows)
        if table == "conversations":
            for row in rows:
                copy_rows(writer.connection, "messages", writer.new_messages(str(row["conversation_id"]), 3))
        return f"{count} rows"

    return make


def _truncate(*tables: str) -> Change:
    def make(writer: Writer) -> str:
        table = writer.cases.one_of(tables)
        writer.execute(f"TRUNCATE {table} CASCADE")
        return table

    return make


# Changes that are like no other.


def _messages_of_several_conversations(writer: Writer, most: int) -> list[Row]:
    rows = []
    for conversation_id in sorted({writer.one("conversations") for _ in range(4)}):
        rows += writer.new_messages(conversation_id, writer.rng.randint(1, most))
    return rows


def _insert_messages(writer: Writer) -> str:
    rows = _messages_of_several_conversations(writer, 5)
    writer.rng.shuffle(rows)
    writer.insert_all("messages", rows)
    return f"{len(rows)} rows"


def _copy_messages(writer: Writer) -> str:
    rows = _messages_of_several_conversations(writer, 10)
    copy_rows(writer.connection, "messages", rows)
    return f"{len(rows)} rows"


def _replace_message(writer: Writer) -> str:
    message_id, row = writer.one("messages"), writer.row("messages")
    writer.execute("DELETE FROM messages WHERE message_id = %s", message_id)
    writer.insert("messages", {**row, "message_id": message_id})
    return message_id


def _upsert_messages(writer: Writer) -> str:
    """Insert messages, a known and a new one, that update what is there."""
    rows = writer.new_messages(writer.one("conversations"), 2)
    rows[0]["message_id"] = writer.one("messages")
    writer.insert_all(
        "messages",
        rows,
        "ON CONFLICT (message_id) DO UPDATE SET status = excluded.status, text = excluded.text,"
        " timestamp = excluded.timestamp",
    )
    return f"{rows[0]['message_id']} and {rows[1]['message_id']}"


def _merge_messages(writer: Writer) -> str:
    known, doomed, row = writer.one("messages"), writer.one("messages"), writer.row("messages")
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


def _insert_conversation(writer: Writer) -> str:
    """Insert a conversation, with a first message more often than not."""
    conversation_id = writer.new("conversations")
    if writer.cases.chance(0.6):
        writer.insert_all("messages", writer.new_messages(conversation_id, writer.rng.randint(1, 3)))
    return conversation_id


def _run_extraction(writer: Writer) -> str:
    """Insert an extraction as the platform does: the older ones are no longer the latest."""
    conversation_id = writer.one("conversations")
    writer.execute(
        "UPDATE extractions SET is_latest = false WHERE conversation_id = %s AND is_latest", conversation_id
    )
    row = writer.cases.extraction(conversation_id, is_latest=True)
    writer.insert("extractions", row)
    return f"{row['extraction_id']} of {conversation_id}"


def _insert_tenant(writer: Writer) -> str:
    rows = edge_cases.generate(writer.rng, writer.rng.randint(3, 12), now=writer.cases.now)
    edge_cases.write(writer.connection, rows)
    return f"{len(rows)} rows"


def _update_primary_key(writer: Writer) -> str:
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


def _rename_conversation(writer: Writer) -> str:
    """Give a conversation and all that refers to it another key, in one statement."""
    old, new = writer.one("conversations"), writer.cases.identifier("renamed")
    writer.execute(
        "WITH moved_messages AS"
        " (UPDATE messages SET conversation_id = %s WHERE conversation_id = %s),"
        " moved_extractions AS (UPDATE extractions SET conversation_id = %s WHERE conversation_id = %s),"
        " moved_sends AS (UPDATE template_sends SET conversation_id = %s WHERE conversation_id = %s)"
        " UPDATE conversations SET conversation_id = %s WHERE conversation_id = %s",
        *(new, old) * 4,
    )
    return f"{old} to {new}"


def _change_and_change_back(writer: Writer) -> str:
    conversation_id = writer.one("conversations")
    found = writer.fetch(
        "SELECT customer_phone, agent_id FROM conversations WHERE conversation_id = %s", conversation_id
    )
    if found is None:
        raise NothingToChangeError
    writer.update("conversations", conversation_id, customer_phone="elsewhere", agent_id=writer.one("agents"))
    writer.update("conversations", conversation_id, customer_phone=found[0], agent_id=found[1])
    return conversation_id


def _several_changes(writer: Writer) -> str:
    done = []
    for _ in range(writer.rng.randint(2, 5)):
        name, function = _choose(writer.rng, CHANGES)
        try:
            with writer.connection.transaction():
                detail = function(writer)
                if writer.cases.chance(0.2):
                    detail = f"undone ({detail})"
                    raise psycopg.Rollback
        except (*SKIP, NothingToChangeError) as error:
            detail = f"undone ({type(error).__name__})"
        done.append(f"{name}: {detail}")
    return "; ".join(done)


# Writes of a session that acts as a replica: neither ordinary triggers nor foreign keys act on them.


@contextmanager
def _as_replica(writer: Writer) -> Iterator[None]:
    writer.execute("SET LOCAL session_replication_role = replica")
    yield
    writer.execute("SET LOCAL session_replication_role = origin")


def _replica_change(writer: Writer) -> str:
    name, function = _choose(writer.rng, CHANGES)
    with _as_replica(writer):
        return f"{name}: {function(writer)}"


def _replica_orphan(writer: Writer) -> str:
    """Delete a parent and leave its children."""
    table = writer.cases.one_of(("conversations", "conversations", "agents", "templates", "phone_numbers"))
    with _as_replica(writer):
        return f"{table} {_delete(table)(writer)}"


def _replica_adopt(writer: Writer) -> str:
    """Insert the parent that some children lack."""
    found = writer.fetch(
        "SELECT min(conversation_id::text) FROM messages"
        " WHERE conversation_id NOT IN (SELECT conversation_id FROM conversations)"
    )
    if found is None or found[0] is None:
        raise NothingToChangeError
    row = {**writer.row("conversations"), "conversation_id": found[0]}
    with _as_replica(writer):
        writer.insert("conversations", row)
    return str(found[0])


CHANGES: dict[str, tuple[float, Change]] = {
    # Messages.
    "insert_message": (14, _insert("messages", timestamp=lambda writer: writer.cases.now)),
    "insert_late_message": (6, _insert("messages", sequence_no=_of(None, 0, -1, -(2**31), -500))),
    "insert_messages": (2, _insert_messages),
    "copy_messages": (2, _copy_messages),
    "update_message_status": (6, _update("messages", status=_of(*edge_cases.MESSAGE_STATUSES))),
    "read_conversation": (
        1,
        _run(
            "UPDATE messages SET status = 'read' WHERE conversation_id = %(of)s AND sender = 'agent'",
            of=_one("conversations"),
        ),
    ),
    "update_message_text": (3, _update("messages", text=_of(*edge_cases.TEXTS, None))),
    "update_message_time": (3, _update("messages", timestamp=_moment)),
    "update_message_place": (2, _update("messages", sequence_no=_place, sender=_of(*edge_cases.SENDERS))),
    "delete_message": (4, _delete("messages")),
    "delete_messages_of_conversation": (
        1,
        _run("DELETE FROM messages WHERE conversation_id = %(of)s", of=_one("conversations")),
    ),
    "move_message": (3, _update("messages", conversation_id=_one("conversations"), sequence_no=_place)),
    "move_all_messages": (
        1,
        _run(
            "UPDATE messages SET conversation_id = %(to)s, sequence_no = NULL WHERE conversation_id = %(of)s",
            of=_one("conversations"),
            to=_one("conversations"),
        ),
    ),
    "replace_message": (1, _replace_message),
    "upsert_messages": (2, _upsert_messages),
    "insert_known_message": (1, _insert("messages", "ON CONFLICT DO NOTHING", message_id=_one("messages"))),
    "merge_messages": (2, _merge_messages),
    # Conversations.
    "insert_conversation": (5, _insert_conversation),
    "copy_conversations": (1, _copy("conversations", 3)),
    "update_conversation_phone": (4, _update("conversations", customer_phone=_phone)),
    "move_conversation": (4, _update("conversations", agent_id=_one("agents"))),
    "update_conversation": (
        4,
        _update(
            "conversations",
            is_active=lambda writer: writer.cases.is_active(),
            created_at=_moment,
            last_message_at=_moment,
        ),
    ),
    "upsert_conversation": (
        1,
        _insert(
            "conversations",
            "ON CONFLICT (conversation_id) DO UPDATE SET customer_phone = excluded.customer_phone,"
            " agent_id = excluded.agent_id, is_active = excluded.is_active",
            conversation_id=_one("conversations"),
        ),
    ),
    "respell_conversations": (
        1,
        _run(
            "UPDATE conversations SET customer_phone = '+' || customer_phone"
            " WHERE agent_id = %(of)s AND customer_phone ~ '^[0-9]{10,15}$'",
            of=_one("agents"),
        ),
    ),
    "delete_conversation": (2, _delete("conversations")),
    # Agents and channels.
    "insert_agent": (2, _insert("agents")),
    "rename_agent": (2, _update("agents", name=_of(*edge_cases.AGENT_NAMES))),
    "relink_agent": (2, _update("agents", phone_number_id=Writer.free_channel)),
    "move_agent": (1.5, _update("agents", user_id=_one("users"))),
    "delete_agent": (0.4, _delete("agents")),
    "insert_channel": (1, _insert("phone_numbers")),
    "update_channel_platform": (2, _update("phone_numbers", platform=lambda writer: writer.cases.platform())),
    "move_channel": (0.5, _update("phone_numbers", user_id=_one("users"), display_name=_of("moved"))),
    "delete_channel": (0.2, _delete("phone_numbers")),
    # Contacts.
    "insert_contact": (3, _insert("contacts")),
    "update_contact": (4, _edit("contacts", "user_id", "phone")),
    "update_contact_phone": (2, _update("contacts", phone=lambda writer: writer.cases.contact_phone(PEOPLE))),
    "move_contact": (1, _update("contacts", user_id=_one("users"))),
    "delete_contact": (2, _delete("contacts")),
    "copy_contacts": (1, _copy("contacts", 2)),
    "upsert_contact": (
        2,
        _insert(
            "contacts",
            "ON CONFLICT (user_id, phone) DO UPDATE SET name = excluded.name, email = excluded.email,"
            " updated_at = excluded.updated_at",
        ),
    ),
    # Extractions.
    "run_extraction": (6, _run_extraction),
    "insert_old_extraction": (2, _insert("extractions")),
    "update_extraction": (3, _edit("extractions", "conversation_id", "is_latest")),
    "forget_latest_extraction": (1, _update("extractions", is_latest=_of(*(False, None)))),
    "move_extraction": (
        1,
        _update("extractions", conversation_id=_one("conversations"), is_latest=_of(*(False,))),
    ),
    "delete_extraction": (2, _delete("extractions")),
    # Templates and their sends.
    "insert_template": (0.5, _insert("templates")),
    "give_template": (0.5, _update("templates", user_id=_one("users"))),
    "move_template": (
        0.5,
        _update("templates", user_id=_one("users"), phone_number_id=_one("phone_numbers")),
    ),
    "rename_template": (0.3, _update("templates", name=_of(*edge_cases.AGENT_NAMES))),
    "delete_template": (0.3, _delete("templates")),
    "insert_template_send": (5, _insert("template_sends")),
    "copy_template_sends": (1, _copy("template_sends", 8)),
    "update_send_status": (
        5,
        _update("template_sends", status=_of(*edge_cases.SEND_STATUSES), sent_at=_moment),
    ),
    "update_send_time": (1, _update("template_sends", sent_at=_of(None), created_at=_moment)),
    "update_send_phone": (2, _update("template_sends", customer_phone=_phone)),
    "move_send": (
        1,
        _update("template_sends", template_id=_one("templates"), conversation_id=_one("conversations")),
    ),
    "delete_send": (1, _delete("template_sends")),
    # Tenants, and changes of more than one row or table.
    "insert_tenant": (0.5, _insert_tenant),
    "delete_tenant": (0.1, _delete("users")),
    "update_tenant": (0.5, _update("users", company_name=_of(*edge_cases.COMPANIES))),
    "update_primary_key": (2, _update_primary_key),
    "rename_conversation": (0.5, _rename_conversation),
    "swap_customers": (
        1,
        _run(
            "UPDATE conversations SET customer_phone = o.customer_phone FROM conversations o"
            " WHERE conversations.conversation_id IN (%(one)s, %(other)s)"
            " AND o.conversation_id IN (%(one)s, %(other)s)"
            " AND o.conversation_id <> conversations.conversation_id",
            one=_one("conversations"),
            other=_one("conversations"),
        ),
    ),
    "rename_all_agents": (
        0.5,
        _run(
            "UPDATE agents SET name = coalesce(name, '') || '!' WHERE user_id = %(user_id)s",
            user_id=_one("users"),
        ),
    ),
    "change_and_change_back": (2, _change_and_change_back),
    "several_changes": (3, _several_changes),
    "truncate_leaf": (0.25, _truncate("messages", "extractions", "contacts", "template_sends")),
    "truncate_with_cascade": (
        0.08,
        _truncate("conversations", "agents", "templates", "phone_numbers", "users"),
    ),
    "truncate_and_refill": (
        0.1,
        lambda writer: f"{_truncate('messages')(writer)}, {_insert_messages(writer)}",
    ),
}
"""Each kind of change, and how often it comes."""

REPLICA_CHANGES: dict[str, tuple[float, Change]] = {
    "replica_change": (4, _replica_change),
    "replica_orphan": (1, _replica_orphan),
    "replica_adopt": (1, _replica_adopt),
}


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
