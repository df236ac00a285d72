"""What is ours in the database, and what of others depends on it."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import groupby
from typing import LiteralString

from projector.capture.source import SOURCE_TABLES
from projector.database.distribution import shards
from projector.database.rows import Connection, Row, rows, values
from projector.database.schema import tables
from projector.database.sql import all_texts, query

SCHEMAS = ("projector", "read_model", "leads_access", "leads_sql")
"""The schemas of ours."""

_NAME = re.compile(rf"\b(?:{'|'.join(SCHEMAS)})\.\w+")


_FORMER_COLUMNS = tuple(
    f"projector.verify_rounds.{name}" for name in ("phase", "after_first", "after_second")
)
"""Columns of the version before, which `migrate` drops: nobody else added them."""


@cache
def own_names() -> list[str]:
    """Return the qualified names of the tables, views and functions of ours: those that the SQL of the project names.

    Those of an older version are among them, since the steps of `migrate` name what they rename or drop.
    """
    names = {name for text in all_texts() for name in _NAME.findall(text)}
    names |= {f"projector.capture_{table.name}" for table in SOURCE_TABLES if table.kind is not None}
    return sorted(names)


def find_own_objects(conn: Connection, schemas: Sequence[str] = SCHEMAS) -> list[Row]:
    """Return what is ours in these schemas, and the schemas, in an order in which each can be given an owner."""
    wanted = {"schemas": list(schemas), "names": own_names()}
    return rows(conn, Row, _of_own("find_own_objects"), wanted)


def find_dependents(conn: Connection, schemas: Sequence[str]) -> list[str]:
    """Return what others made that would go with these schemas of ours, views upon views too, in PostgreSQL's words."""
    current = [f"{table.name}.{column}" for table in tables().values() for column in table.columns]
    wanted = {
        "schemas": list(schemas),
        "names": [*own_names(), *shards(conn)],
        "columns": [*_FORMER_COLUMNS, *current],
        "described": list(tables()),
    }
    return values(conn, _of_own("find_dependents"), wanted)


def drop_own(conn: Connection, schemas: Sequence[str]) -> None:
    """Drop what is ours, and then the schemas, in the caller's transaction.

    No statement says CASCADE: where something of others depends on one of ours, PostgreSQL refuses, and raises
    DependentObjectsStillExist.
    """
    found = reversed(find_own_objects(conn, schemas))
    for command, objects in groupby(found, lambda one: one.command):
        conn.execute(f"DROP {command} {', '.join(one.name for one in objects)}".encode())


def _of_own(name: str) -> LiteralString:
    return query("operate", name, own=query("operate", "own_objects").rstrip(";"))
