"""Where the platform's tables are: as `migrate` has noted it, or where the login finds them."""

import psycopg
from psycopg.rows import TupleRow

from projector.database.source_names import locate_source, login_schemas, quoted, source_names, source_schemas
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]


def test_a_name_is_quoted_with_its_schema() -> None:
    assert quoted({"messages": 'a "b"'}) == {"messages": '"a ""b"""."messages"'}


def test_the_first_of_the_schemas_that_has_a_table_is_meant(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA app CREATE TABLE messages (text text)")
    schemas = locate_source(connection, ["app", "public"])
    assert (schemas["messages"], schemas["users"]) == ("app", "public")


def test_what_migrate_noted_is_read_for_each_table(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA app CREATE TABLE messages (text text)")
    connection.execute("UPDATE projector.source_tables SET schema_name = 'app' WHERE table_name = 'users'")
    # A table of the name that came later is not taken for the platform's.
    assert (source_schemas(connection)["messages"], source_schemas(connection)["users"]) == ("public", "app")


def test_nothing_is_noted_before_the_first_migrate(empty_database: Database) -> None:
    with empty_database.connect() as conn:
        conn.execute("CREATE SCHEMA projector CREATE TABLE source_tables (others text)")
        assert source_names(conn)["users"] == '"public"."users"'


def test_the_schemas_of_the_login_are_read_without_looking_into_them(empty_database: Database) -> None:
    with empty_database.connect() as conn:
        conn.execute("SET search_path = pg_catalog, pg_temp")
        assert login_schemas(conn) == ["public"]
        assert conn.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)
