"""What there is without a read model: all rows computed again by CREATE TABLE AS, or in a materialized view."""

import re
from pathlib import Path

from psycopg import sql

from tests.benchmarks.fixtures import Connection

_FOLDER = Path(__file__).parent / "sql"
SCHEMA = "baseline"
VIEW_SCHEMA = "baseline_view"
_STATISTICS = {"lead_counts", "lead_daily_counts", "lead_totals"}
# More than a rebuild takes: the baseline shall not lack memory.
_MEMORY = "256MB"


def parts() -> dict[str, str]:
    """The SELECT of each table by its name; it reads those before it."""
    return {
        file.stem.split("_", 1)[1]: file.read_text("utf-8") for file in sorted(_FOLDER.glob("[0-9]*.sql"))
    }


def create_tables(conn: Connection, *, finished: bool = False, workers: int | None = None) -> None:
    """Create all tables of the read model by CREATE TABLE AS, with the same indexes and statistics.

    With `finished`, the rows are copied from the read model: the cost of writing rows and indexes alone. `workers` is
    the number of parallel workers that PostgreSQL may use for one command; None leaves that to its settings.
    """
    drop(conn)
    if workers is not None:
        conn.execute("SELECT set_config('max_parallel_workers_per_gather', %s, false)", (str(workers),))
        conn.execute("SELECT set_config('max_parallel_maintenance_workers', %s, false)", (str(workers),))
    with conn.transaction():
        _prepare(conn)
        for name, text in parts().items():
            rows = f"SELECT * FROM read_model.{name}" if finished else text
            conn.execute(f"CREATE TABLE {SCHEMA}.{name} AS {rows}".encode())
            conn.execute(f"ANALYZE {SCHEMA}.{name}".encode())
    creates = conn.execute(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'read_model' AND tablename = ANY(%s)",
        (list(parts()),),
    ).fetchall()
    conn.execute("SELECT set_config('maintenance_work_mem', %s, false)", (_MEMORY,))
    for (create,) in creates:
        conn.execute(re.sub(r"\bread_model\.", f"{SCHEMA}.", create).encode())
    for name in parts():
        conn.execute(f"VACUUM ANALYZE {SCHEMA}.{name}".encode())


def check(conn: Connection) -> None:
    """Raise AssertionError where the tables do not have the rows of the read model: they would be no baseline.

    Columns and printed keys that only the read model has are left out: they were added since. So is the version.
    """
    for name in parts():
        columns = ", ".join(_compared(conn, name))
        ours, theirs = (f"SELECT {columns} FROM {schema}.{name}" for schema in ("read_model", SCHEMA))
        query = (
            f"SELECT (SELECT count(*) FROM ({ours} EXCEPT {theirs}) AS o)"
            f" + (SELECT count(*) FROM ({theirs} EXCEPT {ours}) AS t)"
        )
        row = conn.execute(query.encode()).fetchone()
        if row is None or row[0]:
            raise AssertionError(f"CREATE TABLE AS and the read model differ in {name}: {row}")


def _compared(conn: Connection, table: str) -> list[str]:
    names = [
        str(name)
        for (name,) in conn.execute(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = %s AND table_name = %s",
            (SCHEMA, table),
        ).fetchall()
    ]
    if "document" not in names:
        return names
    names.remove("document")
    # It counts what was written, and is no part of what a lead is.
    names.remove("version")
    keys = conn.execute(
        f"SELECT DISTINCT jsonb_object_keys(document::jsonb) FROM {SCHEMA}.{table}".encode()
    ).fetchall()
    return [*names, *(f"document::jsonb -> '{key}'" for (key,) in keys)]


def create_view(conn: Connection) -> None:
    """All leads in one materialized view, which can be refreshed concurrently."""
    drop_view(conn)
    *before, leads = [(name, text) for name, text in parts().items() if name not in _STATISTICS]
    tables = ", ".join(f"{name} AS ({text})" for name, text in before)
    with conn.transaction():
        _prepare(conn, VIEW_SCHEMA)
        query = f"CREATE MATERIALIZED VIEW {VIEW_SCHEMA}.all_leads AS WITH {tables} SELECT * FROM ({leads[1]}) AS l"
        conn.execute(query.encode())
        conn.execute(f"CREATE UNIQUE INDEX ON {VIEW_SCHEMA}.all_leads (user_id, customer_phone)".encode())


def refresh_view(conn: Connection, *, concurrently: bool) -> None:
    """Refresh it, with more memory than a rebuild takes."""
    with conn.transaction():
        _prepare(conn, VIEW_SCHEMA)
        how = "CONCURRENTLY" if concurrently else ""
        conn.execute(f"REFRESH MATERIALIZED VIEW {how} {VIEW_SCHEMA}.all_leads".encode())


def drop(conn: Connection) -> None:
    """Drop what of the tables is there."""
    conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(SCHEMA)))


def drop_view(conn: Connection) -> None:
    """Drop the view."""
    conn.execute(sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(VIEW_SCHEMA)))


def _prepare(conn: Connection, schema: str = SCHEMA) -> None:
    conn.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}".encode())
    conn.execute("SELECT set_config('work_mem', %s, true)", (_MEMORY,))
    conn.execute("SELECT set_config('search_path', %s, true)", (f"{schema}, public",))
    # The planner takes the columns of a lead's key for independent, and a join by all of them for one row: with a
    # million leads it would loop over all of them for each.
    conn.execute("SELECT set_config('enable_nestloop', 'off', true)")
