"""What a read model holds, to be compared before and after."""

from datetime import UTC, datetime

from psycopg import sql

from projector.database.rows import Connection
from projector.database.schema import table as table_of
from projector.report.counted import RunReport
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.oracle import differences_of_read_model
from tests.support.running import value

NOW = datetime(2025, 12, 12, 20, 55, 31, 163000, tzinfo=UTC)

LEAD_TABLES = ("leads", "lead_profiles", "lead_conversations", "lead_messages")
STATISTICS = ("lead_counts", "lead_daily_counts", "lead_totals")
TABLES = (*(f"read_model.{name}" for name in (*LEAD_TABLES, *STATISTICS)), "projector.source_keys")


def rows(conn: Connection, table: str, *, columns: str = "") -> list[str]:
    """The rows of a table as texts, sorted; `columns` come after those of the table."""
    names = sql.SQL(", ").join(map(sql.Identifier, table_of(table).compared))
    query = sql.SQL("SELECT ROW({}{})::text FROM {}").format(
        names, sql.SQL(columns), sql.Identifier(*table.split("."))
    )
    return sorted(row[0] for row in conn.execute(query).fetchall())


def contents(conn: Connection) -> dict[str, list[str]]:
    """All rows of all leads, keys and statistics."""
    return {table: rows(conn, table) for table in TABLES}


def rebuild_now(conn: Connection, tenants: list[str] | None = None) -> RunReport:
    return rebuild(conn, tenants=tenants, progress=QUIET)


def assert_as_the_oracle(conn: Connection) -> None:
    """The read model is what the source rows say, by code that shares nothing with the product."""
    found = differences_of_read_model(conn)
    assert not found, "\n".join(found[:20])


def tenant_versions(conn: Connection) -> dict[str, int]:
    found: dict[str, int] = value(conn, "SELECT json_object_agg(user_id, version) FROM read_model.tenants")
    return found
