"""The databases that the other tests get."""

from tests.support.server import Database


def tables(database: Database) -> set[tuple[str, str]]:
    with database.connect() as conn:
        query = "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_)'"
        return {(schema, table) for schema, table in conn.execute(query)}


def test_each_is_a_database_of_its_own(empty_database: Database, source_database: Database) -> None:
    assert empty_database.name != source_database.name
    assert empty_database.url.endswith(f"/{empty_database.name}")
