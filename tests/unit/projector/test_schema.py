"""What schema.sql says of the tables."""

import pytest

from projector.database.schema import (
    comments,
    key_columns,
    lookup_columns,
    sections,
    table_columns,
    tables,
)
from tests.unit.projector.recovering import Connection

FACETS = (
    "lead_status",
    "total_score",
    "on_whatsapp",
    "on_instagram",
    "on_webchat",
    "has_extraction",
    "has_email",
)


def test_the_sections_are_in_the_order_of_the_installation() -> None:
    names = ["source", "read_model", "projector", "access", "later", "search", "roles", "readers"]
    assert list(sections()) == names


@pytest.mark.parametrize("name", list(tables()))
def test_every_table_and_column_has_a_description(name: str) -> None:
    table = tables()[name]
    assert table.description.endswith("."), name
    for column, text in table.columns.items():
        assert text.endswith("."), f"{name}.{column}"


def test_every_description_is_listed_once() -> None:
    listed = [(table, column) for table, column, _ in comments()]
    assert len(listed) == len(set(listed))
    assert ("read_model.leads", None) in listed
    assert ("projector.source_keys", "customer_phone") in listed


def test_a_description_of_several_lines_is_one_text() -> None:
    assert tables()["read_model.tenants"].columns["version"] == (
        "Grows with every transaction that changed a row of this tenant: who knows a version knows whether something"
        " changed since."
    )


def test_tables_and_columns_are_those_of_the_database(connection: Connection) -> None:
    found = connection.execute(
        "SELECT c.oid::regclass::text, array_agg(a.attname::text ORDER BY a.attnum) FROM pg_class AS c"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
        " WHERE c.relnamespace = ANY('{read_model,projector,leads_access}'::regnamespace[]) AND c.relkind = 'r'"
        " GROUP BY c.oid"
    ).fetchall()
    assert {name: tuple(columns) for name, columns in found} == {
        name: tuple(table.columns) for name, table in tables().items()
    }


def test_keys_are_those_of_the_database(connection: Connection) -> None:
    found = connection.execute(
        "SELECT i.indrelid::regclass::text, array_agg(a.attname::text ORDER BY k.place) FROM pg_index AS i"
        " CROSS JOIN LATERAL unnest(i.indkey::smallint[]) WITH ORDINALITY AS k (attnum, place)"
        " JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = k.attnum"
        " WHERE i.indisunique AND i.indpred IS NULL AND k.place <= i.indnkeyatts"
        " AND i.indrelid::regclass::text ~ '^(read_model|projector|leads_access)[.]' GROUP BY i.indexrelid, i.indrelid"
    ).fetchall()
    assert {name: tuple(columns) for name, columns in found} == {
        name: table.key for name, table in tables().items() if table.key
    }


def test_columns_that_are_required_are_those_of_the_database(connection: Connection) -> None:
    found = connection.execute(
        "SELECT c.oid::regclass::text, a.attname::text FROM pg_class AS c"
        " JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND a.attnotnull"
        " WHERE c.relnamespace = 'read_model'::regnamespace AND c.relkind = 'r' AND c.relname LIKE 'lead%'"
    ).fetchall()
    assert set(found) == {
        (name, column)
        for name, table in tables().items()
        for column in table.required
        if name.startswith("read_model.lead")
    }


def test_a_key_ends_for_look_ups_where_a_column_may_be_null() -> None:
    assert key_columns("lead_counts") == ("user_id", *FACETS)
    assert lookup_columns("lead_counts") == ("user_id",)
    assert lookup_columns("lead_daily_counts") == ("user_id", "day")
    assert (
        lookup_columns("lead_totals")
        == key_columns("lead_totals")
        == ("user_id", "granularity", "bucket_start")
    )
    assert key_columns("leads") == ("user_id", "customer_phone")
    assert key_columns("settings") == ("name",)


def test_a_table_may_be_named_with_its_schema_or_without() -> None:
    assert table_columns("source_keys") == table_columns("projector.source_keys")
    assert table_columns("source_keys") == ("kind", "key", "user_id", "customer_phone")


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(LookupError, match="no table lead_spans"):
        table_columns("lead_spans")
