"""The triggers on the source tables, and the functions that they call: how they are installed and dropped."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import LiteralString

from psycopg import sql

from projector.capture import gaps, source_changes
from projector.capture.source import captured_tables
from projector.database import rows
from projector.database.connect import transaction_with_lock_timeout
from projector.database.retry import lock_timeouts, retry
from projector.database.rows import Connection
from projector.database.source_names import SourceTable, source_names
from projector.database.sql import file_text, functions, query

PATIENCE_SECONDS = 60.0
"""How long an installation waits for the platform's transactions before it gives up."""

# An installation that waits for a writer blocks all other writers of the table: they wait at most this long.
_LOCK_TIMEOUT = "200ms"

_EVENTS: dict[str, LiteralString] = {
    "insert": "AFTER INSERT ON {on} REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT",
    "update": "AFTER UPDATE ON {on} REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT",
    "delete": "AFTER DELETE ON {on} REFERENCING OLD TABLE AS old_rows FOR EACH STATEMENT",
    "truncate": "AFTER TRUNCATE ON {on} FOR EACH STATEMENT",
    "replica": "AFTER INSERT OR UPDATE OR DELETE ON {on} FOR EACH ROW",
}
"""When each trigger of a table fires.

The statement triggers fire in ordinary sessions: they see COPY and cascades, and cost one insert for each statement.
Under session_replication_role = replica they do not fire, and the row trigger `replica` fires instead.
"""

_NO_KEY = "leads_capture: no {state} key"
"""The key that the trigger functions use for a row without its key column; `state` is `old` or `new`."""

IF_LARGE: LiteralString = "IF changed_rows > 100000 THEN {cut}; ELSE {whole}; END IF"
_PART: LiteralString = "(row_number() OVER (PARTITION BY hashed.bucket) - 1) / 1000"
"""The part of a row if a statement has many messages: the rows of a bucket are queued in parts of a thousand."""

TRIGGER_NAMES = {event: f"leads_capture_{event}" for event in _EVENTS}


def create_functions(conn: Connection) -> None:
    """Create or replace the views and trigger functions of sql/capture/, in the caller's transaction.

    Triggers that were intact before also count as intact afterwards: a function that we replace ourselves is no gap.
    """
    for text in functions("capture/views").values():
        conn.execute(text, prepare=False)
    conn.execute(query("capture", "mark_intact_triggers"))
    for text in functions("capture/functions").values():
        conn.execute(text, prepare=False)
    tables, relations = captured_tables(conn), source_names(conn)
    for table in tables:
        parameters = {"relation": relations[table.name], "columns": list(table.columns)}
        virtual = rows.values(conn, query("capture", "find_virtual_columns"), parameters)
        conn.execute(trigger_function(table, virtual), prepare=False)
    conn.execute(query("capture", "keep_fingerprints"))
    expected = {"tables": [table.name for table in tables], "trigger_names": [*TRIGGER_NAMES.values()]}
    conn.execute(query("capture", "expect_triggers"), expected)
    source_changes.note_source(conn, tables)


def trigger_function(table: SourceTable, virtual: Sequence[str] = ()) -> sql.Composed:
    """Return the command that creates the trigger function of a table, from the template.

    `virtual` names the virtual generated columns. A trigger does not see their values, so every update counts as a
    change of them.
    """

    def images(alias: LiteralString) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(alias, name) for name in table.columns)

    def fields(record: LiteralString, state: LiteralString) -> sql.Composed:
        return sql.SQL(", ").join(
            sql.Literal(state) if name in virtual else sql.SQL(record + ".") + sql.Identifier(name)
            for name in table.columns
        )

    compared = {"o_columns": images("o"), "n_columns": images("n")}
    old_rows, new_rows = (_changed_rows(table, state, virtual) for state in ("old", "new"))
    updated_rows = _filled("capture/36_updated_rows", old_rows=old_rows, new_rows=new_rows, **compared)
    kind, has_ids = sql.Literal(table.kind), sql.SQL("true" if table.has_ids else "false")
    queued = partial(_filled, "capture/37_queued_rows", kind=kind, has_ids=has_ids)

    def queue(rows: sql.Composed) -> sql.Composed:
        # PostgreSQL plans a statement of a function when it is first reached: only the largest writes pay for the
        # window.
        whole, cut = (queued(rows=rows, part=sql.SQL(part)) for part in ("0", _PART))
        return sql.SQL(IF_LARGE).format(cut=cut, whole=whole) if table.has_ids else whole

    return sql.SQL(file_text("capture/40_trigger_function")).format(
        function=sql.Identifier(f"capture_{table.name}"),
        kind=kind,
        queue_key_name=sql.Literal(table.queue_key),
        primary_key_name=sql.Literal(table.primary_key),
        new_queue_key=_printed("NEW.", table.queue_key),
        old_queue_key=_printed("OLD.", table.queue_key),
        new_primary_key=_printed("NEW.", table.primary_key),
        old_primary_key=_printed("OLD.", table.primary_key),
        has_ids=has_ids,
        old_rows=old_rows,
        new_rows=new_rows,
        queue_old_rows=queue(old_rows),
        queue_new_rows=queue(new_rows),
        queue_updated_rows=queue(updated_rows),
        **compared,
        old_columns=fields("OLD", "old"),
        new_columns=fields("NEW", "new"),
    )


def install(conn: Connection, *, patience: float = PATIENCE_SECONDS) -> None:
    """Install every trigger that is missing or changed, one table at a time; drop those of tables that are not read.

    CREATE TRIGGER waits for the writers of its table, and new writers wait behind it. So each attempt gives up after
    200 ms, for up to `patience` seconds. Raises BlockedError, whose message names what holds the table.
    """
    relations, tables = source_names(conn), captured_tables(conn)
    for table in tables:
        relation = relations[table.name]
        _change_table(conn, relation, patience, partial(_install, conn, table, relation))
    uninstall(conn, patience=patience, kept=[table.name for table in tables])


def uninstall(conn: Connection, *, patience: float = PATIENCE_SECONDS, kept: Sequence[str] = ()) -> None:
    """Drop our triggers on every table in any schema, except those that are kept, one table at a time.

    Raises BlockedError as `install` does.
    """
    parameters = {"trigger_names": [*TRIGGER_NAMES.values()], "kept": list(kept)}
    for table in rows.values(conn, query("capture", "find_captured_tables"), parameters):
        _change_table(conn, table, patience, partial(_drop, conn, table))


def _install(conn: Connection, table: SourceTable, relation: str) -> None:
    """Create the triggers of one table again, unless all are intact, and note their fingerprints."""
    if gaps.switched_off(conn) is not None:
        return
    named = {"table_name": table.name, "relation": relation}
    [(intact, installed, partitioned)] = conn.execute(query("capture", "count_triggers"), named).fetchall()
    if intact == installed == len(_EVENTS):
        return
    # They were changed after the check of all tables, and no gap is open: open one for what was missed since.
    if installed and not gaps.gaps_without_triggers(conn):
        reason = f"the triggers on {table.name} were changed"
        conn.execute(query("capture", "open_reinstalled_gap"), {"reason": reason})
        # The finished part of an interrupted rebuild may lack what was missed.
        conn.execute(query("sweep", "forget_sweep"), {"purpose": "rebuild"})
    _drop(conn, relation)
    for event in _EVENTS:
        for command in _commands(table, relation, event, partitioned=partitioned):
            conn.execute(command)
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
    parameters = {"relation": relation, "trigger_names": [*TRIGGER_NAMES.values()]}
    for name, table in conn.execute(query("capture", "find_triggers"), parameters).fetchall():
        conn.execute(sql.SQL("DROP TRIGGER {} ON {}").format(sql.Identifier(name), sql.SQL(table)))


def _change_table(conn: Connection, relation: str, patience: float, change: Callable[[], None]) -> None:
    """Change the triggers of a table in a transaction with a short lock timeout, again until that succeeds."""

    def message() -> str:
        holders = rows.values(conn, query("capture", "find_lock_holders"), {"relation": relation})
        return (
            f"The triggers of {relation} could not be changed in {patience:.0f} s:"
            f" {'; '.join(holders) or 'other sessions keep using it'}. End that transaction, or try again when it has"
            " ended."
        )

    retry(transaction_with_lock_timeout(conn, _LOCK_TIMEOUT)(change), lock_timeouts(patience, message))


def _changed_rows(table: SourceTable, state: LiteralString, virtual: Sequence[str]) -> sql.Composed:
    """Return the query that reads a transition table."""
    keys = (table.queue_key, table.primary_key)
    no_key = _NO_KEY.format(state=state)
    values = {name: no_key if name in keys else state for name in (*table.columns, *keys)}
    return _filled(
        "capture/35_changed_rows",
        rows=sql.Identifier(f"{state}_rows"),
        no_key=sql.Literal(no_key),
        queue_key=_printed("", table.queue_key),
        primary_key=_printed("", table.primary_key),
        columns=sql.SQL(", ").join(
            sql.SQL("missing.") + sql.Identifier(name) if name in virtual else sql.Identifier(name)
            for name in table.columns
        ),
        missing=sql.SQL(", ").join(
            sql.Literal(value) + sql.SQL("::text AS ") + sql.Identifier(name)
            for name, value in values.items()
        ),
    )


def _filled(name: str, **names: sql.Composable) -> sql.Composed:
    """Return a template without its comment, on one line, because another template also has it in comments."""
    text = re.sub(r"^--.*\n", "", file_text(name), flags=re.MULTILINE)
    return sql.SQL(" ".join(text.split())).format(**names)


def _printed(record: LiteralString, column: str) -> sql.Composed:
    """Return the expression of the printed text of a key.

    A cast to text may be a function of the platform, which would run with the rights of the trigger's owner.
    """
    key = sql.SQL(record) + sql.Identifier(column)
    return sql.SQL("CASE WHEN {key} IS NOT NULL THEN format('%s', {key}) END").format(key=key)
