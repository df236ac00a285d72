"""What PostgreSQL keeps of deleted rows: values in the planner's statistics, and bytes in the files of tables."""

import time

import psycopg
from psycopg import sql as composing
from psycopg.types.json import Jsonb

from projector.core.pipeline import Connection
from projector.database.connect import retry_on_lock_timeout
from projector.database.sql import query
from projector.report.errors import BlockedError
from projector.report.progress import Progress

LOCK_TIMEOUT = "200ms"
"""How long a rewrite waits for a table at a time. Readers, and writers of the platform, wait behind it."""

PATIENCE_SECONDS = 60.0
"""How long a rewrite tries to get a table, and waits for older snapshots to end."""

_PLANNER_STATISTICS = "pg_catalog.pg_statistic"


def renew_statistics(conn: Connection) -> None:
    """Have PostgreSQL collect statistics anew for each table that has some: they hold frequent values of rows.

    ANALYZE leaves the statistics of an empty table as they were. So that is done while the table has a blank row.
    """
    for name, has_statistics in _tables(conn):
        if has_statistics:
            _analyze(conn, name)


def rewrite_files(conn: Connection, progress: Progress, *, patience: float = PATIENCE_SECONDS) -> list[str]:
    """Rewrite the files of our tables, indexes and planner's statistics, so that no byte of a deleted row is in them.

    Returns the tables that the login may not rewrite. Each table is locked
    while it is rewritten. Raises BlockedError while a session of the database may still see deleted rows, which
    PostgreSQL then keeps, and where another session holds a table.
    """
    wanted = _names(conn)
    row = conn.execute(query("erasure", "read_transaction")).fetchone()
    _wait_for_snapshots(conn, row[0] if row else None, patience)
    progress.start("vacuum", len(wanted), "tables")
    denied: list[str] = []
    for name in wanted:
        if not _rewrite(conn, name, patience):
            denied.append(name)
        progress.advance(1)
    progress.finish()
    return denied


def _rewrite(conn: Connection, name: str, patience: float) -> bool:
    """Rewrite one table; return whether PostgreSQL did so, since it warns where the login may not."""
    warnings: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        if diagnostic.severity_nonlocalized == "WARNING":
            warnings.append(name)

    def rewrite() -> None:
        try:
            conn.execute(composing.SQL("VACUUM (FULL) {}").format(composing.SQL(name)), prepare=False)
        except psycopg.errors.InsufficientPrivilege:
            # It may not even look into the schema.
            warnings.append(name)

    conn.add_notice_handler(note)
    conn.execute("SELECT set_config('lock_timeout', %s, false)", (LOCK_TIMEOUT,))
    try:
        retry_on_lock_timeout(
            rewrite,
            patience=patience,
            pause=0.2,
            message=(
                f"The table {name} could not be rewritten in {patience:.0f} s: another session holds it. The rows are"
                " erased. See pg_stat_activity for long transactions, and run erase with --vacuum again when they have"
                " ended."
            ),
        )
    finally:
        conn.execute("SELECT set_config('lock_timeout', '0', false)")
        conn.remove_notice_handler(note)
    return not warnings


def _wait_for_snapshots(conn: Connection, transaction: str | None, patience: float) -> None:
    deadline = time.monotonic() + patience
    held = {"transaction": transaction}
    while (holder := conn.execute(query("erasure", "find_holder"), held).fetchone()) is not None:
        if time.monotonic() >= deadline:
            raise BlockedError(
                f"PostgreSQL has to keep deleted rows for {holder[0]}, which is older than the erasure. The rows are"
                " erased, and their bytes are still in the files. End that, and run erase with --vacuum again."
            )
        time.sleep(0.1)


def _names(conn: Connection) -> list[str]:
    return [*(name for name, _ in _tables(conn)), _PLANNER_STATISTICS]


def _tables(conn: Connection) -> list[tuple[str, bool]]:
    return conn.execute(query("erasure", "find_tables"), prepare=False).fetchall()


def _analyze(conn: Connection, name: str) -> None:
    analyze = composing.SQL("ANALYZE {}").format(composing.SQL(name))
    conn.execute(analyze, prepare=False)
    if conn.execute(query("erasure", "has_rows", table=name), prepare=False).fetchone() == (True,):
        return
    with conn.transaction():
        row = conn.execute(query("erasure", "describe_blank_row"), {"table": name}).fetchone()
        conn.execute(
            query("erasure", "insert_blank_row", table=name), {"row": Jsonb(row and row[0])}, prepare=False
        )
        conn.execute(analyze, prepare=False)
        conn.execute(query("erasure", "delete_blank_row", table=name), prepare=False)
