"""What there is without a read model, the states in which a rebuild finds one, and the WAL that is written.

Without a read model, all rows are computed again: by CREATE TABLE AS, or in a materialized view.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.core import seconds
from tests.benchmarks.fixtures import Connection, value

_FOLDER = Path(__file__).parent / "sql"
_SCHEMA = "baseline"
_STATISTICS = {"lead_counts", "lead_daily_counts", "lead_totals"}
# More than a rebuild takes: the baseline shall not lack memory.
_MEMORY = "256MB"
_MEGABYTE = 1_000_000


def parts() -> dict[str, str]:
    """Return the SELECT of each table by its name; it reads those before it."""
    return {
        file.stem.split("_", 1)[1]: file.read_text("utf-8") for file in sorted(_FOLDER.glob("[0-9]*.sql"))
    }


def create(conn: Connection, *, workers: int | None = None) -> None:
    """Create all tables of the read model by CREATE TABLE AS, with the same indexes and statistics.

    `workers` is the number of parallel workers that PostgreSQL may use for one command; None leaves that to its
    settings.
    """
    drop(conn)
    if workers is not None:
        for setting in ("max_parallel_workers_per_gather", "max_parallel_maintenance_workers"):
            conn.execute("SELECT set_config(%s, %s, false)", (setting, str(workers)))
    with conn.transaction():
        _prepare(conn)
        for name, text in parts().items():
            conn.execute(f"CREATE TABLE {_SCHEMA}.{name} AS {text}".encode())
            conn.execute(f"ANALYZE {_SCHEMA}.{name}".encode())
    indexes = conn.execute(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'read_model' AND tablename = ANY(%s)",
        (list(parts()),),
    ).fetchall()
    conn.execute("SELECT set_config('maintenance_work_mem', %s, false)", (_MEMORY,))
    for (definition,) in indexes:
        conn.execute(re.sub(r"\bread_model\.", f"{_SCHEMA}.", definition).encode())
    for name in parts():
        conn.execute(f"VACUUM ANALYZE {_SCHEMA}.{name}".encode())


def check(conn: Connection) -> None:
    """Raise AssertionError unless the tables have the rows of the read model: they would be no baseline.

    Columns and printed keys that only the read model has are left out: they were added since. So is the version.
    """
    for name in parts():
        columns = ", ".join(_compared(conn, name))
        ours, theirs = (f"SELECT {columns} FROM {schema}.{name}" for schema in ("read_model", _SCHEMA))
        differ = value(
            conn,
            f"SELECT (SELECT count(*) FROM ({ours} EXCEPT {theirs}) AS o)"
            f" + (SELECT count(*) FROM ({theirs} EXCEPT {ours}) AS t)",
        )
        if differ:
            raise AssertionError(f"CREATE TABLE AS and the read model differ in {name}: {differ}")


def _compared(conn: Connection, table: str) -> list[str]:
    query = (
        "SELECT column_name::text FROM information_schema.columns WHERE table_schema = %s AND table_name = %s"
    )
    names = [name for (name,) in conn.execute(query, (_SCHEMA, table)).fetchall()]
    if "document" not in names:
        return names
    keys = conn.execute(
        f"SELECT DISTINCT jsonb_object_keys(document::jsonb) FROM {_SCHEMA}.{table}".encode()
    ).fetchall()
    # The version counts what was written, and is no part of what a lead is.
    kept = [name for name in names if name not in {"document", "version"}]
    return [*kept, *(f"document::jsonb -> '{key}'" for (key,) in keys)]


def create_view(conn: Connection) -> None:
    """Create a materialized view of all leads, which can be refreshed concurrently."""
    drop(conn)
    *before, leads = [(name, text) for name, text in parts().items() if name not in _STATISTICS]
    tables = ", ".join(f"{name} AS ({text})" for name, text in before)
    with conn.transaction():
        _prepare(conn)
        query = (
            f"CREATE MATERIALIZED VIEW {_SCHEMA}.all_leads AS WITH {tables} SELECT * FROM ({leads[1]}) AS l"
        )
        conn.execute(query.encode())
        conn.execute(f"CREATE UNIQUE INDEX ON {_SCHEMA}.all_leads (user_id, customer_phone)".encode())


def refresh_view(conn: Connection) -> None:
    """Refresh it, with more memory than a rebuild takes."""
    with conn.transaction():
        _prepare(conn)
        conn.execute(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {_SCHEMA}.all_leads".encode())


def drop(conn: Connection) -> None:
    """Drop what of the tables and the view is there."""
    conn.execute(f"DROP SCHEMA IF EXISTS {_SCHEMA} CASCADE".encode())


def _prepare(conn: Connection) -> None:
    conn.execute(f"CREATE SCHEMA IF NOT EXISTS {_SCHEMA}".encode())
    conn.execute("SELECT set_config('work_mem', %s, true)", (_MEMORY,))
    conn.execute("SELECT set_config('search_path', %s, true)", (f"{_SCHEMA}, public",))
    # The planner takes the columns of a lead's key for independent, and a join by all of them for one row: with a
    # million leads it would loop over all of them for each.
    conn.execute("SELECT set_config('enable_nestloop', 'off', true)")


def never_built(conn: Connection) -> None:
    """Bring the read model back to where `migrate` leaves it."""
    tables = value(
        conn,
        "SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class AS c"
        " JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " WHERE c.relkind = 'r' AND (n.nspname = 'read_model' AND c.relname <> 'projection'"
        " OR n.nspname = 'projector' AND c.relname = 'source_keys')",
    )
    with conn.transaction():
        conn.execute(f"TRUNCATE {tables}".encode())
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
    """Megabytes of WAL: the records, and the full-page images."""

    records: float
    images: float


def with_wal(conn: Connection, wal: list[Wal], work: Callable[[], object]) -> float:
    """Return the seconds of the work, and append what WAL it wrote; the server has to have it still."""
    began = _flushed(conn)
    taken = seconds(work)
    ended = _flushed(conn)
    conn.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    row = None
    if began != ended:
        query = "SELECT sum(record_size), sum(fpi_size) FROM pg_get_wal_stats(%s, %s)"
        row = conn.execute(query, (began, ended)).fetchone()
    wal.append(Wal(float(row[0]) / _MEGABYTE, float(row[1]) / _MEGABYTE) if row else Wal(0, 0))
    return taken


def _flushed(conn: Connection) -> str:
    """Return the end of the WAL, all of which is flushed."""
    with conn.transaction():
        # Else a server that does not wait for its disk would flush what was written some time later.
        conn.execute("SET LOCAL synchronous_commit = on")
        # A commit that has written nothing waits for nothing.
        conn.execute("SELECT pg_logical_emit_message(true, 'benchmark', '')")
    return str(value(conn, "SELECT pg_current_wal_flush_lsn()::text"))
