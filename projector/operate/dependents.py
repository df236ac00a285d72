"""What of others depends on what is ours."""

from collections.abc import Sequence
from itertools import groupby

from projector.database.distribution import shards
from projector.database.ownership import find_own_objects, own_names
from projector.database.rows import Connection, values
from projector.database.schema import tables
from projector.database.sql import query

_FORMER_COLUMNS = tuple(
    f"projector.verify_rounds.{name}" for name in ("phase", "after_first", "after_second")
)
"""Columns of the version before, which `migrate` drops: nobody else added them."""


def find_dependents(conn: Connection, schemas: Sequence[str]) -> list[str]:
    """Return what others made that would go with these schemas of ours, views upon views too, in PostgreSQL's words."""
    current = [f"{table.name}.{column}" for table in tables().values() for column in table.columns]
    wanted = {
        "schemas": list(schemas),
        "names": [*own_names(), *shards(conn)],
        "columns": [*_FORMER_COLUMNS, *current],
        "described": list(tables()),
    }
    own = query("database", "own_objects").rstrip(";")
    return values(conn, query("operate", "find_dependents", own=own), wanted)


def drop_own(conn: Connection, schemas: Sequence[str]) -> None:
    """Drop what is ours, and then the schemas, in the caller's transaction.

    No statement says CASCADE: where something of others depends on one of ours, PostgreSQL refuses, and raises
    DependentObjectsStillExist.
    """
    found = reversed(find_own_objects(conn, schemas))
    for command, objects in groupby(found, lambda one: one.command):
        conn.execute(f"DROP {command} {', '.join(one.name for one in objects)}".encode())
