"""The role of the sessions: where they cannot take it, each answer says why and what to run."""

from collections.abc import Iterator

import pytest

from api.database.errors import NOT_INSTALLED
from tests.support.cases import cases
from tests.support.roles import logins
from tests.support.server import Database
from tests.unit.api.conftest import MakeApp
from tests.unit.api.response.test_errors import check

LOGIN = "leads_test_api_login"
PATHS = ("/users/a/leads", "/health/ready")


@pytest.fixture
def login(database: Database) -> Iterator[Database]:
    """The database for a login that has no rights yet."""
    with database.connect() as superuser, logins(superuser, LOGIN):
        yield database.by(LOGIN)


@cases("path", PATHS)
def test_a_role_that_is_not_there(database: Database, make_app: MakeApp, path: str) -> None:
    said = check(make_app(database, role="nobody_at_all").test_client().get(path), 503)
    assert said == (
        "The role nobody_at_all, which LEADS_API_ROLE names, does not exist: create it with CREATE ROLE nobody_at_all"
        " IN ROLE leads_api, or leave LEADS_API_ROLE unset"
    )


@cases("path", PATHS)
def test_before_migrate_the_missing_role_is_not_the_cause(
    source_database: Database, make_app: MakeApp, path: str
) -> None:
    answer = make_app(source_database, role="nobody_at_all").test_client().get(path)
    assert check(answer, 503) == NOT_INSTALLED


def test_a_role_that_the_login_may_not_take(database: Database, login: Database, make_app: MakeApp) -> None:
    client = make_app(login).test_client()
    for path in PATHS:
        assert check(client.get(path), 503) == (
            "The login of the API may not take the role leads_api: have an administrator run GRANT leads_api TO that"
            " login"
        )
    with database.connect() as superuser:
        superuser.execute(f"GRANT leads_api TO {LOGIN}".encode())
    client = make_app(login).test_client()
    assert [client.get(path).status_code for path in PATHS] == [200, 200]
