"""The statement of one lead."""

import orjson

from api.plan.lead import single_lead
from tests.unit.api.conftest import Library, MakeApp


def test_a_lead_as_it_is_printed_and_none_where_there_is_no_such_lead(
    library: Library, make_app: MakeApp
) -> None:
    database = make_app(library.database).extensions["leads_database"]
    row = database.fetch(single_lead(library.tenant, library.phone))
    assert orjson.loads(row.document) == library.model.of_tenant(library.tenant)[library.phone].document()
    nobody = database.fetch(single_lead(library.tenant, "1"))
    assert nobody.document is None
    assert nobody.as_of == row.as_of is not None


def test_the_statement_is_built_once() -> None:
    assert single_lead("a", "1").statement is single_lead("b", "2").statement
