"""`python -m api keys`, as an operator runs it, and the table of keys: what is said to those who may not write it."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from api.__main__ import cli
from api.auth.key_format import is_key, new_key
from api.config.auth import AuthConfig
from api.database.key_table import KeyTableError, key_table
from tests.support.cases import cases
from tests.support.roles import logins
from tests.support.server import Database
from tests.unit.api.auth.tokens import bearer
from tests.unit.api.conftest import Library, MakeApp


@pytest.fixture
def in_database(database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Database:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", database.url)
    # The login of the API may not write, so it is not used.
    monkeypatch.setenv("LEADS_API_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/nothing")
    return database


def run(*options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main(["keys", *options])
    return int(ended.value.code or 0)


def create(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert run("create", *options) == 0
    key = capsys.readouterr().out.rstrip("\n")
    assert is_key(key)
    return key


def rows(capsys: pytest.CaptureFixture[str], *options: str) -> list[list[str]]:
    assert run("list", *options) == 0
    head, *lines = capsys.readouterr().out.splitlines()
    assert head.split() == ["key", "tenant", "label", "created", "expires", "state"]
    return [re.split(r"\s{2,}", line) for line in lines]


@pytest.mark.usefixtures("in_database")
def test_a_key_is_shown_once(capsys: pytest.CaptureFixture[str]) -> None:
    key = create(capsys, "--tenant", "t1", "--label", "CRM", "--expires", "90d")
    [row] = rows(capsys)
    assert (row[0], row[1], row[2], row[-1]) == (key[:18], "t1", "CRM", "valid")
    assert key[19:] not in str(row)


@pytest.mark.usefixtures("in_database")
def test_a_key_is_revoked_by_its_beginning_or_as_a_whole(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = create(capsys, "--tenant", "t1"), create(capsys, "--all")
    assert run("revoke", one[:18]) == 0
    assert "refuses it within 30 seconds" in capsys.readouterr().err
    # Somebody found the whole key in a place where it should not be.
    assert run("revoke", other) == 0
    said = capsys.readouterr()
    assert other[19:] not in said.err + said.out
    assert [row[-1][:7] for row in rows(capsys)] == ["revoked", "revoked"]
    assert [row[1] for row in rows(capsys, "--tenant", "t1")] == ["t1"]
    assert run("revoke", "leads_000000000000") == 1
    assert "There is no key leads_000000000000" in capsys.readouterr().err


def test_an_expired_key_is_listed_as_such(capsys: pytest.CaptureFixture[str], in_database: Database) -> None:
    with key_table(in_database.url) as table:
        past = datetime.now(UTC) - timedelta(days=1)
        table.add("leads_a", b"a" * 32, user_id="t\x1b[31m1", label="a\nb", expires_at=past)
    [row] = rows(capsys)
    assert row[-1] == "expired"
    # Whoever may write the table does not rule the terminal.
    assert (row[1], row[2]) == ("t\\x1b[31m1", "a\\nb")


def test_a_created_key_opens_the_api(
    capsys: pytest.CaptureFixture[str], in_database: Database, make_app: MakeApp
) -> None:
    key, every = create(capsys, "--tenant", "t1"), create(capsys, "--all")
    client = make_app(in_database, auth=AuthConfig(("key",))).test_client()
    for path, status in (("/users/t1/leads", 200), ("/users/t2/leads", 403)):
        assert client.get(path, headers=bearer(every)).status_code == 200
        assert client.get(path, headers=bearer(key)).status_code == status


@cases(
    "options",
    [
        (),
        ("create",),
        ("create", "--tenant", "t1", "--all"),
        ("create", "--tenant", ""),
        ("create", "--tenant", "a\x1b"),
        ("create", "--tenant", "a" * 256),
        ("create", "--all", "--label", "a\nb"),
        ("create", "--all", "--label", "a" * 101),
        ("create", "--all", "--expires", "soon"),
        ("create", "--all", "--expires", "0d"),
        ("create", "--all", "--expires", "99999d"),
        ("create", "--all", "--expires", "2020-01-01"),
        ("create", "--all", "--expires", "9999-12-31T23:59:59-14:00"),
        ("revoke",),
        ("revoke", "leads"),
        ("delete", "leads_000000000000"),
    ],
)
def test_options_that_are_not_valid(capsys: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
    assert run(*options) == 2
    assert capsys.readouterr().err


def test_without_a_database_the_exit_code_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, library: Library
) -> None:
    monkeypatch.chdir(tmp_path)
    for url, code in (
        ("", 2),
        ("mysql://x", 2),
        ("postgresql://x@127.0.0.1:1/x", 1),
        (library.database.url, 0),
    ):
        monkeypatch.setenv("DATABASE_URL", url)
        assert run("list") == code


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
