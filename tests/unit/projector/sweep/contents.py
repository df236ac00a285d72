"""What a read model holds, to be compared before and after."""

from psycopg import sql

from projector.database.rows import Connection
from projector.database.schema import table as table_of

LEAD_TABLES = ("leads", "lead_profiles", "lead_conversations", "lead_messages")
STATISTICS = ("lead_counts", "lead_daily_counts", "lead_totals", "message_counts", "attribute_counts")
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
