"""What the pages for people begin with."""

from flask import Flask

from api.routes.page import REFERENCE_TENANT, asks_who_calls, example, known_tenants
from projector.core.refresh import refresh
from projector.report.progress import QUIET
from tests.support.cases import cases
from tests.support.running import write_source
from tests.support.server import Database
from tests.unit.api.conftest import MakeApp


def known(app: Flask) -> tuple[bool, list[str], tuple[str | None, str | None]]:
    with app.test_request_context():
        app.preprocess_request()
        return asks_who_calls(), known_tenants(), example()


def test_the_first_tenant_or_that_of_the_reference_and_its_most_active_lead(
    database: Database, make_app: MakeApp
) -> None:
    with database.connect() as conn:
        for tenant, tenants in (
            ("b", ["b"]),
            ("a", ["a", "b"]),
            (REFERENCE_TENANT, [REFERENCE_TENANT, "a", "b"]),
        ):
            write_source(conn, tenant)
            refresh(conn, retry_failed=False, progress=QUIET)
            assert known(make_app(database)) == (False, tenants, (tenant, "49151000001"))


@cases("path", ["/", "/docs/", "/docs/openapi.json"])
def test_a_page_is_there_without_a_read_model(empty_database: Database, make_app: MakeApp, path: str) -> None:
    app = make_app(empty_database)
    assert app.test_client().get(path).status_code == 200
    assert known(app) == (False, [], (None, None))
