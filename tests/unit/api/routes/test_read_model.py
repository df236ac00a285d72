"""Until the read model was built, the four endpoints say so, without waiting for the tables that a build locks."""

from collections.abc import Iterator
from unittest.mock import patch

import pytest
from flask.testing import FlaskClient

from api.database.errors import UnavailableError
from tests.conftest import MakeDatabase
from tests.support.cases import cases
from tests.support.server import Database
from tests.unit.api.conftest import MakeApp
from tests.unit.api.response.test_errors import check

PATHS = ("", "/stats", "/1", "/1/messages")
TABLES = (
    "freshness, tenants, leads, lead_profiles, lead_conversations, lead_messages, lead_counts, lead_daily_counts,"
    " lead_totals"
)


@pytest.fixture
def unbuilt(make_database: MakeDatabase, template: Database) -> Database:
    """A database with a read model that was installed and never built."""
    return make_database(template)


@pytest.fixture
def during_first_build(unbuilt: Database) -> Iterator[Database]:
    """The same while a build holds every table that it fills."""
    with unbuilt.connect() as build, build.transaction():
        build.execute("SET LOCAL search_path = read_model")
        build.execute(f"LOCK TABLE {TABLES} IN ACCESS EXCLUSIVE MODE".encode())
        yield unbuilt


@cases("path", PATHS)
def test_no_table_with_data_is_read_before_the_first_build(
    during_first_build: Database, make_app: MakeApp, path: str
) -> None:
    answer = make_app(during_first_build).test_client().get(f"/users/a/leads{path}")
    assert check(answer, 503) == "The read model was never built"
    assert answer.headers["Retry-After"] == "1"
    assert "X-Data-As-Of" not in answer.headers


def status(client: FlaskClient) -> int:
    return client.get("/users/a/leads").status_code


def test_a_read_model_that_was_installed_anew_is_noticed(database: Database, make_app: MakeApp) -> None:
    app = make_app(database)
    client = app.test_client()
    assert status(client) == 200
    with database.connect() as conn:
        conn.execute("DELETE FROM read_model.freshness")
        conn.execute("UPDATE read_model.projection SET built_at = NULL")
        assert check(client.get("/users/a/leads"), 503) == "The read model was never built"
        # From now on no table with data is read.
        with conn.transaction():
            conn.execute("LOCK TABLE read_model.leads IN ACCESS EXCLUSIVE MODE")
            assert check(client.get("/users/a/leads"), 503) == "The read model was never built"


def test_after_a_failure_it_looks_again(database: Database, make_app: MakeApp) -> None:
    app = make_app(database)
    client = app.test_client()
    assert status(client) == 200
    with patch.object(app.extensions["leads"].database, "fetch", side_effect=UnavailableError("away")):
        assert status(client) == 503
    with database.connect() as conn:
        conn.execute("UPDATE read_model.projection SET built_at = NULL")
        assert check(client.get("/users/a/leads"), 503) == "The read model was never built"
