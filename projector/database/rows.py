"""The results of statements as values of Python."""

from collections.abc import Mapping
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import TupleRow, class_row, scalar_row

from projector.database.dialect import ONE_SERVER

Parameters = Mapping[str, Any] | None
Text = LiteralString | bytes

_Row = TypeVar("_Row")


class Connection(psycopg.Connection[TupleRow]):
    """A connection of the projector, which knows whether the database has Citus, and the dialect of its statements."""

    has_citus = False
    dialect = ONE_SERVER


def value(conn: psycopg.Connection[Any], text: Text, parameters: Parameters = None) -> Any:  # noqa: ANN401  # Whatever it returns.
    """Return the first column of the first row; None without a row."""
    row = conn.execute(text, parameters).fetchone()
    return row[0] if row else None


def values(conn: psycopg.Connection[Any], text: Text, parameters: Parameters = None) -> list[Any]:
    """Return the first column of each row."""
    with conn.cursor(row_factory=scalar_row) as cursor:
        return cursor.execute(text, parameters).fetchall()


def row(
    conn: psycopg.Connection[Any], kind: type[_Row], text: Text, parameters: Parameters = None
) -> _Row | None:
    """Return the first row as an object with a field for each column; None without a row."""
    with conn.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(text, parameters).fetchone()


def only_row(
    conn: psycopg.Connection[Any], kind: type[_Row], text: Text, parameters: Parameters = None
) -> _Row:
    """Return the first row of a statement that always returns one."""
    first = row(conn, kind, text, parameters)
    if first is None:
        raise AssertionError
    return first


def rows(
    conn: psycopg.Connection[Any], kind: type[_Row], text: Text, parameters: Parameters = None
) -> list[_Row]:
    """Return each row as an object with a field for each column."""
    with conn.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(text, parameters).fetchall()
