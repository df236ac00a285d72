"""The statements of exports: one for the head and one for the lines, with the same conditions."""

from api.database.statement import compile_statement
from api.plan.exports import leads_as_csv
from api.request.query import EXPORT_QUERY
from tests.unit.api.conftest import NOW


def test_a_line_of_a_table_is_made_once() -> None:
    """Its length is known before it is sent, and comes from the line that is sent."""
    plan = leads_as_csv("u", EXPORT_QUERY.read(""), NOW)
    assert b"document" not in compile_statement(plan.head).text
    assert compile_statement(plan.lines).text.count(b"document") == 1
