"""Every failure of the database is a 503 that says what it means, or a mistake of ours."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.api.conftest import Library, MakeApp
from tests.api.response.test_errors import check
from tests.support.server import Database


def test_an_error_of_the_database_that_means_a_mistake_of_ours(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(library.database, log_level="ERROR")
    monkeypatch.setattr(
        app.extensions["leads_database"],
        "_fetch",
        lambda *_: (_ for _ in ()).throw(psycopg.errors.SyntaxError()),
    )
    check(app.test_client().get(library.base), 500)


def test_a_database_that_is_away(make_app: MakeApp) -> None:
    nowhere = Database("postgresql://nobody@127.0.0.1:1/nothing", "nothing")
    client = make_app(nowhere, log_level="ERROR").test_client()
    for path in ("/users/a/leads", "/users/a/leads/stats", "/users/a/leads/1", "/users/a/leads/1/messages"):
        answer = client.get(path)
        assert "reached" in check(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
    check(client.get("/health/ready"), 503)
    assert client.get("/health/live").status_code == 200


@pytest.fixture
def slow(database: Database) -> Iterator[Database]:
    """A database where somebody holds on to every lead."""
    with database.connect() as holder, holder.transaction():
        holder.execute("LOCK TABLE read_model.leads IN ACCESS EXCLUSIVE MODE")
        yield database


def test_a_database_that_takes_too_long(slow: Database, make_app: MakeApp) -> None:
    client = make_app(slow, statement_timeout_ms=1000, log_level="ERROR").test_client()
    answer = client.get("/users/a/leads")
    assert "too long" in check(answer, 503)
    assert int(answer.headers["Retry-After"]) >= 1


def test_a_database_without_the_read_model(source_database: Database, make_app: MakeApp) -> None:
    client = make_app(source_database, log_level="ERROR").test_client()
    assert "not installed" in check(client.get("/users/a/leads"), 503)


def test_a_role_that_is_not_there(database: Database, make_app: MakeApp) -> None:
    client = make_app(database, role="nobody_at_all", log_level="ERROR").test_client()
    check(client.get("/users/a/leads"), 503)
