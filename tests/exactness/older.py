"""A database of the oldest version that `migrate` takes over, as its own projector left it.

data/version_VERSION.sql.gz is a dump of it (pg_dump --inserts, without comments), of the projection version VERSION. It
has leads with messages of both sides, extractions of several statuses and contacts, and changes that wait.
"""

import gzip
from pathlib import Path

from projector.database.ownership import find_own_objects
from projector.database.schema import sections
from projector.operate.install import PREDECESSORS
from tests.conftest import MakeDatabase
from tests.support.server import Database
from tests.support.source import COLUMNS

DUMP = Path(__file__).parent / "data" / f"version_{PREDECESSORS[0]}.sql.gz"


def restored(make_database: MakeDatabase) -> Database:
    """Return a database of that version."""
    made = make_database(None)
    with made.connect() as conn:
        conn.execute(sections()["access_roles"].encode(), prepare=False)
        conn.execute("RESET ROLE; DROP SCHEMA leads_access", prepare=False)
        conn.execute(gzip.decompress(DUMP.read_bytes()), prepare=False)
        # The dump has no owners.
        for own in find_own_objects(conn, ["leads_access"]):
            conn.execute(f"ALTER {own.command} {own.name} OWNER TO leads_access".encode())
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
