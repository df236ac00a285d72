"""The index of searches, and the extensions that it needs."""

import psycopg

from projector.core.pipeline import Connection
from projector.database.schema import sections


def set_up_search(conn: Connection) -> list[str]:
    """Create both; return what a superuser has to run if a right is missing."""
    text = sections()["search"]
    try:
        with conn.transaction():
            conn.execute(text.encode(), prepare=False)
    except (
        psycopg.errors.InsufficientPrivilege,
        psycopg.errors.UndefinedFile,
        psycopg.errors.FeatureNotSupported,
        psycopg.errors.InvalidSchemaName,
    ):
        return [
            (
                "A search word will read all leads of its tenant, because pg_trgm and btree_gin could not be created."
                f" Have a superuser run:\n{text.strip()}"
            )
        ]
    return []
