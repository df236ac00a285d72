"""The databases that the other tests get."""

import psycopg
from psycopg.rows import TupleRow

from tests.support.server import Database


def tables(database: Database) -> set[tuple[str, str]]:
    with database.connect() as conn:
        query = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'"
        return {(schema, table) for schema, table in conn.execute(query)}


def test_empty(empty_database: Database) -> None:
    assert tables(empty_database) == set()


def test_source(source_database: Database) -> None:
    found = tables(source_database)
    assert ("public", "conversations") in found
    assert {schema for schema, _ in found} == {"public"}


def test_installed(connection: psycopg.Connection[TupleRow], database: Database) -> None:
    assert connection.info.dbname == database.name
    assert {"public", "read_model", "projector"} <= {schema for schema, _ in tables(database)}


def test_each_is_a_database_of_its_own(empty_database: Database, source_database: Database) -> None:
    assert empty_database.name != source_database.name
    assert empty_database.url.endswith(f"/{empty_database.name}")
