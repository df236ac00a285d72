"""Finds what the platform's publications leave out, if logical replication brings the rows of the source tables.

A row filter, a list of columns or `publish` keeps rows and columns from arriving, and nothing on this server shows it.
The catalog of the origin does, which every login may read. What was left out is missing until the table is copied
again, also when the publication has been repaired.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

from psycopg.types.json import Jsonb

from projector.database.rows import Connection, rows
from projector.database.sql import query


@dataclass(frozen=True, slots=True)
class Brought:
    """A table that a subscription lists and that is a source table, or a partition of one.

    `schema_name` and `table_name` are its names at the origin, `source_schema` and `source_name` those of its source
    table. `copy` distinguishes copies of its rows, None during a copy. `columns` are those that have to arrive.
    """

    name: str
    schema_name: str
    table_name: str
    source_schema: str
    source_name: str
    publications: list[str]
    copy: str | None
    columns: list[str]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A table of projector.left_out, which says what its columns mean."""

    table_name: str
    reason: str | None
    copy: str | None = None


def look(origin: Connection, brought: Sequence[Brought]) -> dict[str, str]:
    """Return what is left out at the origin: tables, and a reason for each."""
    left_out = find_left_out(origin, brought)
    if not left_out:
        return {}
    # PostgreSQL reads the lists of a publication in their present state, and the rest of the statement by its snapshot:
    # a table that is swapped by name meanwhile once seems to be left out.
    again = find_left_out(origin, brought)
    return {name: reason for name, reason in again.items() if name in left_out}


def read_brought(conn: Connection) -> list[Brought]:
    """Return the tables that subscriptions bring."""
    return rows(conn, Brought, query("origin", "read_brought_tables"))


def read_left_out(conn: Connection) -> list[LeftOut]:
    """Return the rows of projector.left_out."""
    return rows(conn, LeftOut, query("origin", "read_left_out"))


def find_left_out(origin: Connection, brought: Sequence[Brought]) -> dict[str, str]:
    """Return the tables that the origin does not publish completely, and in words how it publishes them."""
    tables = [asdict(table) for table in brought]
    return dict(origin.execute(query("origin", "find_left_out"), {"brought": Jsonb(tables)}).fetchall())


def note_left_out(conn: Connection, reasons: Mapping[str, str], brought: Iterable[Brought]) -> list[LeftOut]:
    """Note the tables that are left out in part, and delete those that were copied again. Returns the notes."""
    noted = read_left_out(conn)
    if not reasons and not noted:
        return []
    copies = {table.name: table.copy for table in brought}
    # A table that no subscription lists has no copy yet.
    kept = [
        LeftOut(table_name=name, reason=reason, copy=copies.get(name, "")) for name, reason in reasons.items()
    ]
    for old in noted:
        if old.table_name in reasons:
            continue
        copy = copies.get(old.table_name, "")
        if copy is None or copy == (old.copy if old.copy is not None else copy):
            # A copy that ran while something was left out lacks it too.
            kept.append(
                LeftOut(table_name=old.table_name, reason=None, copy=old.copy if copy is None else copy)
            )
    kept.sort(key=lambda table: table.table_name)
    if kept != noted:
        parameters = {
            "tables": [table.table_name for table in kept],
            "reasons": [table.reason for table in kept],
            "copies": [table.copy for table in kept],
        }
        conn.execute(query("origin", "note_left_out"), parameters)
    return kept


def say_left_out(left_out: Iterable[LeftOut]) -> str | None:
    """Return what is left out, as a sentence without a full stop, or None."""
    tables: dict[str | None, list[str]] = {}
    for table in left_out:
        tables.setdefault(table.reason, []).append(table.table_name)
    missing = tables.pop(None, [])
    sentences = []
    if tables:
        said = "; ".join(f"{', '.join(names)} {reason}" for reason, names in tables.items())
        sentences.append(f"Not all that the projection reads is published: {said}")
    if missing:
        sentences.append(
            f"What was not published is missing until these tables are copied again: {', '.join(missing)}"
        )
    return ". ".join(sentences) or None
