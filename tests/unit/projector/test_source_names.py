"""The names of the platform's tables in a statement, with the schema that the connection knows."""

import psycopg
import pytest
from psycopg.rows import TupleRow

from projector.database.source_names import (
    SourceNames,
    locate_source,
    own_connection,
    read_noted_source,
    source_names,
)
from tests.support.server import Database

Connection = psycopg.Connection[TupleRow]


def test_a_placeholder_becomes_the_name_with_its_schema() -> None:
    names = SourceNames({"messages": 'a "b"'}, ["first", "second"])
    assert names.fill(b"SELECT FROM {source.messages}, {source.users}") == (
        b'SELECT FROM "a ""b"""."messages", "first"."users"'
    )
    assert names.fill(b"SELECT '{users}'") == b"SELECT '{users}'"
    assert names.of(["users", "agents"]) == ['"first"."users"', '"first"."agents"']


def test_the_first_of_the_schemas_that_has_a_table_is_meant(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA app CREATE TABLE messages (text text)")
    names = locate_source(connection, ["app", "public"])
    assert (names["messages"], names["users"]) == ('"app"."messages"', '"public"."users"')
    assert names.searched == ["app", "public"]


def test_what_migrate_noted_is_read_for_each_table(connection: Connection) -> None:
    connection.execute("CREATE SCHEMA app CREATE TABLE messages (text text)")
    connection.execute("UPDATE projector.settings SET value = '{app,public}' WHERE name = 'source_schemas'")
    noted = read_noted_source(connection)
    assert noted is not None
    # A table of the name that came later, in a schema that is searched before, is not taken for the platform's.
    assert noted["messages"] == '"public"."messages"'
    assert noted.searched == ["app", "public"]


def test_nothing_is_noted_before_the_first_migrate(empty_database: Database) -> None:
    with empty_database.connect() as conn:
        assert read_noted_source(conn) is None
        assert source_names(conn)["users"] == '"public"."users"'


def test_a_connection_of_others_knows_no_names(empty_database: Database) -> None:
    with (
        psycopg.connect(empty_database.url) as conn,
        pytest.raises(TypeError, match=r"use projector\.db\.connect"),
    ):
        own_connection(conn)
