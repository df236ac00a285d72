"""The table of keys: who may write it, and what is said to those who may not."""

import psycopg
import pytest

from api.auth.key_format import new_key
from api.database.key_table import KeyTableError, key_table
from projector.operate.roles import set_up_api_role
from tests.support.roles import logins
from tests.support.server import Database

KEY = new_key()


def test_a_key_that_is_revoked_again_keeps_the_first_moment(database: Database) -> None:
    with key_table(database.url) as table:
        table.add(KEY[:18], b"a" * 32, user_id="t1", label="CRM", expires_at=None)
        assert table.revoke(KEY[:18])
        [revoked] = table.entries("t1")
        assert table.revoke(KEY[:18])
        assert table.entries() == [revoked]
        assert table.entries("t2") == []
        assert not table.has_tenant("t1")


def test_the_role_of_the_api_looks_keys_up_and_does_nothing_more(database: Database) -> None:
    with database.connect() as conn:
        set_up_api_role(conn)
        conn.execute("SET ROLE leads_api")
        conn.execute("SELECT * FROM leads_access.key_of('a')")
        for statement in (
            "SELECT FROM leads_access.api_keys",
            "INSERT INTO leads_access.api_keys (prefix, key_hash, all_tenants, label) VALUES ('a', '', true, '')",
            "UPDATE leads_access.api_keys SET revoked_at = NULL",
            "DELETE FROM leads_access.api_keys",
            "TRUNCATE leads_access.api_keys",
            "BEGIN; LOCK TABLE leads_access.api_keys IN EXCLUSIVE MODE",
            "ALTER TABLE leads_access.api_keys ADD COLUMN x text",
            "CREATE TABLE leads_access.more (x text)",
            "GRANT SELECT ON leads_access.api_keys TO PUBLIC WITH GRANT OPTION",
        ):
            with pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.errors.InvalidGrantOperation)):
                conn.execute(statement.encode())
            conn.execute("ROLLBACK")


def test_a_login_that_may_only_read_is_told_which_may_write(database: Database) -> None:
    with database.connect() as conn, logins(conn, "leads_keys_reader"):
        conn.execute("GRANT leads_api TO leads_keys_reader")
        with (
            pytest.raises(KeyTableError, match="set DATABASE_URL to the login that ran"),
            key_table(database.by("leads_keys_reader").url) as table,
        ):
            table.add(KEY[:18], b"a" * 32, user_id=None, label="", expires_at=None)


def test_a_database_without_the_table_or_that_is_away(source_database: Database) -> None:
    with (
        pytest.raises(KeyTableError, match="run `python -m projector migrate`"),
        key_table(source_database.url) as table,
    ):
        table.entries()
    with pytest.raises(KeyTableError, match="cannot be used: "), key_table("postgresql://x@127.0.0.1:1/x"):
        pass


def test_a_server_that_is_read_only(database: Database) -> None:
    url = f"{database.url}?options=-c%20default_transaction_read_only%3Don"
    with pytest.raises(KeyTableError, match="to the primary"), key_table(url) as table:
        table.add("leads_a", b"a" * 32, user_id=None, label="", expires_at=None)
