"""The commands that create the trigger functions. tests/exactness/ shows what the functions do."""

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.capture.functions import captured_tables, trigger_function
from projector.capture.source import SourceTable

Connection = psycopg.Connection[TupleRow]


@pytest.mark.parametrize("table", captured_tables(), ids=lambda table: table.name)
def test_a_function_has_a_value_for_each_column_that_may_be_missing(
    conn: Connection, table: SourceTable
) -> None:
    text = trigger_function(table).as_string(conn)
    for column in {*table.columns, table.queue_key, table.primary_key}:
        key = column in {table.queue_key, table.primary_key}
        old, new = ("leads_capture: no old key", "leads_capture: no new key") if key else ("old", "new")
        assert f"'{old}'::text AS \"{column}\"" in text
        assert f"'{new}'::text AS \"{column}\"" in text


def test_a_function_never_reads_a_virtual_column(conn: Connection) -> None:
    contacts = next(table for table in captured_tables() if table.name == "contacts")
    text = trigger_function(contacts, ["company"]).as_string(conn)
    assert 'missing."company"' in text
    assert 'OLD."company"' not in text
    assert 'OLD."name"' in text
