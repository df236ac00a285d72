"""What a read model in a database of its own needs from the platform's database: rows, and a note of where they go.

Rows travel by COPY, through this process. Nothing here runs while one database holds both sides.
"""

from typing import LiteralString

import psycopg
from psycopg import sql as composing
from psycopg.rows import TupleRow, dict_row

from projector.database.connect import connect_beside
from projector.database.source_names import SourceConnection, own_connection, source_names
from projector.database.sql import query
from projector.database.steps import Step
from projector.sides import on_read_model

NOTEBOOK_NAME = "leads-projector: notes"


def carry(conn: psycopg.Connection[TupleRow], tables: list[str]) -> None:
    """Copy the rows of these staging tables to the staging tables of the read model's side."""
    if not tables:
        return
    # Most have none. To ask costs one way to the server and back, and a copy two.
    asked = " UNION ALL ".join(
        query("apart", "name_if_filled", staging_table=table).rstrip(";") for table in tables
    )
    for (table,) in conn.execute(asked.encode()).fetchall():
        copy_table(conn, on_read_model(conn), table)


def copy_table(conn: psycopg.Connection[TupleRow], target: SourceConnection, table: str) -> None:
    """Copy the rows of a staging table to that of another session."""
    name = composing.Identifier("pg_temp", table)
    _copy(
        conn,
        target,
        b"COPY " + name.as_bytes() + b" TO STDOUT (FORMAT binary)",
        composing.SQL("COPY {} FROM STDIN (FORMAT binary)").format(name),
    )


def bring(conn: psycopg.Connection[TupleRow], one: Step) -> None:
    """Copy what a step brings from the platform's side into temporary tables of the read model's side."""
    for name, rows in one.brings:
        table = composing.Identifier("pg_temp", name)
        read_model = on_read_model(conn)
        read_model.execute(composing.SQL("DROP TABLE IF EXISTS {}").format(table), prepare=False)
        create = composing.SQL("CREATE TEMPORARY TABLE {} ({})")
        made = composing.SQL(describe(conn, rows))
        read_model.execute(create.format(composing.Identifier(name), made), prepare=False)
        _copy(
            conn,
            read_model,
            source_names(conn).fill(f"COPY ({rows}) TO STDOUT (FORMAT binary)".encode()),
            composing.SQL("COPY {} FROM STDIN (FORMAT binary)").format(table),
        )
        read_model.execute(composing.SQL("ANALYZE {}").format(table), prepare=False)


def describe(conn: psycopg.Connection[TupleRow], rows: str) -> LiteralString:
    """Return the columns of a query as CREATE TABLE takes them."""
    found = conn.execute(query("apart", "describe_rows", rows=rows), prepare=False)
    return ", ".join(f"{column.name} {_type(column)}" for column in found.description or ())


def note_new_places(conn: psycopg.Connection[TupleRow]) -> None:
    """Note for the next batch where this one moves keys in the read model.

    The read model commits before the platform's database does. If this process is killed between the two, the keys
    roll back to their old leads, while the read model has them under the new ones. Should a key move again before its
    change is made once more, nothing else would remember the lead that it was under meanwhile. So that lead is noted
    before the read model commits, by a connection that commits by itself. The notes go when the platform's database
    commits.
    """
    with conn.cursor(row_factory=dict_row) as cursor:
        found = cursor.execute(query("apart", "find_new_places")).fetchone()
    if found and found["keys"]:
        _notebook(conn).execute(query("apart", "note_places"), found)
    conn.execute(query("apart", "forget_places"))


def _notebook(conn: psycopg.Connection[TupleRow]) -> SourceConnection:
    own = own_connection(conn)
    if own.notebook is None or own.notebook.closed:
        own.notebook = connect_beside(conn, NOTEBOOK_NAME)
    return own.notebook


def _copy(
    conn: psycopg.Connection[TupleRow],
    target: SourceConnection,
    read: bytes,
    write: composing.Composed,
) -> None:
    with conn.cursor().copy(read) as rows, target.cursor().copy(write) as into:
        for data in rows:
            into.write(data)


def _type(column: psycopg.Column) -> str:
    """Return the type of a column as CREATE TABLE takes it, with the collation of all our texts."""
    found = psycopg.postgres.types.get(column.type_code)
    name = "text" if found is None else found.name
    return f'{name} COLLATE "C"' if name in ("text", "varchar") else name
