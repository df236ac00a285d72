"""What there is without a read model, the states in which a rebuild finds one, and the WAL that is written.

Without a read model, all rows are computed again: by CREATE TABLE AS, or in a materialized view. The SELECTs are in
tables.sql.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from projector.database.rows import Connection
from projector.database.sql import _fill
from tests.benchmarks.core import seconds
from tests.support.running import value

_SCHEMA = "baseline"
_STATISTICS = ("lead_counts", "lead_daily_counts", "lead_totals", "message_counts", "attribute_counts")
# More than a rebuild takes: the baseline shall not lack memory.
_MEMORY = "256MB"
_MEGABYTE = 1_000_000


def parts() -> dict[str, str]:
    """Return the SELECT of each table by its name; it reads those before it."""
    _, *pieces = re.split(
        r"^-- name: (\w+)\n", Path(__file__).with_suffix(".sql").read_text("utf-8"), flags=re.MULTILINE
    )
    texts = dict(zip(pieces[::2], pieces[1::2], strict=True))
    statistics = texts.pop("statistics")
    texts |= dict.fromkeys(_STATISTICS, statistics)
    return {
        name: _fill(text.strip().rstrip(";"), {"fence": "", "table": name}) for name, text in texts.items()
    }


def create(conn: Connection, *, workers: int | None = None) -> None:
    """Create the tables of a first build by CREATE TABLE AS, with the same indexes and statistics.

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
    # An index is on the version of a lead, which is no part of what a lead is.
    conn.execute(f"ALTER TABLE {_SCHEMA}.leads ADD COLUMN version bigint NOT NULL DEFAULT 0".encode())
    indexes = conn.execute(
        "SELECT indexdef FROM pg_indexes WHERE schemaname IN ('read_model', 'projector') AND tablename = ANY(%s)",
        (list(parts()),),
    ).fetchall()
    conn.execute("SELECT set_config('maintenance_work_mem', %s, false)", (_MEMORY,))
    for (definition,) in indexes:
        conn.execute(re.sub(r" ON (?:read_model|projector)\.", f" ON {_SCHEMA}.", definition).encode())
    for name in parts():
        conn.execute(f"VACUUM ANALYZE {_SCHEMA}.{name}".encode())


def create_view(conn: Connection) -> None:
    """Create a materialized view of all leads, which can be refreshed concurrently."""
    drop(conn)
    tables = ", ".join(f"{name} AS ({text})" for name, text in parts().items() if name not in _STATISTICS)
    with conn.transaction():
        _prepare(conn)
        view = f"{_SCHEMA}.all_leads"
        conn.execute(f"CREATE MATERIALIZED VIEW {view} AS WITH {tables} SELECT * FROM leads".encode())
        conn.execute(f"CREATE UNIQUE INDEX ON {view} (user_id, customer_phone)".encode())


def refresh_view(conn: Connection) -> None:
    """Refresh it, with more memory than a rebuild takes."""
    with conn.transaction():
        _prepare(conn)
        conn.execute(f"REFRESH MATERIALIZED VIEW CONCURRENTLY {_SCHEMA}.all_leads".encode())


def drop(conn: Connection) -> None:
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
class Cost:
    """Seconds, and megabytes of WAL: of all but indexes, and of indexes."""

    seconds: float
    rows: float
    indexes: float


def cost(conn: Connection, work: Callable[[], object]) -> Cost:
    """Return what some work costs; the server has to have its WAL still."""
    began = flushed(conn)
    return cost_since(conn, began, seconds(work))


def cost_since(conn: Connection, began: str, seconds: float) -> Cost:
    """Return the cost of what took so many seconds, with the WAL from there on."""
    ended = flushed(conn)
    conn.execute("CREATE EXTENSION IF NOT EXISTS pg_walinspect")
    # The creation of indexes writes whole pages.
    is_index = "\"resource_manager/record_type\" IN ('Btree', 'Gin', 'XLOG')"
    row = conn.execute(
        f"SELECT coalesce(sum(combined_size) FILTER (WHERE NOT {is_index}), 0)::float8 / {_MEGABYTE},"
        f" coalesce(sum(combined_size) FILTER (WHERE {is_index}), 0)::float8 / {_MEGABYTE}"
        " FROM pg_get_wal_stats(%s, %s)".encode(),
        (began, ended),
    ).fetchone()
    assert row is not None
    return Cost(seconds, *row)


def flushed(conn: Connection) -> str:
    """Return the end of the WAL, all of which is flushed."""
    with conn.transaction():
        # Else a server that does not wait for its disk would flush what was written some time later.
        conn.execute("SET LOCAL synchronous_commit = on")
        # A commit that has written nothing waits for nothing.
        conn.execute("SELECT pg_logical_emit_message(true, 'benchmark', '')")
    return str(value(conn, "SELECT pg_current_wal_flush_lsn()::text"))
