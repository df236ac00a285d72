"""Connections: what they are set to, and what is said when there is none."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from projector.capture.source import naming_missing_source
from projector.database.connect import connect, connect_beside, normalize, redact
from projector.database.ownership import is_pooled
from projector.database.rows import Connection
from projector.database.source_names import login_schemas
from projector.report.errors import DatabaseUnreachableError, NotInstalledError, ProjectorError
from tests.support.ports import free_port
from tests.support.server import Database, Server


def test_a_url_may_list_several_hosts(server: Server) -> None:
    address = conninfo_to_dict(server.url)
    ports = f"{free_port()},{address['port']}"
    url = make_conninfo(server.url, host=f"{address['host']},{address['host']}", port=ports)
    with connect(url, application_name="test") as conn, connect_beside(conn, "test") as beside:
        assert {conn.info.port, beside.info.port} == {int(str(address["port"]))}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:secret@127.0.0.1:{port}/db",
        "postgresql://user:secret@127.0.0.1:{port},127.0.0.1:{port}/db",
        "postgresql://user:secret@127.0.0.1:{port},127.0.0.1/db?port=1,2,3",
        "postgresql://user:sec@secret/ret@127.0.0.1:{port}/db",
        "postgresql://user:secret@127.0.0.1:secret/db",
        "postgresql://user:secret@host.invalid/db",
        "postgresql://user:se%63ret@127.0.0.1:{port}/db?nonsense=1",
        "oracle://user:secret@127.0.0.1/db",
        "host=127.0.0.1 port={port} password=secret",
        "user:secret@127.0.0.1",
    ],
)
def test_says_in_a_sentence_that_it_cannot_connect_and_never_the_password(url: str) -> None:
    with pytest.raises(DatabaseUnreachableError) as caught:
        connect(url.format(port=free_port()), application_name="test")
    message = str(caught.value)
    assert "secret" not in message
    assert "\n" not in message
    assert message.startswith(("The database cannot be reached: ", "The database URL cannot be read: "))


def test_says_that_the_password_is_wrong_without_telling_it(server: Server) -> None:
    wrong = make_conninfo(server.url, password="correct horse")
    with pytest.raises(DatabaseUnreachableError, match="password authentication failed") as caught:
        connect(wrong, application_name="test")
    assert "horse" not in str(caught.value)


def test_a_server_that_has_no_room_for_a_session_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "FATAL:  could not write init file: No space left on device"

    def fail(*_: object, **__: object) -> None:
        raise psycopg.OperationalError(said)

    monkeypatch.setattr(Connection, "connect", fail)
    with pytest.raises(DatabaseUnreachableError, match="has no space left on its disk: FATAL"):
        connect("postgresql://a@b/c", application_name="test")


def test_refuses_a_database_that_cannot_hold_every_name(server: Server) -> None:
    name = f"{server.prefix}latin"
    options = "TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C'"
    server.conn.execute(f'CREATE DATABASE "{name}" {options}'.encode())
    database = Database(make_conninfo(server.url, dbname=name), name)
    try:
        with pytest.raises(ProjectorError, match="has the encoding SQL_ASCII: UTF8 is needed"):
            connect(database.url, application_name="test")
    finally:
        server.drop(database)


def test_refuses_a_server_that_is_too_old(empty_database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psycopg.ConnectionInfo, "server_version", 140011)
    with pytest.raises(ProjectorError, match="The server is PostgreSQL 14: 15 or newer is needed"):
        connect(empty_database.url, application_name="test")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgres+psycopg2"])
def test_an_address_for_sqlalchemy_is_taken(scheme: str) -> None:
    assert normalize(f" {scheme}://u:p@h/d\n") == "postgresql://u:p@h/d"


def test_redact_takes_each_part_of_a_password_that_libpq_may_show_and_no_other_word() -> None:
    url = "postgresql://user:pw@host/db?sslmode=require&password=hidden"
    assert redact("a pw and hidden words of host", url) == "a pw and *** words of host"
    said = redact('no host name "word@host", port "half"', "postgresql://user:half/word@host/db")
    assert said == 'no host name "***@host", port "***"'


def test_the_schemas_of_the_login_are_read_without_looking_into_them(empty_database: Database) -> None:
    with empty_database.connect() as conn:
        conn.execute("SET search_path = pg_catalog, pg_temp")
        assert login_schemas(conn) == ["public"]
        assert conn.execute("SHOW search_path").fetchone() == ("pg_catalog, pg_temp",)


def test_a_pooler_that_gives_each_transaction_another_session_is_named(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each client finds the one session that is free, which is none that it was told of.
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 1)
    monkeypatch.setattr("projector.database.connect.backend_pid", lambda _conn: 7)
    with pytest.raises(ProjectorError, match="a pooler that gives each transaction another session"):
        connect(database.url, application_name="test")


def test_a_pooler_that_gives_each_client_a_session_of_its_own_is_taken(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 1)
    with connect(database.url, application_name="test") as conn:
        assert is_pooled(conn)
        # Whatever a pooler made of its tables.
        conn.execute("SET search_path = pg_catalog, pg_temp")
        with pytest.raises(ProjectorError, match="pool_mode = session"), naming_missing_source(conn):
            conn.execute("SELECT FROM taken_changes")


@pytest.mark.parametrize(
    ("before", "statement", "says"),
    [
        ("ALTER TABLE read_model.leads RENAME version TO old", "SELECT version FROM read_model.leads", True),
        ("DROP VIEW projector.queue_state", "SELECT FROM projector.queue_state", True),
        (
            "ALTER FUNCTION projector.canonical_phone(text) RENAME TO f",
            "SELECT projector.canonical_phone('')",
            True,
        ),
        ("DROP SCHEMA leads_access CASCADE", "SELECT FROM leads_access.api_keys", True),
        ("", "SELECT projector.canonical_phone(1)", False),
        ("", "SELECT 1 = 'a'::text", False),
        ("", "SELECT FROM public.nothing", False),
        ("", "SELECT nothing FROM read_model.leads", False),
    ],
)
def test_migrate_is_the_answer_to_what_is_missing_of_ours_alone(
    connection: Connection, *, before: str, statement: str, says: bool
) -> None:
    connection.execute(before.encode() or b";")
    error = NotInstalledError if says else psycopg.ProgrammingError
    with pytest.raises(error) as caught, naming_missing_source(connection):
        connection.execute(statement.encode())
    assert ("migrate" in str(caught.value)) is says
