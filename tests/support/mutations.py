"""Random changes of the source tables, of every kind that a platform makes, for any number of connections."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import TupleRow, tuple_row

from tests.support import edge_cases
from tests.support.edge_cases import Connection, EdgeCases, Row, as_written, copy_rows
from tests.support.source import SOURCE_TABLES

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

KEYS = {table.name: table.primary_key for table in SOURCE_TABLES}
PARENTS = ("users", "phone_numbers", "agents", "conversations", "templates")
LEAVES = ("messages", "extractions", "contacts", "template_sends")


class NothingToChangeError(Exception):
    """The table holds no row of the wanted kind."""


class Writer:
    """Makes single changes through one connection, in the transaction that is open there."""

    def __init__(
        self,
        rng: random.Random,
        connection: Connection,
        now: datetime | None = None,
        *,
        truncates: bool = True,
    ) -> None:
        self.rng = rng
        self.connection = connection
        self.truncates = truncates
        self.cases = EdgeCases(rng, now)

    def execute(self, query: str, **values: object) -> psycopg.Cursor[TupleRow]:
        written = {name: as_written(value) for name, value in values.items()}
        return self.connection.cursor(row_factory=tuple_row).execute(query.encode(), written or None)

    def insert(self, table: str, rows: Sequence[Row], clause: str = "") -> None:
        names, marks = ", ".join(rows[0]), ", ".join(["%s"] * len(rows[0]))
        statement = f"INSERT INTO {table} ({names}) VALUES {', '.join([f'({marks})'] * len(rows))} {clause}"
        values = [as_written(row[column]) for row in rows for column in rows[0]]
        self.connection.execute(statement.encode(), values)

    def update(self, table: str, key: str, changes: Mapping[str, object]) -> None:
        columns = ", ".join(f"{column} = %({column})s" for column in changes)
        self.execute(f"UPDATE {table} SET {columns} WHERE {KEYS[table]} = %(of)s", of=key, **changes)

    def one(self, table: str, condition: str = "true") -> str:
        """Choose the key of a row, the same one for the same data and the same randomness; make a parent if none is.

        Raises NothingToChangeError where there is no row, and nothing refers to such rows.
        """
        key = KEYS[table]
        query = f'SELECT {key}::text FROM {table} WHERE {condition} ORDER BY {key}::text COLLATE "C"'
        if found := self.execute(query).fetchall():
            return str(self.cases.one_of(found)[0])
        if table not in PARENTS:
            raise NothingToChangeError(table)
        return self.new(table)

    def new(self, table: str, columns: Mapping[str, object] | None = None, clause: str = "") -> str:
        row = {**self.row(table), **(columns or {})}
        self.insert(table, [row], clause)
        return str(row[KEYS[table]])

    def row(self, table: str) -> Row:
        make: dict[str, Callable[[], Row]] = {
            "users": self.cases.user,
            "phone_numbers": lambda: self.cases.channel(self.one("users")),
            # A channel has one agent at most.
            "agents": lambda: self.cases.agent(
                self.one("users"), self.one("phone_numbers", "id NOT IN (SELECT phone_number_id FROM agents)")
            ),
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

    def new_messages(self, conversation_id: str, count: int) -> list[Row]:
        """Make messages that continue a conversation, with gaps, and now and then at an odd place or at none."""
        query = "SELECT coalesce(max(sequence_no), 0) FROM messages WHERE conversation_id = %(of)s"
        [(last,)] = self.execute(query, of=conversation_id).fetchall()
        rows = []
        for _ in range(count):
            last += self.cases.one_of((1, 1, 1, 2, 9))
            odd = self.cases.one_of((None, None, 0, -1, -(2**31), -500))
            rows.append(self.cases.message(conversation_id, odd if self.cases.chance(0.15) else last))
        return rows


Change = Callable[[Writer], Any]
"""Makes a change, and returns what is said of it."""

# What is done with any table.


def _insert(writer: Writer, table: str) -> object:
    return writer.new(table)


def _edit(writer: Writer, table: str) -> object:
    """Give a row some of the values of another one, which moves it where they lead to other parents."""
    key, row = writer.one(table), writer.row(table)
    columns = writer.rng.sample(sorted(row.keys() - {KEYS[table]}), writer.rng.randint(1, 3))
    writer.update(table, key, {column: row[column] for column in columns})
    return key, columns


def _delete(writer: Writer, table: str) -> object:
    key = writer.one(table)
    writer.execute(f"DELETE FROM {table} WHERE {KEYS[table]} = %(of)s", of=key)
    return key


def _replace(writer: Writer, table: str) -> object:
    """Delete a row, and insert another one under its key."""
    return writer.new(table, {KEYS[table]: _delete(writer, table)})


def _copy(writer: Writer, table: str) -> object:
    rows = [writer.row(table) for _ in range(4)]
    copy_rows(writer.connection, table, rows)
    return [row[KEYS[table]] for row in rows]


def _upsert(writer: Writer, table: str) -> object:
    """Insert a row of a known key, which updates what is there or is left out."""
    columns = ", ".join(f"{column} = excluded.{column}" for column in writer.row(table))
    action = writer.cases.one_of((f"({KEYS[table]}) DO UPDATE SET {columns}", "DO NOTHING"))
    return writer.new(table, {KEYS[table]: writer.one(table)}, f"ON CONFLICT {action}"), action


# Rows that nothing refers to.
UNUSED = {
    "agents": "agent_id NOT IN (SELECT agent_id FROM conversations)",
    "conversations": "conversation_id NOT IN"
    " (SELECT conversation_id FROM messages UNION SELECT conversation_id FROM extractions)",
    "templates": "template_id NOT IN (SELECT template_id FROM template_sends)",
}


def _rekey(writer: Writer, table: str) -> object:
    key = writer.one(table, UNUSED.get(table, "true"))
    new = writer.cases.uuid() if table == "extractions" else writer.cases.identifier("renamed")
    writer.update(table, key, {KEYS[table]: new})
    return key, new


# How often each of these comes, with each table.
WEIGHTS: dict[Callable[[Writer, str], object], dict[str, float]] = {
    _insert: {
        "users": 0.2, "phone_numbers": 1, "agents": 2, "conversations": 1, "messages": 8, "extractions": 2,
        "contacts": 3, "templates": 0.5, "template_sends": 5,
    },
    _edit: {
        "users": 0.5, "phone_numbers": 3, "agents": 6, "conversations": 12, "messages": 16, "extractions": 6,
        "contacts": 8, "templates": 1.5, "template_sends": 10,
    },
    _delete: {
        "users": 0.1, "phone_numbers": 0.2, "agents": 0.4, "conversations": 2, "messages": 4, "extractions": 2,
        "contacts": 2, "templates": 0.3, "template_sends": 1,
    },
    _replace: dict.fromkeys(LEAVES, 0.5),
    _copy: {"conversations": 1, "messages": 2, "contacts": 1, "template_sends": 1},
    _upsert: {"conversations": 1, "messages": 2, "extractions": 0.5, "contacts": 2, "template_sends": 0.5},
    _rekey: dict.fromkeys((*LEAVES, *UNUSED), 0.4),
}  # fmt: skip


# Statements that change many rows, or rows of several leads.
STATEMENTS = {
    "delete messages of conversation": "DELETE FROM messages WHERE conversation_id = %(one)s",
    "move all messages": "UPDATE messages SET conversation_id = %(other)s, sequence_no = NULL"
    " WHERE conversation_id = %(one)s",
    "respell conversations": "UPDATE conversations SET customer_phone = '+' || customer_phone"
    " WHERE agent_id = %(agent)s AND customer_phone ~ '^[0-9]{10,15}$'",
    "rename all agents": "UPDATE agents SET name = coalesce(name, '') || '!' WHERE user_id = %(tenant)s",
}


def _with(table: str, function: Callable[[Writer, str], object]) -> Change:
    return lambda writer: function(writer, table)


def _run(query: str) -> Change:
    """Run a statement of two conversations, an agent and a tenant."""

    def change(writer: Writer) -> object:
        keys = {"one": "conversations", "other": "conversations", "agent": "agents", "tenant": "users"}
        given = {name: writer.one(table) for name, table in keys.items() if f"%({name})s" in query}
        return writer.execute(query, **given).rowcount, given

    return change


def _truncate(*tables: str) -> Change:
    def change(writer: Writer) -> object:
        if not writer.truncates:
            raise NothingToChangeError
        table = writer.cases.one_of(tables)
        writer.execute(f"TRUNCATE {table} CASCADE")
        return table

    return change


# Changes that are like no other.


def _insert_message(writer: Writer) -> object:
    return writer.new("messages", {"timestamp": writer.cases.now})


def _insert_messages(writer: Writer) -> object:
    chosen = sorted({writer.one("conversations") for _ in range(4)})
    rows = [row for one in chosen for row in writer.new_messages(one, writer.rng.randint(1, 5))]
    writer.rng.shuffle(rows)
    writer.insert("messages", rows)
    return len(rows)


def _insert_conversation(writer: Writer) -> object:
    """Insert a conversation, with first messages more often than not."""
    conversation_id = writer.new("conversations")
    if writer.cases.chance(0.6):
        writer.insert("messages", writer.new_messages(conversation_id, writer.rng.randint(1, 3)))
    return conversation_id


def _run_extraction(writer: Writer) -> object:
    """Insert an extraction as the platform does: the older ones are no longer the latest."""
    conversation_id = writer.one("conversations")
    query = "UPDATE extractions SET is_latest = false WHERE conversation_id = %(of)s AND is_latest"
    writer.execute(query, of=conversation_id)
    row = writer.cases.extraction(conversation_id, is_latest=True)
    writer.insert("extractions", [row])
    return row["extraction_id"], conversation_id


def _insert_tenant(writer: Writer) -> object:
    rows = edge_cases.generate(writer.rng, writer.rng.randint(3, 12), now=writer.cases.now)
    edge_cases.write(writer.connection, rows)
    return len(rows)


def _change_and_change_back(writer: Writer) -> object:
    conversation_id = writer.one("conversations")
    query = "SELECT customer_phone, agent_id FROM conversations WHERE conversation_id = %(of)s"
    [(phone, agent_id)] = writer.execute(query, of=conversation_id).fetchall()
    other = {"customer_phone": "elsewhere", "agent_id": writer.one("agents")}
    writer.update("conversations", conversation_id, other)
    writer.update("conversations", conversation_id, {"customer_phone": phone, "agent_id": agent_id})
    return conversation_id


def _several_changes(writer: Writer) -> object:
    done = []
    for _ in range(writer.rng.randint(2, 5)):
        name, change = _choose(writer.rng, CHANGES)
        try:
            with writer.connection.transaction():
                detail = change(writer)
                if writer.cases.chance(0.2):
                    detail = f"undone ({detail})"
                    raise psycopg.Rollback
        except (*SKIP, NothingToChangeError) as error:
            detail = f"undone ({type(error).__name__})"
        done.append(f"{name}: {detail}")
    return done


# Writes of a session that acts as a replica: neither ordinary triggers nor foreign keys act on them.


@contextmanager
def _as_replica(writer: Writer) -> Iterator[None]:
    writer.execute("SET LOCAL session_replication_role = replica")
    yield
    writer.execute("SET LOCAL session_replication_role = origin")


def _replica_change(writer: Writer) -> object:
    name, change = _choose(writer.rng, CHANGES)
    with _as_replica(writer):
        return name, change(writer)


def _replica_orphan(writer: Writer) -> object:
    """Delete a parent and leave its children."""
    table = writer.cases.one_of(("conversations", "conversations", "agents", "templates", "phone_numbers"))
    with _as_replica(writer):
        return table, _delete(writer, table)


def _replica_adopt(writer: Writer) -> object:
    """Insert the parent that some children lack."""
    orphans = "conversation_id NOT IN (SELECT conversation_id FROM conversations)"
    query = f"SELECT min(conversation_id::text) FROM messages WHERE {orphans} HAVING count(*) > 0"
    if (found := writer.execute(query).fetchone()) is None:
        raise NothingToChangeError
    row = {**writer.row("conversations"), "conversation_id": found[0]}
    with _as_replica(writer):
        writer.insert("conversations", [row])
    return found[0]


CHANGES: dict[str, tuple[float, Change]] = {
    **{
        f"{function.__name__[1:]} {table}": (weight, _with(table, function))
        for function, weights in WEIGHTS.items()
        for table, weight in weights.items()
    },
    **{name: (1, _run(statement)) for name, statement in STATEMENTS.items()},
    "insert message": (14, _insert_message),
    "insert several messages": (2, _insert_messages),
    "insert conversation": (5, _insert_conversation),
    "change and change back": (2, _change_and_change_back),
    "run extraction": (6, _run_extraction),
    "insert tenant": (0.5, _insert_tenant),
    "several changes": (3, _several_changes),
    "truncate leaf": (0.25, _truncate(*LEAVES)),
    "truncate with cascade": (0.08, _truncate(*PARENTS)),
    "truncate and refill": (0.1, lambda writer: (_truncate("messages")(writer), _insert_messages(writer))),
}
"""Each kind of change, and how often it comes."""

REPLICA_CHANGES: dict[str, tuple[float, Change]] = {
    "replica change": (4, _replica_change),
    "replica orphan": (1, _replica_orphan),
    "replica adopt": (1, _replica_adopt),
}


def _choose(rng: random.Random, changes: dict[str, tuple[float, Change]]) -> tuple[str, Change]:
    [name] = rng.choices(list(changes), [weight for weight, _ in changes.values()])
    return name, changes[name][1]


def mutate(  # noqa: PLR0913  # All that a caller may choose.
    rng: random.Random,
    connection: Connection,
    *,
    kind: str | None = None,
    replica: bool = False,
    truncates: bool = True,
    now: datetime | None = None,
) -> str:
    """Commit one random change, or one of a kind, and describe it.

    A connection in autocommit mode commits it; in a transaction that is open already it becomes a savepoint.
    `replica` adds writes of a session in the replica role, which needs a superuser and can leave orphans. A TRUNCATE
    waits for all who read its table: without `truncates` there is none.
    """
    known = CHANGES | REPLICA_CHANGES if replica or kind in REPLICA_CHANGES else CHANGES
    name, change = _choose(rng, known) if kind is None else (kind, known[kind][1])
    writer = Writer(rng, connection, now, truncates=truncates)
    for _ in range(TRIES):
        try:
            with connection.transaction():
                return f"{name}: {change(writer)}"
        except AGAIN as error:
            reason: Exception = error
        except (*SKIP, NothingToChangeError) as error:
            return f"{name}: skipped ({type(error).__name__})"
    return f"{name}: given up ({type(reason).__name__})"
