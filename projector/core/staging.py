"""The staging tables: temporary tables of a connection, which each batch clears and fills."""

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
"""A batch, which may have a single lead, first truncates the staging tables if one has more bytes."""

LEAVE_BELOW_BYTES = 32 * 1024
"""A staging table of at most this many bytes is not truncated with the others."""

# A chunk of some hundred leads fills most tables beyond the limit of a batch, and deleted rows do not slow it down.
_CHUNK_TRUNCATES_ABOVE_BYTES = 1024 * 1024


def clear(conn: Connection, bloated: Sequence[str] | None = None) -> None:
    """Delete the rows of the staging tables, and truncate the bloated ones.

    Without `bloated`, it first looks up the tables that are too large for a chunk of leads.

    VACUUM does not process temporary tables: every later batch scans the deleted rows, and the planner counts them. But
    each TRUNCATE writes WAL, for the catalog, and makes PostgreSQL plan each statement on the table anew. So a batch
    truncates rarely, and then all large tables. docs/internals/performance.md says what that saves.
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
    """Return a single statement that deletes the rows of these staging tables."""
    *first, last = (query("core", "clear_staging_table", staging_table=name).rstrip(";") for name in tables)
    parts = ", ".join(f"cleared_{number} AS ({text})" for number, text in enumerate(first))
    return f"WITH {parts} {last}".encode()


CLEAR = _clear_statement(TABLES)
"""The statement that deletes the rows of all staging tables."""
