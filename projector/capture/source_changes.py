"""Changes of the source tables that no trigger sees: ALTER TABLE, and partitions that come and go.

A column that was renamed, dropped or rewritten, and a partition that was attached or detached, are gaps of capture.
The view projector.changed_source finds them: it compares the catalog with how columns and partitions were when capture
was last found intact, which is noted here.
"""

from collections.abc import Sequence

import psycopg

from projector.database import rows
from projector.database.connect import transaction_with_lock_timeout
from projector.database.rows import Connection
from projector.database.source_names import SourceTable
from projector.database.sql import query

_LOCK_TIMEOUT = "200ms"
"""How long to wait for a lock on a new partition; a later check then looks for its rows."""


def note_source(conn: Connection, tables: Sequence[SourceTable], *, again: bool = False) -> None:
    """Note the columns of these tables that are not noted yet, and delete those that are no longer read.

    The partitions of a table are noted together with its first columns. With `again`, columns, partitions and our own
    tables are noted in their present state, and the changes without a key are deleted: a rebuild of everything has to
    follow. A column that does not exist keeps its note, and stays a gap.
    """
    pairs = [(table.name, column) for table in tables for column in table.columns]
    parameters = {
        "tables": [name for name, _ in pairs],
        "columns": [column for _, column in pairs],
        "again": again,
    }
    conn.execute(query("capture", "forget_columns"), parameters)
    noted: list[str] = []
    if again:
        conn.execute(query("capture", "forget_partitions"))
        conn.execute(query("capture", "delete_unreadable_changes"))
    else:
        noted = rows.values(conn, query("capture", "find_noted_tables"))
    conn.execute(query("capture", "note_columns"), parameters)
    new = [table.name for table in tables if table.name not in noted]
    while conn.execute(query("capture", "note_partitions"), {"tables": new, "partitions": []}).rowcount:
        pass
    conn.execute(query("capture", "note_read_model"), parameters)


def note_harmless_changes(conn: Connection) -> None:
    """Note what has changed in the source without changing a row: such a change is no gap.

    These are columns that were altered but not rewritten, tables that were rewritten but not altered, and new
    partitions without rows. Raises LockNotAvailable if the platform locks a new partition for longer than 200 ms.
    """
    conn.execute(query("capture", "note_touched_columns"))
    for partition_id, relation in conn.execute(query("capture", "find_new_partitions")).fetchall():
        with transaction_with_lock_timeout(conn, _LOCK_TIMEOUT):
            if _is_empty(conn, relation):
                conn.execute(
                    query("capture", "note_partitions"), {"tables": [], "partitions": [partition_id]}
                )


def _is_empty(conn: Connection, relation: str) -> bool:
    try:
        with conn.transaction():
            return bool(rows.value(conn, query("capture", "is_empty", relation=relation)))
    except psycopg.errors.InsufficientPrivilege:
        # A partition of another owner may have rows that this login cannot see.
        return False
