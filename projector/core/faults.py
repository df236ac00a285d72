"""Finds out why a batch fails: a row of the platform with the mapping that reads it, or something else.

A function of a mapping can raise any SQLSTATE, or never end, so the class of an error does not say whether a row is the
cause. If it may not be, the same steps run once without keys: if they fail again, no row is the cause.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import LiteralString, NamedTuple, TypeVar

import psycopg
from psycopg import errors

from projector.capture.texts import RELATIONS
from projector.core import staging
from projector.core.batch import (
    ONE_KEY_TIMEOUT,
    expand_changes,
    first_line,
    is_lead_failure,
    is_server_failure,
    recompute,
)
from projector.database import rows
from projector.database.kinds import kinds
from projector.database.rows import Connection
from projector.database.sql import query, source_columns
from projector.report.counted import repeated_rows
from projector.report.errors import BlockedError

_Row = TypeVar("_Row")

_EXAMINED = 1000
"""How many keys are read at once to find the one that cannot be read."""

_IDS = {kind.dead_letter_kind or kind.kind: kind.id for kind in kinds().values()}
"""The column of the relations with the keys of each kind of dead letter. Other kinds are rules of changes.sql."""

_KEYS = {columns[0] for columns in RELATIONS.values()}
"""The columns that are keys of relations."""


class Fault(NamedTuple):
    """What is wrong with rows of the platform, as a sentence without a full stop.

    `error` is why they cannot be read, or None; `file` is the file of the mapping that reads them, or None.
    """

    said: str
    error: psycopg.Error | None = None
    file: str | None = None


@dataclass(frozen=True, slots=True)
class Lead:
    """The lead of a key in the source."""

    user_id: str
    customer_phone: str


@dataclass(frozen=True, slots=True)
class RowsOfKeys:
    """The row of `examine_rows` and `examine_touched`: the number of rows of the key that has the most.

    `size` is not used: to compute it, PostgreSQL reads each column.
    """

    rows: int
    key: str | None = None
    size: int | None = None


def find_row_failure(conn: Connection, error: Exception) -> psycopg.Error:
    """Return the error of PostgreSQL if a row of the platform, or the mapping, may be the cause; else raise `error`."""
    cause = error.__cause__ if isinstance(error, BlockedError) else error
    if not isinstance(cause, psycopg.Error) or conn.closed or is_server_failure(cause):
        raise error
    if cause is error and is_lead_failure(cause):
        return cause
    # The batch collided again and again: with others, or with itself, as with a row that a join gives twice.
    collides = isinstance(cause, errors.SerializationFailure | errors.UniqueViolation)
    if (cause is error or collides) and _runs_without_keys(conn):
        return cause
    raise error


def find_fault_of_lead(conn: Connection, user_id: str, customer_phone: str) -> Fault | None:
    """Return what is wrong with a row that is read for a lead; None if all can be read. Needs a transaction."""
    lead = {"user_id": user_id, "customer_phone": customer_phone}
    return find_fault_of_keys(conn, conn.execute(query("core", "read_keys_of_lead"), lead).fetchall())


def find_fault_of_keys(conn: Connection, keys: Iterable[tuple[str, str]]) -> Fault | None:
    """Return what is wrong with a row of one of these keys, each with a kind for `examine`."""
    faults = (examine(conn, kind, [key])[1] for kind, key in keys)
    return next((fault for fault in faults if fault is not None), None)


def find_fault(conn: Connection) -> Fault | None:
    """Return what is wrong with the first row of the platform that cannot be read; None if all can be read."""
    with conn.transaction():
        for kind, column in _IDS.items():
            [relation] = [name for name, columns in RELATIONS.items() if columns[0] == column]
            with conn.cursor("keys") as cursor:
                cursor.execute(query("core", "read_keys_of_source", relation=relation, id=column))
                while some := cursor.fetchmany(_EXAMINED):
                    fault = _find_among(conn, kind, [key for (key,) in some])
                    if fault is not None:
                        return fault
    return None


def _find_among(conn: Connection, kind: str, keys: Sequence[str]) -> Fault | None:
    _, fault = examine(conn, kind, keys)
    if fault is None or fault.error is None or len(keys) == 1:
        return fault
    middle = len(keys) // 2
    return _find_among(conn, kind, keys[:middle]) or _find_among(conn, kind, keys[middle:])


def examine(conn: Connection, kind: str, keys: Sequence[str]) -> tuple[bool, Fault | None]:
    """Read the rows of keys, each relation by itself; return whether they may exist, and what is wrong with one.

    `kind` is a kind of dead letter, or the column of the relations with the keys. PostgreSQL does not say which key
    fails: the result names the first key, or for a single key the row.
    """
    column = _IDS.get(kind, kind)
    reads = {"changes": query("core", "examine_touched")}
    if column in _KEYS:
        reads = {
            relation: query("core", "examine_rows", relation=relation, id=column, own_key=_own_key(relation))
            for relation, columns in source_columns().items()
            if columns.get(column) == column
        }
    is_there = False
    for relation, text in reads.items():
        read = _read_alone(conn, RowsOfKeys, text, {"kind": kind, "keys": list(keys)})
        if isinstance(read, psycopg.Error):
            fault = _find_row(conn, relation, column, keys[0]) if len(keys) == 1 else None
            if fault is not None:
                return True, fault
            said = f"{relation}.sql cannot be read with the {column} {keys[0]}: {first_line(read)}"
            return True, Fault(said, read, f"{relation}.sql")
        if column in _KEYS and read is not None:
            is_there = is_there or _own_key(relation) == column
            if read.rows > 1 and read.key is not None:
                said = repeated_rows(relation, read.rows, _own_key(relation), read.key)
                return True, Fault(said, None, f"{relation}.sql")
    return is_there, None


def _find_row(conn: Connection, relation: str, column: str, key: str) -> Fault | None:
    """Return what is wrong with the row that fails for a key, if the rows of the relation have keys of their own."""
    if column not in _KEYS or _own_key(relation) == column:
        return None
    text = query("core", "find_ids", relation=relation, id=column, own_key=_own_key(relation))
    found = _read_alone(conn, dict[str, list[str]], text, {"key": key})
    return _find_among(conn, _own_key(relation), found["ids"]) if isinstance(found, dict) else None


def _own_key(relation: str) -> str:
    return RELATIONS[relation][0]


def _read_alone(
    conn: Connection, kind: type[_Row], text: LiteralString, parameters: Mapping[str, object]
) -> _Row | psycopg.Error | None:
    """Return the row of a query, or its error. Raises errors of the server."""
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(query("core", "limit_statements"), {"statement_timeout": ONE_KEY_TIMEOUT})
            return rows.row(conn, kind, text, parameters)
    except psycopg.Error as error:
        if conn.closed or is_server_failure(error):
            raise
        return error


def read_lead(conn: Connection, kind: str, key: str) -> Lead | None:
    """Return the lead of a key in the source; None if it has none, or cannot be read."""
    lead = _read_alone(conn, Lead, query("core", "read_lead"), {"kind": kind, "key": key})
    return None if isinstance(lead, psycopg.Error) else lead


def _runs_without_keys(conn: Connection) -> bool:
    """Return whether the steps of a batch succeed without keys, so that the keys must be the cause of a failure."""
    try:
        with conn.transaction(force_rollback=True):
            staging.clear(conn)
            expand_changes(conn)
            recompute(conn)
    except psycopg.Error:
        return False
    return True
