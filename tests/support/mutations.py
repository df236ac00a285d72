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
from tests.support.source import CHILDREN, KEYS, Column

TRIES = 3

# Errors that a write of a busy platform may get; any other fails the test.
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

PARENTS = [table for table, children in CHILDREN.items() if children]
LEAVES = [table for table, children in CHILDREN.items() if not children]


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

    def choose(self, table: str, condition: str = "true") -> str:
        """Choose the key of a row, the same for equal data and randomness; make a parent if there is none.

        Raises NothingToChangeError if there is no row, and nothing refers to such rows.
        """
        key = KEYS[table]
        query = f'SELECT {key}::text FROM {table} WHERE {condition} ORDER BY {key}::text COLLATE "C"'
        if rows := self.execute(query).fetchall():
            return str(self.cases.one_of(rows)[0])
        if table not in PARENTS:
            raise NothingToChangeError(table)
        return self.new(table)

    def new(self, table: str, columns: Mapping[str, object] | None = None, clause: str = "") -> str:
        row = {**self.row(table), **(columns or {})}
        self.insert(table, [row], clause)
        return str(row[KEYS[table]])

    def row(self, table: str, **columns: object) -> Row:
        """Make a row that refers to rows which are there."""
        if table == "messages" and not columns:
            return self.new_messages(self.choose("conversations"), 1)[0]
        return self.cases.row(table, self._choose_parent, **columns)

    def _choose_parent(self, column: Column) -> str:
        # A channel has one agent at most.
        is_free = f"{KEYS[column.parent]} NOT IN (SELECT {column.name} FROM {column.table})"
        return self.choose(column.parent, is_free if column.is_unique else "true")

    def new_messages(self, conversation_id: str, count: int) -> list[Row]:
        """Make messages that continue a conversation, with gaps, and sometimes at an odd place or without one."""
        query = "SELECT coalesce(max(sequence_no), 0) FROM messages WHERE conversation_id = %(of)s"
        [(last,)] = self.execute(query, of=conversation_id).fetchall()
        rows = []
        for _ in range(count):
            last += self.cases.one_of((1, 1, 1, 2, 9))
            odd = self.cases.one_of((None, None, 0, -1, -(2**31), -500))
            number = odd if self.cases.chance(0.15) else last
            rows.append(self.row("messages", conversation_id=conversation_id, sequence_no=number))
        return rows


Change = Callable[[Writer], Any]
"""Makes a change, and returns its description."""

# What is done with any table.


def _insert(writer: Writer, table: str) -> object:
    return writer.new(table)


def _edit(writer: Writer, table: str) -> object:
    """Give a row some of the values of another one, which moves it if they refer to other parents."""
    key, row = writer.choose(table), writer.row(table)
    columns = writer.rng.sample(sorted(row.keys() - {KEYS[table]}), writer.rng.randint(1, 3))
    writer.update(table, key, {column: row[column] for column in columns})
    return key, columns


def _delete(writer: Writer, table: str) -> object:
    key = writer.choose(table)
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
    """Insert a row with an existing key, which updates the row or is left out."""
    columns = ", ".join(f"{column} = excluded.{column}" for column in writer.row(table))
    action = writer.cases.one_of((f"({KEYS[table]}) DO UPDATE SET {columns}", "DO NOTHING"))
    key = {KEYS[table]: writer.choose(table)}
    return writer.new(table, key, f"ON CONFLICT {action}"), action


def _rekey(writer: Writer, table: str) -> object:
    """Give a row that nothing refers to another key."""
    uses = [
        f"SELECT FROM {of.table} AS c WHERE c.{of.name} = {table}.{KEYS[table]}" for of in CHILDREN[table]
    ]
    key = writer.choose(table, " AND ".join(f"NOT EXISTS ({use})" for use in uses) or "true")
    new = writer.cases.uuid() if table == "extractions" else writer.cases.identifier("renamed")
    writer.update(table, key, {KEYS[table]: new})
    return key, new


# How often each of these comes, with each table; the first number is of tables that are not named.
WEIGHTS: dict[Callable[[Writer, str], object], dict[str, float]] = {
    _insert: dict.fromkeys(KEYS, 1) | {
        "users": 0.2, "agents": 2, "messages": 8, "extractions": 2, "contacts": 3, "templates": 0.5,
        "template_sends": 5,
    },
    _edit: dict.fromkeys(KEYS, 6) | {
        "users": 0.5, "phone_numbers": 3, "conversations": 12, "messages": 16, "contacts": 8, "templates": 1.5,
        "template_sends": 10,
    },
    _delete: dict.fromkeys(KEYS, 2) | {
        "users": 0.1, "phone_numbers": 0.2, "agents": 0.4, "messages": 4, "templates": 0.3, "template_sends": 1,
    },
    _replace: dict.fromkeys(LEAVES, 0.5),
    _copy: dict.fromkeys((*LEAVES, "conversations"), 1.0) | {"messages": 2},
    _upsert: dict.fromkeys((*LEAVES, "conversations"), 1.0) | {"messages": 2, "contacts": 2},
    _rekey: dict.fromkeys(KEYS, 0.4),
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
        chosen = {name: writer.choose(table) for name, table in keys.items() if f"%({name})s" in query}
        return writer.execute(query, **chosen).rowcount, chosen

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
    chosen = sorted({writer.choose("conversations") for _ in range(4)})
    rows = [row for key in chosen for row in writer.new_messages(key, writer.rng.randint(1, 5))]
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
    conversation_id = writer.choose("conversations")
    query = "UPDATE extractions SET is_latest = false WHERE conversation_id = %(of)s AND is_latest"
    writer.execute(query, of=conversation_id)
    row = writer.row("extractions", conversation_id=conversation_id, is_latest=True)
    writer.insert("extractions", [row])
    return row["extraction_id"], conversation_id


def _insert_tenant(writer: Writer) -> object:
    rows = edge_cases.generate(writer.rng, writer.rng.randint(3, 12), now=writer.cases.now)
    edge_cases.write(writer.connection, rows)
    return len(rows)


def _change_and_change_back(writer: Writer) -> object:
    conversation_id = writer.choose("conversations")
    query = "SELECT customer_phone, agent_id FROM conversations WHERE conversation_id = %(of)s"
    [(phone, agent_id)] = writer.execute(query, of=conversation_id).fetchall()
    other = {"customer_phone": "elsewhere", "agent_id": writer.choose("agents")}
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
    if (orphan := writer.execute(query).fetchone()) is None:
        raise NothingToChangeError
    row = writer.row("conversations", conversation_id=orphan[0])
    with _as_replica(writer):
        writer.insert("conversations", [row])
    return orphan[0]


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

    A connection in autocommit mode commits it; in a transaction that is open already it becomes a savepoint. `replica`
    adds writes of a session in the replica role, which needs a superuser and can leave orphans. A TRUNCATE waits for
    all readers of its table: without `truncates` there is none.
    """
    changes = CHANGES | REPLICA_CHANGES if replica or kind in REPLICA_CHANGES else CHANGES
    name, change = _choose(rng, changes) if kind is None else (kind, changes[kind][1])
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
