"""The source rows of one moment, read with plain SELECTs."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, get_args, get_type_hints

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus
from psycopg.rows import tuple_row

from tests.oracle.leads import Source
from tests.oracle.values import EPOCH, FIRST_MOMENT, LAST_MOMENT, Infinite

Connection = psycopg.Connection[Any]

ROW_CLASSES: dict[str, type] = {table: get_args(rows)[0] for table, rows in get_type_hints(Source).items()}
"""The class of the rows of each table of the platform."""

_FIRST, _LAST = (Decimal((end - EPOCH) // timedelta(microseconds=1)) for end in (FIRST_MOMENT, LAST_MOMENT))


def read_source(connection: Connection) -> Source:
    """Read every source row in one snapshot: the caller's transaction, or else one of its own."""
    with _one_snapshot(connection):
        return Source(**{table: _rows(connection, table, kind) for table, kind in ROW_CLASSES.items()})


@contextmanager
def _one_snapshot(connection: Connection) -> Iterator[None]:
    if connection.info.transaction_status != TransactionStatus.IDLE:
        yield
        return
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


def _rows(connection: Connection, table: str, kind: type) -> tuple[Any, ...]:
    query, timed = _query(table, kind)
    with connection.cursor(row_factory=tuple_row) as cursor:
        return tuple(
            kind(
                *[
                    moment_of(value)
                    if is_timed and value is not None
                    else tuple(value)
                    if isinstance(value, list)
                    else value
                    for value, is_timed in zip(row, timed, strict=True)
                ]
            )
            # A prepared statement would fail once a column changes its type.
            for row in cursor.execute(query, prepare=False)
        )


@cache
def _query(table: str, kind: type) -> tuple[bytes, tuple[bool, ...]]:
    """Give the statement that reads a table, and which of its columns are moments."""
    types = get_type_hints(kind)
    timed = {name for name, kind_of in types.items() if datetime in (get_args(kind_of) or (kind_of,))}
    # The seconds since 1970 are the same number for a timestamp that holds UTC and for a timestamptz,
    # whatever the session's time zone and date style are. What is a text here may be a uuid there.
    columns = [
        sql.SQL("extract(epoch FROM {0}) * 1000000 AS {0}").format(sql.Identifier(name))
        if name in timed
        else sql.SQL("{0}::text AS {0}").format(sql.Identifier(name))
        if str in (get_args(kind_of) or (kind_of,))
        else sql.Identifier(name)
        for name, kind_of in types.items()
    ]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(columns), sql.Identifier("public", table))
    return query.as_bytes(None), tuple(name in timed for name in types)


def moment_of(microseconds: Decimal) -> datetime:
    """Return the time this long after 1970, clamped to the years 1 to 9999, because no other can be printed."""
    if microseconds.is_infinite():
        return Infinite.fromisoformat((FIRST_MOMENT if microseconds < 0 else LAST_MOMENT).isoformat())
    return EPOCH + timedelta(microseconds=int(min(max(microseconds, _FIRST), _LAST)))


class DatabaseLower:
    """The database's own lower(), asked once for each text."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._known: dict[str, str] = {}

    def learn(self, texts: set[str]) -> None:
        unknown = sorted(texts - self._known.keys())
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(
                'SELECT lower(given COLLATE "default")'
                " FROM unnest(%s::text[]) WITH ORDINALITY AS u (given, place) ORDER BY place",
                (unknown,),
            )
            self._known.update(zip(unknown, (row[0] for row in cursor), strict=True))

    def __call__(self, text: str) -> str:
        if text not in self._known:
            self.learn({text})
        return self._known[text]
