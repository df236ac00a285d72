"""What the projector reads out of schema.sql."""

import pytest

from projector import schema


def test_the_sections_are_in_the_order_of_the_file() -> None:
    names = list(schema.sections())
    assert names[:2] == ["source", "read_model"]
    assert "CREATE TABLE IF NOT EXISTS messages" in schema.sections()["source"]


def test_the_columns_of_a_table_are_in_the_order_of_the_file() -> None:
    columns = schema.table_columns("lead_messages")
    assert columns[:2] == ("user_id", "message_id")
    assert "CONSTRAINT" not in columns
    assert schema.table_columns("projector.source_keys")[:2] == ("kind", "key")


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("leads", ("user_id", "customer_phone")),
        ("tenants", ("user_id",)),
        ("lead_totals", ("user_id", "granularity", "bucket_start")),
        # It has a unique index, since a primary key takes no nulls.
        ("lead_counts", (*schema.table_columns("lead_counts")[:-1],)),
    ],
)
def test_the_key_of_a_table_is_its_primary_key_or_its_unique_index(table: str, key: tuple[str, ...]) -> None:
    assert schema.key_columns(table) == key


def test_an_index_finds_rows_by_the_first_columns_that_are_never_null() -> None:
    assert schema.lookup_columns("leads") == ("user_id", "customer_phone")
    assert schema.lookup_columns("lead_counts") == ("user_id",)


def test_a_table_that_does_not_exist_is_named() -> None:
    with pytest.raises(LookupError, match="no table nothing"):
        schema.table_columns("nothing")


@pytest.mark.parametrize(
    ("table", "column", "text"),
    [pytest.param(*described, id=".".join(filter(None, described[:2]))) for described in schema.comments()],
)
def test_each_table_and_column_is_described(table: str, column: str | None, text: str) -> None:
    assert text.endswith((".", "…")), f"write a sentence above {column or table} of {table} in schema.sql."
