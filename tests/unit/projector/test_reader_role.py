"""The role of those who read by SQL, and the statements for a superuser where the login may not create it."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.operate.install import migrate
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support.roles import give_platform, logins, without_role
from tests.support.running import value, write_source
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

OWNER, ANALYST = "leads_test_platform", "leads_test_analyst"
ROLE = "leads_reader"
VIEWS = ("leads", "conversations", "messages", "statistics_by_day")


@pytest.fixture
def superuser(source_database: Database) -> Iterator[Connection]:
    """A superuser on a server without the role, in a database whose platform belongs to an ordinary role."""
    with source_database.connect() as conn, logins(conn, OWNER, ANALYST):
        give_platform(conn, source_database, OWNER)
        with without_role(conn, ROLE):
            yield conn


def test_the_printed_statements_let_a_reader_read(superuser: Connection, source_database: Database) -> None:
    write_source(superuser, "u")
    write_source(superuser, "v")
    with source_database.by(OWNER).connect() as conn:
        [notice] = [found for found in migrate(conn, create_source=False) if ROLE in found]
        assert notice.startswith("Nobody can be given the views in leads_sql yet, because this login may not")
        rebuild(conn, tenants=None, progress=QUIET)
        superuser.execute(notice.partition("\n")[2].encode())
        # The owner itself lets the role read from now on, that is what a later version adds, too.
        superuser.execute(f"REVOKE SELECT ON leads_sql.leads FROM {ROLE}".encode())
        assert not [found for found in migrate(conn, create_source=False) if ROLE in found]
    superuser.execute(f"GRANT {ROLE} TO {ANALYST}".encode())
    with source_database.by(ANALYST).connect() as reader:
        found = reader.execute("SELECT user_id, customer_phone FROM leads_sql.leads ORDER BY 1").fetchall()
        assert found == [("u", "49151000001"), ("v", "49151000001")]
        assert all(value(reader, f"SELECT count(*) >= 0 FROM leads_sql.{view}") for view in VIEWS)
        for other in ("read_model.leads", "projector.changes", "leads_access.api_keys", "public.messages"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT FROM {other}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("DELETE FROM leads_sql.conversations")
