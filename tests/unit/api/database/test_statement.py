"""Each request sends one statement, whose columns are those of its row, of tables that the database has."""

from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient
from sqlalchemy import MetaData, SelectBase, Table, create_engine, literal_column, select
from sqlalchemy.dialects.postgresql import psycopg

from api.database import tables
from api.database.statement import BoundStatement, CompiledStatement, compile_statement
from projector.database import locks
from tests.support.cases import cases
from tests.unit.api.conftest import Library


@cases(
    ("path", "status"),
    [
        ("", 200),
        ("?offset=100000", 200),
        ("?offset=100000&sort_by=name", 200),
        ("?platform=webchat&lead_status=Hot&min_total_score=15", 200),
        ("?days=7&sort_by=total_score", 200),
        ("/stats", 200),
        ("/{phone}", 200),
        ("/1", 404),
        ("/{phone}/messages?sender=user&from_date=2020-01-01&offset=100000", 200),
        ("/1/messages", 404),
        ("/1/messages?limt=0", 400),
    ],
)
def test_one_statement(
    client: FlaskClient, library: Library, statements: list[CompiledStatement[Any]], path: str, status: int
) -> None:
    # The first request of a process looks whether the read model was built.
    client.get(library.base)
    statements.clear()
    assert client.get(library.base + path.format(phone=library.phone)).status_code == status
    assert len(statements) == (status != 400)


class Pair(NamedTuple):
    one: int
    two: bytes


def test_a_row_that_does_not_fit_its_statement_is_seen_when_it_is_compiled() -> None:
    statement: SelectBase = select(literal_column("1").label("two"), literal_column("2").label("one"))
    with pytest.raises(TypeError, match="Pair has the fields"):
        compile_statement(BoundStatement(statement, Pair, {}))


DIALECT = psycopg.dialect()  # type: ignore[no-untyped-call]


def described(table: Table) -> dict[str, str]:
    """The type of each column."""
    return {column.name: column.type.compile(DIALECT).partition(" COLLATE")[0] for column in table.columns}


def test_every_column_is_there_with_its_type(library: Library) -> None:
    url = library.database.url.replace("postgresql://", "postgresql+psycopg://", 1)
    engine = create_engine(url)
    reflected = MetaData(schema="read_model")
    reflected.reflect(engine, views=True)
    for name, table in tables.metadata.tables.items():
        assert described(table).items() <= described(reflected.tables[name]).items(), name
    engine.dispose()
    assert len(locks.SHARDS) == tables.SHARDS
