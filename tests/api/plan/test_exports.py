"""The statements of exports: one for the head and one for the lines, with the same conditions."""

import pytest

from api.database.statement import compile_statement
from api.plan.exports import CSV_COLUMNS, CSV_HEADER, leads_as_csv, leads_as_ndjson, messages_as_ndjson
from api.request.copy_parameters import EXPORT_QUERY, MESSAGE_EXPORT_QUERY
from tests.api.conftest import NOW


@pytest.mark.parametrize("query", ["", "has_email=true", "search=abc&sort_by=name", "days=7&sort_order=asc"])
def test_head_and_lines_have_the_same_values(query: str) -> None:
    parameters = EXPORT_QUERY.read(query)
    for plan in (leads_as_ndjson("u", parameters, NOW), leads_as_csv("u", parameters, NOW)):
        head, lines = compile_statement(plan.head), compile_statement(plan.lines)
        assert set(head.names) == set(lines.names)
        assert b"ORDER BY" in lines.text
        assert b"LIMIT" not in lines.text


def test_messages_within_a_time_range() -> None:
    plan = messages_as_ndjson("u", MESSAGE_EXPORT_QUERY.read("from_date=2025-01-01&to_date=2025-01-31"))
    assert set(compile_statement(plan.head).names) == {"user_id", "start", "end"}
    assert set(compile_statement(plan.lines).names) == {"user_id", "start", "end"}


def test_the_header_names_the_columns() -> None:
    assert (",".join(CSV_COLUMNS) + "\r\n").encode() == CSV_HEADER
