"""The states of a read model in which a rebuild finds it, and the WAL that the rebuild writes."""

from dataclasses import dataclass

from tests.benchmarks.fixtures import Connection

_MEGABYTE = 1_000_000


def never_built(conn: Connection) -> None:
    """Bring the read model back to where `migrate` leaves it."""
    tables = conn.execute(
        "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class AS c"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND (n.nspname = 'read_model' AND c.relname <> 'projection'"
        " OR n.nspname = 'projector' AND c.relname LIKE '%\\_keys')"
    ).fetchone()
    assert tables is not None
    with conn.transaction():
        conn.execute(f"TRUNCATE {tables[0]}".encode())
        conn.execute("UPDATE read_model.projection SET built_at = NULL")
    conn.execute("CHECKPOINT")


def right(conn: Connection) -> None:
    """Leave the rows as they are, compact and frozen, so that a rebuild pays for its own writes only."""
    conn.execute("VACUUM (FULL) read_model.leads")
    # In this order: what ANALYZE writes to the catalog is marked as committed by the next session that reads it, which
    # would count as WAL of the rebuild.
    conn.execute("ANALYZE")
    conn.execute("VACUUM (FREEZE)")
    conn.execute("CHECKPOINT")


def every_document_differs(conn: Connection) -> None:
    """Make every document another one than the definition gives, as a new projection version does."""
    conn.execute("UPDATE read_model.leads SET document = document || ' '")
    right(conn)


@dataclass(frozen=True, slots=True)
class Wal:
    """Megabytes of WAL: the records, and the full-page images apart from them."""

    records: float
    images: float


def wal_position(conn: Connection) -> str:
    """Return the end of the WAL, all of which is flushed."""
    with conn.transaction():
        # Else a server that does not wait for its disk would flush what was written some time later.
        conn.execute("SET LOCAL synchronous_commit = on")
        # A commit that has written nothing waits for nothing.
        conn.execute("SELECT pg_logical_emit_message(true, 'benchmark', '')")
    row = conn.execute("SELECT pg_current_wal_flush_lsn()::text").fetchone()
    return str(row[0]) if row else "0/0"


def megabytes_since(conn: Connection, position: str) -> float:
    """Return the megabytes of WAL since a position, full-page images included."""
    row = conn.execute("SELECT %s::pg_lsn - %s::pg_lsn", (wal_position(conn), position)).fetchone()
    return float(row[0]) / _MEGABYTE if row else 0.0


def wal_since(conn: Connection, position: str) -> Wal:
    """Return what was written since a position; only while the server still has that WAL."""
    if not megabytes_since(conn, position):
        return Wal(0.0, 0.0)
    conn.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    row = conn.execute(
        "SELECT sum(record_size), sum(fpi_size) FROM pg_get_wal_stats(%s, %s)",
        (position, wal_position(conn)),
    ).fetchone()
    assert row is not None
    return Wal(float(row[0]) / _MEGABYTE, float(row[1]) / _MEGABYTE)
