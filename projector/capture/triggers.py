"""The triggers on the source tables: how they are installed, and how they are dropped."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from projector.capture import functions, gaps, source_changes
from projector.capture.source import SourceTable
from projector.database import rows
from projector.database.connect import transaction_with_lock_timeout
from projector.database.retry import lock_timeouts, retry
from projector.database.source_names import source_names
from projector.database.sql import file_text, query

Connection = psycopg.Connection[TupleRow]

PATIENCE_SECONDS = 60.0
"""How long an installation waits for the platform's transactions before it gives up."""

# An installation that waits for a writer blocks all other writers of the table: they wait at most this long.
_LOCK_TIMEOUT = "200ms"
_FIRST_PAUSE_SECONDS = 0.05
_LONGEST_PAUSE_SECONDS = 2.0

_EVENTS: dict[str, LiteralString] = {
    "insert": "AFTER INSERT ON {on} REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT",
    "update": "AFTER UPDATE ON {on} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT",
    "delete": "AFTER DELETE ON {on} REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT",
    "truncate": "AFTER TRUNCATE ON {on} FOR EACH STATEMENT",
    "replica": "AFTER INSERT OR UPDATE OR DELETE ON {on} FOR EACH ROW",
}
"""When each trigger of a table fires.

The statement triggers fire in an ordinary session: they see COPY and cascades, and cost one insert a statement. Under
session_replication_role = replica they do not fire for rows, and the row trigger `replica` fires instead.
"""

TRIGGER_NAMES = {event: f"leads_capture_{event}" for event in _EVENTS}


def create_functions(conn: Connection) -> None:
    """Create or replace the views and trigger functions of sql/capture/, in the caller's transaction.

    Triggers that were intact before count as intact after it: a function that we replace ourselves is not a gap.
    """
    functions.create_views(conn)
    intact = conn.execute(query("capture", "find_intact_triggers")).fetchall()
    functions.create_trigger_functions(conn)
    for table_name, trigger_name in intact:
        conn.execute(
            query("capture", "keep_fingerprint"), {"table_name": table_name, "trigger_name": trigger_name}
        )
    tables = functions.captured_tables()
    expected = {"tables": [table.name for table in tables], "trigger_names": [*TRIGGER_NAMES.values()]}
    conn.execute(query("capture", "expect_triggers"), expected)
    source_changes.note_new_columns(conn, tables)


def adjust_queue(conn: Connection) -> None:
    """Set how the queue is stored and replicated, each setting in its own transaction with a short lock timeout.

    Where another session holds the queue's table for longer, the next `migrate` sets it. Without the storage setting
    capture is only slower. Without the replica identity it lacks what a publication of all tables requires.
    """
    for name in ("capture/60_queue_storage", "capture/70_queue_identity"):
        with (
            suppress(psycopg.errors.LockNotAvailable),
            transaction_with_lock_timeout(conn, _LOCK_TIMEOUT),
        ):
            conn.execute(file_text(name), prepare=False)


def were_installed(conn: Connection) -> bool:
    """Return whether any trigger was ever installed."""
    return bool(rows.value(conn, query("capture", "was_installed")))


def install(conn: Connection, *, patience: float = PATIENCE_SECONDS) -> None:
    """Install every trigger that is missing or changed, one table at a time.

    CREATE TRIGGER waits for the writers of its table, and new writers wait behind it. So each attempt gives up after
    200 ms, for up to `patience` seconds. Raises BlockedError, whose message names what holds the table.
    """
    relations = source_names(conn)
    for table in functions.captured_tables():
        relation = relations[table.name]
        _change_table(conn, relation, patience, partial(_install, conn, table, relation))


def uninstall(conn: Connection, *, patience: float = PATIENCE_SECONDS) -> None:
    """Drop our triggers on every table that has some, in whatever schema, one table at a time.

    Raises BlockedError as `install` does.
    """
    named = {"trigger_names": [*TRIGGER_NAMES.values()]}
    for table in rows.values(conn, query("capture", "find_captured_tables"), named):
        _change_table(conn, table, patience, partial(_drop, conn, table))


def _install(conn: Connection, table: SourceTable, relation: str) -> None:
    """Create the triggers of one table again, unless all are intact, and note their fingerprints."""
    if gaps.switched_off(conn) is not None:
        return
    named = {"table_name": table.name, "relation": relation}
    [(intact, installed)] = conn.execute(query("capture", "count_triggers"), named).fetchall()
    if intact == installed == len(_EVENTS):
        return
    # They were changed after the check of all tables, and no gap is open: note what was missed since.
    if installed and not gaps.gaps_without_triggers(conn):
        reason = f"the triggers on {table.name} were changed"
        conn.execute(query("capture", "open_reinstalled_gap"), {"reason": reason})
        conn.execute(query("capture", "forget_interrupted_rebuild"))
    _drop(conn, relation)
    partitioned = bool(rows.value(conn, query("capture", "is_partitioned"), named))
    for event in _EVENTS:
        for command in _commands(table, relation, event, partitioned=partitioned):
            conn.execute(command)
    conn.execute(query("capture", "forget_fingerprints"), named)
    conn.execute(query("capture", "note_fingerprints"), named)


def _commands(table: SourceTable, relation: str, event: str, *, partitioned: bool) -> list[sql.Composed]:
    """Return the commands that create one trigger.

    On a partitioned table only the row trigger is enabled, in every session: no statement trigger of the table fires
    for a write to a partition.
    """
    name = sql.Identifier(TRIGGER_NAMES[event])
    on = sql.SQL(relation)
    function = sql.SQL("projector.") + sql.Identifier(f"capture_{table.name}")
    text = "CREATE TRIGGER {name} " + _EVENTS[event] + " EXECUTE FUNCTION {function}()"
    create = sql.SQL(text).format(name=name, on=on, function=function)
    states: dict[str, LiteralString] = {
        "truncate": "ENABLE ALWAYS",
        "replica": "ENABLE ALWAYS" if partitioned else "ENABLE REPLICA",
    }
    state = states.get(event, "DISABLE" if partitioned else None)
    if state is None:
        return [create]
    return [create, sql.SQL("ALTER TABLE {on} " + state + " TRIGGER {name}").format(on=on, name=name)]


def _drop(conn: Connection, relation: str) -> None:
    """Drop our triggers of a table and of its partitions."""
    wanted = {"relation": relation, "trigger_names": [*TRIGGER_NAMES.values()]}
    for name, table in conn.execute(query("capture", "find_triggers"), wanted).fetchall():
        conn.execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(name), sql.SQL(table)))


def _change_table(conn: Connection, relation: str, patience: float, change: Callable[[], None]) -> None:
    """Change the triggers of a table in a transaction with a short lock timeout, again until that succeeds."""

    def attempt() -> None:
        with transaction_with_lock_timeout(conn, _LOCK_TIMEOUT):
            change()

    def message() -> str:
        return (
            f"The triggers of {relation} could not be changed in {patience:.0f} s:"
            f" {_lock_holders(conn, relation)}. End that transaction, or try again when it has ended."
        )

    held = lock_timeouts(patience, message, pause=_FIRST_PAUSE_SECONDS, longest_pause=_LONGEST_PAUSE_SECONDS)
    retry(attempt, held)


def _lock_holders(conn: Connection, relation: str) -> str:
    """Return what holds a table, in words for an operator."""
    named = {"relation": relation}
    prepared = rows.value(conn, query("capture", "find_prepared_lock_holder"), named)
    if prepared is not None:
        return f"the prepared transaction {prepared!r} has it (see pg_prepared_xacts)"
    holders = conn.execute(query("capture", "find_lock_holders"), named).fetchall()
    sentences = [f"process {pid} ({session}) has held it {age}" for pid, session, age in holders]
    return "; ".join(sentences) or "other sessions keep using it"
