"""What the pages for people begin with."""

import psycopg
from flask import Flask
from psycopg.rows import TupleRow

from api.routes.known_tenants import REFERENCE_TENANT, asks_who_calls, example, known_tenants
from projector.core.refresh import refresh
from projector.report.progress import QUIET
from tests.support.cases import cases
from tests.support.running import write_source
from tests.support.server import Database
from tests.unit.api.auth.tokens import token_config
from tests.unit.api.conftest import Library, MakeApp


def known(app: Flask) -> tuple[bool, list[str], tuple[str | None, str | None]]:
    with app.test_request_context():
        app.preprocess_request()
        return asks_who_calls(), known_tenants(), example()


def refreshed(conn: psycopg.Connection[TupleRow]) -> None:
    refresh(conn, retry_failed=False, progress=QUIET)


def test_the_first_tenant_and_its_most_active_lead(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        write_source(conn, "b")
        write_source(conn, "a")
        refreshed(conn)
    assert known(make_app(database)) == (False, ["a", "b"], ("a", "49151000001"))


def test_the_tenant_of_the_reference_where_it_is_there(database: Database, make_app: MakeApp) -> None:
    with database.connect() as conn:
        write_source(conn, "a")
        write_source(conn, REFERENCE_TENANT)
        refreshed(conn)
    assert known(make_app(database))[2] == (REFERENCE_TENANT, "49151000001")


def test_nothing_is_known_where_callers_are_asked_who_they_are(library: Library, make_app: MakeApp) -> None:
    app = make_app(library.database, auth=token_config())
    with app.test_request_context("/docs/openapi.json"):
        assert (asks_who_calls(), known_tenants(), example()) == (True, [], (None, None))


@cases("path", ["/", "/docs/", "/docs/openapi.json"])
def test_a_page_is_there_without_a_read_model(empty_database: Database, make_app: MakeApp, path: str) -> None:
    app = make_app(empty_database)
    assert app.test_client().get(path).status_code == 200
    assert known(app) == (False, [], (None, None))
