"""What the API declares of the read model is part of what the database has."""

import pytest
from sqlalchemy import MetaData, Table, create_engine
from sqlalchemy.dialects.postgresql import psycopg

from api.database import tables
from tests.support.cases import cases
from tests.unit.api.conftest import Library

DIALECT = psycopg.dialect()  # type: ignore[no-untyped-call]


@pytest.fixture(scope="module")
def found(library: Library) -> MetaData:
    metadata = MetaData(schema="read_model")
    url = library.database.url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    metadata.reflect(engine, views=True)
    engine.dispose()
    return metadata


def described(table: Table) -> dict[str, tuple[str, bool | None]]:
    """Type and nullability of each column."""
    return {
        column.name: (column.type.compile(DIALECT).partition(" COLLATE")[0], column.nullable)
        for column in table.columns
    }


def test_every_table_is_there(found: MetaData) -> None:
    assert set(tables.metadata.tables) <= set(found.tables)


# PostgreSQL knows of a column of a view neither whether it may be null, nor a key.
VIEWS = {
    "read_model.lead_profiles_of_tenant",
    "read_model.message_lines",
    "read_model.place_of_versions",
    "read_model.row_security",
    "read_model.tenant_ids",
}
TABLES = sorted(tables.metadata.tables.keys() - VIEWS)


@cases("name", sorted(VIEWS))
def test_columns_of_a_view(found: MetaData, name: str) -> None:
    assert set(tables.metadata.tables[name].columns.keys()) <= set(found.tables[name].columns.keys())


@cases("name", TABLES)
def test_columns(found: MetaData, name: str) -> None:
    assert described(tables.metadata.tables[name]).items() <= described(found.tables[name]).items()


@cases("name", TABLES)
def test_keys(found: MetaData, name: str) -> None:
    declared, real = tables.metadata.tables[name], found.tables[name]
    if declared.primary_key:
        assert [column.name for column in declared.primary_key] == [
            column.name for column in real.primary_key
        ]
