"""The roles of the API and of those who read by SQL, and what a superuser has to run where a login may not."""

from collections.abc import Iterator

import psycopg
import pytest

from api.app import create_app
from api.config import Config
from projector.database.rows import Connection
from projector.observe.status import find_attention, read_status
from projector.operate.install import migrate
from projector.operate.roles import set_up_api_role
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support.roles import give_platform, logins, without_role
from tests.support.running import value, write_source
from tests.support.server import Database

OWNER, LOGIN = "leads_test_platform", "leads_test_reader"
VIEWS = ("leads", "conversations", "messages", "statistics_by_day")


@pytest.fixture
def superuser(source_database: Database) -> Iterator[Connection]:
    """A superuser on a server without the roles, in a database whose platform belongs to an ordinary role."""
    with source_database.connect() as conn, logins(conn, OWNER, LOGIN):
        give_platform(conn, source_database, OWNER)
        with without_role(conn, "leads_api"), without_role(conn, "leads_reader"):
            yield conn


def answer(database: Database, login: str) -> tuple[int, str]:
    """The status of a request to the API under a login, and its message where it failed."""
    app = create_app(Config(database.by(login).url, rate_limit="", log_level="CRITICAL"))
    answered = app.test_client().get("/users/u/leads")
    app.extensions["leads"].database.close()
    return answered.status_code, answered.get_json().get("message", "")


@pytest.mark.usefixtures("superuser")
def test_each_program_names_the_missing_role_and_the_command(source_database: Database) -> None:
    with source_database.by(OWNER).connect() as conn:
        migrate(conn, create_source=False)
        rebuild(conn, tenants=None, progress=QUIET)
        [sentence] = find_attention(read_status(conn))
        assert sentence.startswith("The role leads_api does not exist, so the API cannot read: run `migrate`")
        assert find_attention(read_status(conn, api_role="")) == []
    assert answer(source_database, OWNER) == (
        503,
        "The role leads_api does not exist: run `python -m projector migrate`, which creates it or prints how",
    )


def test_rights_stay_where_only_the_membership_is_refused(
    superuser: Connection, source_database: Database
) -> None:
    superuser.execute("CREATE ROLE leads_api; CREATE ROLE leads_reader")
    with source_database.by(OWNER).connect() as conn:
        migrate(conn, create_source=False)
        [notice] = set_up_api_role(conn)
    assert notice.splitlines()[1:] == [f"GRANT leads_api TO {OWNER};"]
    assert value(superuser, "SELECT has_table_privilege('leads_api', 'read_model.leads', 'SELECT')") is True
    assert "GRANT leads_api TO" in answer(source_database, OWNER)[1]
    superuser.execute(notice.partition("\n")[2].encode())
    assert answer(source_database, OWNER)[1] == "The read model was never built"


def test_the_printed_statements_let_a_reader_read(superuser: Connection, source_database: Database) -> None:
    write_source(superuser, "u")
    write_source(superuser, "v")
    with source_database.by(OWNER).connect() as conn:
        [notice] = [found for found in migrate(conn, create_source=False) if "leads_reader" in found]
        assert notice.startswith("Nobody can be given the views in leads_sql yet, because this login may not")
        rebuild(conn, tenants=None, progress=QUIET)
        superuser.execute(notice.partition("\n")[2].encode())
        # The owner itself lets the role read from now on, that is what a later version adds, too.
        superuser.execute("REVOKE SELECT ON leads_sql.leads FROM leads_reader")
        assert not [found for found in migrate(conn, create_source=False) if "leads_reader" in found]
    superuser.execute(f"GRANT leads_reader TO {LOGIN}".encode())
    with source_database.by(LOGIN).connect() as reader:
        found = reader.execute("SELECT user_id, customer_phone FROM leads_sql.leads ORDER BY 1").fetchall()
        assert found == [("u", "49151000001"), ("v", "49151000001")]
        assert all(value(reader, f"SELECT count(*) >= 0 FROM leads_sql.{view}") for view in VIEWS)
        for other in ("read_model.leads", "projector.changes", "leads_access.api_keys", "public.messages"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"SELECT FROM {other}".encode())
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("DELETE FROM leads_sql.conversations")
