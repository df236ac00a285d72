"""The statements of exports: one for the head and one for the lines, with the same conditions."""

from api.database.statement import compile_statement
from api.plan.exports import leads_as_csv, leads_as_ndjson, messages_as_ndjson
from api.request.copy_parameters import EXPORT_QUERY, MESSAGE_EXPORT_QUERY
from tests.support.cases import cases
from tests.unit.api.conftest import NOW


@cases("query", ["", "has_email=true", "search=abc&sort_by=name", "days=7&sort_order=asc"])
def test_head_and_lines_have_the_same_values(query: str) -> None:
    parameters = EXPORT_QUERY.read(query)
    plan = leads_as_ndjson("u", parameters, NOW)
    head, lines = compile_statement(plan.head), compile_statement(plan.lines)
    table = compile_statement(leads_as_csv("u", parameters, NOW).lines)
    assert set(head.names) == set(lines.names) == set(table.names)
    # The order in which the lines of a table are made, and the one in which they are read.
    assert [one.text.count(b"ORDER BY") for one in (lines, table)] == [1, 2]
    assert all(b"LIMIT" not in one.text.replace(b"LIMIT ALL", b"") for one in (lines, table))


def test_a_line_of_a_table_is_made_once() -> None:
    """Its length is known before it is sent, and comes from the line that is sent."""
    plan = leads_as_csv("u", EXPORT_QUERY.read(""), NOW)
    assert b"document" not in compile_statement(plan.head).text
    assert compile_statement(plan.lines).text.count(b"document") == 1


def test_messages_within_a_time_range() -> None:
    plan = messages_as_ndjson("u", MESSAGE_EXPORT_QUERY.read("from_date=2025-01-01&to_date=2025-01-31"))
    assert set(compile_statement(plan.head).names) == {"user_id", "start", "end"}
    assert set(compile_statement(plan.lines).names) == {"user_id", "start", "end"}
