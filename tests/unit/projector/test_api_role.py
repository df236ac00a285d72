"""The role of the API, and the statements for a superuser where the login may not create it."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import TupleRow

from api.app import create_app
from api.config import Config
from projector.observe.status import find_attention, read_status
from projector.operate.install import migrate
from projector.operate.roles import set_up_api_role
from projector.report.progress import QUIET
from projector.sweep.rebuild import rebuild
from tests.support.roles import give_platform, logins, without_role
from tests.support.running import value
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]

OWNER, API = "leads_test_platform", "leads_test_api"
ROLE = "leads_api"


@pytest.fixture
def superuser(source_database: Database) -> Iterator[Connection]:
    """A superuser on a server without the role, in a database whose platform belongs to an ordinary role."""
    with source_database.connect() as conn, logins(conn, OWNER, API):
        give_platform(conn, source_database, OWNER)
        with without_role(conn, ROLE):
            yield conn


def answer(database: Database, login: str) -> tuple[int, str]:
    """The status of a request to the API under a login, and its message where it failed."""
    app = create_app(Config(database.by(login).url, rate_limit="", log_level="CRITICAL"))
    answered = app.test_client().get("/users/u/leads")
    app.extensions["leads"].database.engine.dispose()
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
    superuser.execute(f"CREATE ROLE {ROLE}".encode())
    with source_database.by(OWNER).connect() as conn:
        migrate(conn, create_source=False)
        [notice] = set_up_api_role(conn)
    assert notice.splitlines()[1:] == [f"GRANT leads_api TO {OWNER};"]
    assert value(superuser, f"SELECT has_table_privilege('{ROLE}', 'read_model.leads', 'SELECT')") is True
    assert "GRANT leads_api TO" in answer(source_database, OWNER)[1]
    superuser.execute(notice.partition("\n")[2].encode())
    assert answer(source_database, OWNER)[1] == "The read model was never built"
