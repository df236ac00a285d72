"""The functions that the triggers on the source tables call, made from the templates in sql/capture/."""

import re
from collections.abc import Sequence
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from projector.capture import source_changes
from projector.capture.source import SOURCE_TABLES, SourceTable
from projector.database.sql import file_text

Connection = psycopg.Connection[TupleRow]

_NO_KEY = "leads_capture: no {state} key"
"""What the trigger functions read as the key of a row whose key column is missing; `state` is `old` or `new`."""


def captured_tables() -> list[SourceTable]:
    """Return the source tables whose changes are captured."""
    return [table for table in SOURCE_TABLES if table.kind is not None]


def create_views(conn: Connection) -> None:
    """Create or replace the views that find out whether capture is whole."""
    for name in (
        "10_trigger_fingerprints",
        "15_source_columns",
        "16_new_partitions",
        "17_changed_source",
        "20_broken_capture",
    ):
        conn.execute(file_text(f"capture/{name}"), prepare=False)


def create_trigger_functions(conn: Connection) -> None:
    """Create or replace the trigger functions of all captured tables, and the functions that these call."""
    for name in ("30_queue_keys", "32_read_keys"):
        conn.execute(file_text(f"capture/{name}"), prepare=False)
    for table in captured_tables():
        virtual = source_changes.virtual_columns(conn, table)
        conn.execute(trigger_function(table, virtual), prepare=False)


def trigger_function(table: SourceTable, virtual: Sequence[str] = ()) -> sql.Composed:
    """Return the command that creates the trigger function of a table, from the template.

    `virtual` names the columns that are virtual generated columns. A trigger sees no value of these, so every update
    counts as a change of them.
    """

    def images(alias: LiteralString) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(alias, name) for name in table.columns)

    def fields(record: LiteralString, state: LiteralString) -> sql.Composed:
        return sql.SQL(", ").join(
            sql.Literal(state) if name in virtual else sql.SQL(record + ".") + sql.Identifier(name)
            for name in table.columns
        )

    return sql.SQL(file_text("capture/40_trigger_function")).format(
        function=sql.Identifier(f"capture_{table.name}"),
        table=sql.Literal(table.name),
        kind=sql.Literal(table.kind),
        queue_key=sql.Identifier(table.queue_key),
        queue_key_name=sql.Literal(table.queue_key),
        primary_key=sql.Identifier(table.primary_key),
        primary_key_name=sql.Literal(table.primary_key),
        has_ids=sql.SQL("true" if table.name == "messages" else "false"),
        old_rows=_changed_rows(table, "old", virtual),
        new_rows=_changed_rows(table, "new", virtual),
        o_columns=images("o"),
        n_columns=images("n"),
        old_columns=fields("OLD", "old"),
        new_columns=fields("NEW", "new"),
    )


def _changed_rows(table: SourceTable, state: LiteralString, virtual: Sequence[str]) -> sql.Composed:
    """Return the query that reads a transition table, on one line, since a template has it in comments too."""
    keys = (table.queue_key, table.primary_key)
    no_key = _NO_KEY.format(state=state)
    values = {name: no_key if name in keys else state for name in (*table.columns, *keys)}
    text = re.sub(r"^--.*\n", "", file_text("capture/35_changed_rows"), flags=re.MULTILINE)
    return sql.SQL(" ".join(text.split())).format(
        rows=sql.Identifier(f"{state}_rows"),
        no_key=sql.Literal(no_key),
        queue_key=sql.Identifier(table.queue_key),
        primary_key=sql.Identifier(table.primary_key),
        columns=sql.SQL(", ").join(
            sql.SQL("missing.") + sql.Identifier(name) if name in virtual else sql.Identifier(name)
            for name in table.columns
        ),
        missing=sql.SQL(", ").join(
            sql.Literal(value) + sql.SQL("::text AS ") + sql.Identifier(name)
            for name, value in values.items()
        ),
    )
