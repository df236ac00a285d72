"""What `migrate` tells an operator of the platform's database."""

from projector.capture.source import LOOKED_UP
from projector.core.pipeline import Connection
from projector.database.source_names import source_names
from projector.database.sql import query


def missing_indexes(conn: Connection) -> list[str]:
    """Return which columns that a refresh looks up have no index."""
    notices = []
    for table, column in LOOKED_UP:
        wanted = {"relation": source_names(conn)[table], "column_name": column}
        if conn.execute(query("install", "has_index"), wanted).fetchone() == (False,):
            notices.append(
                f"The platform's table {table} has no index on {column}: a refresh reads all of it each time."
                f" Create one: CREATE INDEX CONCURRENTLY ON {table} ({column});"
            )
    return notices


def collation(conn: Connection) -> list[str]:
    """Return whether the database tells upper from lower case in some letters."""
    row = conn.execute(query("install", "find_ascii_collation")).fetchone()
    if row is None:
        return []
    notice = (
        f"The database {row[0]} has the collation {row[1]}, in which only ASCII letters have a lower case: searches and"
        " sorting by name tell Ä from ä. A database with a UTF-8 collation does not."
    )
    return [notice]
