"""Databases of the versions that `migrate` takes over, as their own projectors left them.

Each data/version_VERSION.sql.gz is a dump of such a database (pg_dump --inserts, without comments), of the projection
version VERSION. The first one has some leads, changes that wait, a dead letter, and what a killed rebuild left. The
second has leads with messages of both sides, extractions of several statuses and contacts, and changes that wait.
"""

import gzip
from pathlib import Path

import psycopg

from projector.database.schema import sections
from tests.conftest import MakeDatabase
from tests.support.server import Database
from tests.support.source import COLUMNS

DUMPS = {
    path.name.removeprefix("version_").partition(".")[0]: path
    for path in (Path(__file__).parent / "data").glob("version_*.sql.gz")
}


def restored(make_database: MakeDatabase, version: str) -> Database:
    """Return a database of a version."""
    made = make_database(None)
    with psycopg.connect(made.url, autocommit=True) as conn:
        if conn.execute("SELECT FROM pg_roles WHERE rolname = 'leads_api'").fetchone() is None:
            conn.execute("CREATE ROLE leads_api NOLOGIN; CREATE ROLE leads_reader NOLOGIN")
        conn.execute(gzip.decompress(DUMPS[version].read_bytes()))
        # The platform has the tables and columns that came later, too.
        conn.execute("SET search_path = public")
        conn.execute(sections()["source"].encode())
        for table, columns in COLUMNS.items():
            for column in columns:
                added = f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {column.name} {column.type}"
                conn.execute(added.encode())
        conn.execute("SET search_path = ''")
        # Loaded from a dump, triggers and tables have other ids: here they count as installed in this database.
        conn.execute(
            "UPDATE projector.capture_triggers AS e SET fingerprint = n.fingerprint"
            " FROM projector.capture_fingerprints AS n"
            " WHERE (n.table_name, n.trigger_name) = (e.table_name, e.trigger_name)"
        )
        conn.execute(
            "UPDATE projector.settings SET value = r.ids FROM projector.read_model_tables AS r"
            " WHERE name = 'read_model_tables'"
        )
    return made
