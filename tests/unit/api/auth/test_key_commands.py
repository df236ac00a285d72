"""API keys: what they look like, `python -m api keys` and its table, what is looked up there, and how often."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from time import time
from typing import Any

import pytest
import time_machine

from api.__main__ import cli
from api.auth import key_check
from api.auth.access import NOTHING, Access, AccessCache, Checked, CredentialsRefusedError, digest_of
from api.auth.authorizer import Authorizer
from api.auth.key_check import KeyRow
from api.auth.key_format import KEPT_SECONDS, PATTERN, is_key, new_key, prefix_of
from api.config.auth import AuthConfig
from api.database.errors import UnavailableError
from api.database.key_table import key_table
from tests.support.cases import cases
from tests.support.commands import ROOT
from tests.support.patience import PATIENCE, UNREACHED
from tests.support.roles import logins
from tests.support.running import wait_for
from tests.support.server import Database
from tests.unit.api.auth.tokens import bearer
from tests.unit.api.conftest import NOW, MakeApp


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
    own, other = create(capsys, "--tenant", "t1"), create(capsys, "--all")
    assert run("revoke", own[:18]) == 0
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
        ("create", "--tenant", "a\x1b"),
        ("create", "--tenant", "a" * 256),
        ("create", "--all", "--label", "a\nb"),
        ("create", "--all", "--label", "a" * 101),
        ("create", "--all", "--expires", "soon"),
        ("create", "--all", "--expires", "99999d"),
        ("create", "--all", "--expires", "9999-12-31T23:59:59-14:00"),
        ("revoke", "leads"),
    ],
)
def test_options_that_are_not_valid(capsys: pytest.CaptureFixture[str], options: tuple[str, ...]) -> None:
    assert run(*options) == 2
    assert capsys.readouterr().err


def test_a_database_that_cannot_be_used(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    database: Database,
    source_database: Database,
) -> None:
    monkeypatch.chdir(tmp_path)
    with database.connect() as conn, logins(conn, "leads_keys_reader"):
        conn.execute("GRANT leads_api TO leads_keys_reader")
        for address, code, said in (
            ("", 2, "DATABASE_URL has to be a PostgreSQL address"),
            ("mysql://x", 2, "DATABASE_URL has to be a PostgreSQL address"),
            ("postgresql://x@127.0.0.1:1/x", 1, "The database of DATABASE_URL cannot be used: "),
            (source_database.url, 1, "then `python -m projector migrate`"),
            (database.by("leads_keys_reader").url, 1, "set DATABASE_URL to a login with the role leads_keys"),
            (f"{database.url}?options=-c%20default_transaction_read_only%3Don", 1, "to the primary"),
        ):
            monkeypatch.setenv("DATABASE_URL", address)
            assert run("create", "--all") == code, address
            assert said in capsys.readouterr().err, address


KEY = new_key()


def test_a_key_that_is_revoked_again_keeps_the_first_moment(database: Database) -> None:
    with key_table(database.url) as table:
        table.add(KEY[:18], b"a" * 32, user_id="t1", label="CRM", expires_at=None)
        assert table.revoke(KEY[:18])
        [revoked] = table.entries("t1")
        assert table.revoke(KEY[:18])
        assert table.entries() == [revoked]
        assert table.entries("t2") == []


class Rows:
    """Stands for the database, and notes which prefixes it is asked for. It answers as soon as it may go on."""

    def __init__(self, **rows: KeyRow) -> None:
        self.rows = rows
        self.asked: list[object] = []
        self.may_go_on = Event()
        self.may_go_on.set()

    def fetch(self, bound: Any) -> KeyRow:  # noqa: ANN401
        self.asked.append(bound.values["prefix"])
        assert self.may_go_on.wait(PATIENCE)
        return self.rows.get(bound.values["prefix"], KeyRow(None, None, None, None, None))


def row(**changes: Any) -> KeyRow:  # noqa: ANN401
    return KeyRow(digest_of(KEY), b"t1", False, None, None)._replace(**changes)  # noqa: FBT003  # A row.


def authorizer_of(rows: Rows) -> Authorizer:
    return Authorizer(AuthConfig(("key",)), rows)  # type: ignore[arg-type]


def refused(authorizer: Authorizer, key: str) -> bool:
    try:
        authorizer.require_access(f"Bearer {key}", "t1")
    except CredentialsRefusedError:
        return True
    return False


@cases(
    "changes",
    [
        {"key_hash": None},
        {"key_hash": digest_of("another")},
        {"key_hash": digest_of(KEY)[:31]},
        {"key_hash": b""},
        {"revoked_at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"revoked_at": datetime(2999, 1, 1, tzinfo=UTC)},
        {"expires_at": datetime(2020, 1, 1, tzinfo=UTC)},
    ],
)
def test_a_key_that_is_not_accepted(changes: dict[str, object]) -> None:
    assert refused(authorizer_of(Rows(**{KEY[:18]: row(**changes)})), KEY)


def test_a_key_is_looked_up_twice_a_minute_whether_it_is_there_or_not() -> None:
    rows = Rows()
    authorizer = authorizer_of(rows)
    with time_machine.travel(NOW, tick=False) as traveller:
        assert all(refused(authorizer, KEY) for _ in range(3))
        assert rows.asked == [KEY[:18]]
        # A key that is created meanwhile is found when what was noted is old.
        rows.rows = {KEY[:18]: row()}
        traveller.shift(KEPT_SECONDS)
        assert not any(refused(authorizer, KEY) for _ in range(3))
        assert len(rows.asked) == 2
        # Back to before it was looked up. Now it is kept no longer than until it expires.
        traveller.shift(-3600)
        rows.rows = {KEY[:18]: row(expires_at=datetime.fromtimestamp(time() + 5, UTC))}
        assert not refused(authorizer, KEY)
        assert len(rows.asked) == 3
        traveller.shift(5)
        assert refused(authorizer, KEY)


def test_strangers_cannot_have_the_database_asked_often() -> None:
    rows = Rows(**{KEY[:18]: row()})
    authorizer = authorizer_of(rows)
    with time_machine.travel(NOW, tick=False) as traveller:
        assert not refused(authorizer, KEY)
        for _ in range(key_check.MAX_UNKNOWN_PER_SECOND - 1):
            assert refused(authorizer, new_key())
        for _ in range(100):
            with pytest.raises(UnavailableError, match="Too many unknown"):
                refused(authorizer, new_key())
        assert len(rows.asked) == key_check.MAX_UNKNOWN_PER_SECOND
        # A key that was accepted before is none of these, also when it has to be looked up again.
        traveller.shift(KEPT_SECONDS)
        for _ in range(key_check.MAX_UNKNOWN_PER_SECOND):
            assert refused(authorizer, new_key())
        assert not refused(authorizer, KEY)
        with pytest.raises(UnavailableError, match="Too many unknown"):
            refused(authorizer, new_key())
        traveller.shift(1)
        assert refused(authorizer, new_key())


def test_one_key_is_looked_up_at_a_time_and_one_that_was_accepted_waits_for_no_other() -> None:
    rows = Rows(**{KEY[:18]: row()})
    authorizer = authorizer_of(rows)
    with time_machine.travel(NOW, tick=False) as traveller, ThreadPoolExecutor(2) as pool:
        assert not refused(authorizer, KEY)
        rows.may_go_on.clear()
        traveller.shift(KEPT_SECONDS)
        stranger = pool.submit(refused, authorizer, new_key())
        wait_for(lambda: len(rows.asked) == 2, "a stranger's key is looked up")
        for _ in range(3):
            with pytest.raises(UnavailableError, match="cannot be looked up soon enough"):
                refused(authorizer, new_key())
        accepted = pool.submit(refused, authorizer, KEY)
        wait_for(lambda: len(rows.asked) == 3, "the other is looked up too")
        assert rows.asked[2] == KEY[:18]
        rows.may_go_on.set()
        assert (stranger.result(PATIENCE), accepted.result(PATIENCE)) == (True, False)


def test_many_requests_with_one_new_key_look_it_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_check, "WAIT_SECONDS", UNREACHED)
    rows = Rows(**{KEY[:18]: row()})
    rows.may_go_on.clear()
    authorizer = authorizer_of(rows)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(refused, authorizer, KEY) for _ in range(20)]
        wait_for(lambda: len(rows.asked) == 1, "one of them looks the key up")
        rows.may_go_on.set()
        assert not any(future.result(PATIENCE) for future in asked)
    assert rows.asked == [KEY[:18]]


def test_the_oldest_is_forgotten_first_and_none_that_is_allowed_for_one_that_is_refused() -> None:
    kept = AccessCache(2)
    end = time() + 60
    allowed = Checked(Access("t1", reads_all=False, name="token"), end)
    for name in (b"a", b"b", b"a", b"c"):
        kept.keep(name, allowed)
    for name in (b"d", b"e", b"f"):
        kept.keep(name, Checked(NOTHING, end))
    names = (b"a", b"b", b"c", b"d", b"e", b"f")
    assert [kept.find(name) is not None for name in names] == [True, False, True, False, True, True]
    kept.keep(b"a", Checked(NOTHING, end))
    assert [kept.last_allowed(name) is not None for name in (b"a", b"c")] == [False, True]


def test_a_key_has_256_random_bits_behind_a_prefix() -> None:
    keys = [new_key() for _ in range(200)]
    assert len(set(keys)) == len({key[:18] for key in keys}) == 200
    for key in keys:
        assert is_key(key)
        assert prefix_of(key) == prefix_of(key[:18]) == key[:18]
        # 43 characters of 6 bits.
        assert len(key) == 18 + 1 + 43
    # No character of the secret is always the same.
    assert all(len({key[place] for key in keys}) > 8 for place in range(19, 62))


@cases(
    "text",
    ["", "leads_", "leads_0123456789a", "leads_0123456789abc", "leads_0123456789AB", "leads_0123456789ab_", "x",
     f"leads_0123456789ab_{'x' * 42}", f"leads_0123456789ab_{'x' * 44}", f"leads_0123456789ab_{'x' * 43}\n"],
)  # fmt: skip
def test_what_is_no_key(text: str) -> None:
    assert not is_key(text)
    assert prefix_of(text) is None


def test_the_page_has_the_pattern_for_scanners() -> None:
    page = (ROOT / "docs" / "authentication.md").read_text("utf-8")
    assert PATTERN in page
    assert re.search(PATTERN, f"a line with {new_key()} in it")
