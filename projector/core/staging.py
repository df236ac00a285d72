"""The staging tables: temporary tables of a connection that one batch fills, and the next one clears."""

import re
from collections.abc import Sequence

from psycopg import sql as composing

from projector.database.rows import Connection
from projector.database.sql import query, statement

TABLES = re.findall(
    r"CREATE TEMPORARY TABLE IF NOT EXISTS (\w+)", statement("refresh/0_session/10_staging_tables")
)
"""The names of the staging tables."""

TRUNCATE_ABOVE_BYTES = 512 * 1024
"""A batch, which may be of a single lead, truncates the staging tables before it begins if one has more bytes."""

LEAVE_BELOW_BYTES = 32 * 1024
"""A staging table of no more bytes is not truncated with the others."""

# A chunk of some hundred leads fills most tables with more than that, and what is left in them does not slow it down.
_CHUNK_TRUNCATES_ABOVE_BYTES = 1024 * 1024


def clear(conn: Connection, bloated: Sequence[str] | None = None) -> None:
    """Delete the rows of the staging tables, and truncate the bloated ones.

    Without `bloated`, those with more bytes than a chunk of leads minds are looked up first.

    VACUUM does not come by temporary tables: every later batch scans what was deleted, and the planner takes it for
    rows. But each TRUNCATE writes WAL, for the catalog, and has each statement that reads the table planned anew. So a
    batch truncates seldom, and then all that is large. docs/internals/performance.md has what that saves.
    """
    if bloated is None:
        parameters = {"staging_tables": TABLES, "truncate_above_bytes": _CHUNK_TRUNCATES_ABOVE_BYTES}
        bloated = [
            row[0] for row in conn.execute(query("core", "find_bloated_tables"), parameters).fetchall()
        ]
    if bloated:
        tables = composing.SQL(", ").join(composing.Identifier("pg_temp", name) for name in bloated)
        conn.execute(composing.SQL("TRUNCATE {}").format(tables), prepare=False)
    conn.execute(CLEAR)


def _clear_statement(tables: Sequence[str]) -> bytes:
    """One statement that deletes the rows of these staging tables."""
    *first, last = (query("core", "clear_staging_table", staging_table=name).rstrip(";") for name in tables)
    parts = ", ".join(f"cleared_{number} AS ({text})" for number, text in enumerate(first))
    return f"WITH {parts} {last}".encode()


CLEAR = _clear_statement(TABLES)
"""The statement that deletes the rows of all staging tables."""
