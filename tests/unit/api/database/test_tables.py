"""What the API declares of the read model is part of what the database has."""

from sqlalchemy import MetaData, Table, create_engine
from sqlalchemy.dialects.postgresql import psycopg

from api.database import tables
from projector.database import locks
from tests.unit.api.conftest import Library

DIALECT = psycopg.dialect()  # type: ignore[no-untyped-call]


def described(table: Table) -> dict[str, str]:
    """The type of each column."""
    return {column.name: column.type.compile(DIALECT).partition(" COLLATE")[0] for column in table.columns}


def test_every_column_is_there_with_its_type(library: Library) -> None:
    url = library.database.url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    found = MetaData(schema="read_model")
    found.reflect(engine, views=True)
    for name, table in tables.metadata.tables.items():
        assert described(table).items() <= described(found.tables[name]).items(), name
    engine.dispose()
    assert len(locks.SHARDS) == tables.SHARDS
