"""API keys: what they look like, what of the database is looked up, and how often."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event
from time import time
from typing import Any

import pytest
import time_machine

from api.auth import key_check
from api.auth.access import NOTHING, Access, Checked, CredentialsRefusedError, KeptAccess, digest_of
from api.auth.key_check import KeyCheck, KeyRow
from api.auth.key_format import KEPT_SECONDS, PATTERN, is_key, new_key, prefix_of
from api.database.errors import UnavailableError
from tests.support.cases import cases
from tests.support.commands import ROOT
from tests.support.patience import PATIENCE
from tests.support.running import wait_for
from tests.unit.api.conftest import NOW

KEY = new_key()


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


def checker(rows: Rows) -> KeyCheck:
    return KeyCheck(rows)  # type: ignore[arg-type]


def refused(check: KeyCheck, key: str) -> bool:
    try:
        check.check(key)
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
    assert refused(checker(Rows(**{KEY[:18]: row(**changes)})), KEY)


def test_a_key_is_looked_up_twice_a_minute_whether_it_is_there_or_not() -> None:
    rows = Rows()
    check = checker(rows)
    with time_machine.travel(NOW, tick=False) as traveller:
        assert all(refused(check, KEY) for _ in range(3))
        assert rows.asked == [KEY[:18]]
        # A key that is created meanwhile is found when what was noted is old.
        rows.rows = {KEY[:18]: row()}
        traveller.shift(KEPT_SECONDS)
        assert not any(refused(check, KEY) for _ in range(3))
        assert len(rows.asked) == 2
        # Back to before it was looked up.
        traveller.shift(-3600)
        check.check(KEY)
        assert len(rows.asked) == 3


def test_a_key_is_kept_no_longer_than_until_it_expires() -> None:
    rows = Rows(**{KEY[:18]: row(expires_at=NOW + timedelta(seconds=5))})
    check = checker(rows)
    with time_machine.travel(NOW, tick=False) as traveller:
        assert not refused(check, KEY)
        traveller.shift(5)
        assert refused(check, KEY)
        assert time() == NOW.timestamp() + 5


def test_strangers_cannot_have_the_database_asked_often() -> None:
    rows = Rows(**{KEY[:18]: row()})
    check = checker(rows)
    with time_machine.travel(NOW, tick=False) as traveller:
        assert not refused(check, KEY)
        for _ in range(key_check.MAX_UNKNOWN_PER_SECOND - 1):
            assert refused(check, new_key())
        for _ in range(100):
            with pytest.raises(UnavailableError, match="Too many unknown"):
                check.check(new_key())
        assert len(rows.asked) == key_check.MAX_UNKNOWN_PER_SECOND
        # A key that was accepted before is none of these, also when it has to be looked up again.
        traveller.shift(KEPT_SECONDS)
        for _ in range(key_check.MAX_UNKNOWN_PER_SECOND):
            assert refused(check, new_key())
        assert not refused(check, KEY)
        with pytest.raises(UnavailableError, match="Too many unknown"):
            check.check(new_key())
        traveller.shift(1)
        assert refused(check, new_key())


def test_one_key_is_looked_up_at_a_time_and_one_that_was_accepted_waits_for_no_other() -> None:
    rows = Rows(**{KEY[:18]: row()})
    check = checker(rows)
    with time_machine.travel(NOW, tick=False) as traveller, ThreadPoolExecutor(2) as pool:
        check.check(KEY)
        rows.may_go_on.clear()
        traveller.shift(KEPT_SECONDS)
        stranger = pool.submit(refused, check, new_key())
        wait_for(lambda: len(rows.asked) == 2, "a stranger's key is looked up")
        for _ in range(3):
            with pytest.raises(UnavailableError, match="cannot be looked up soon enough"):
                check.check(new_key())
        accepted = pool.submit(refused, check, KEY)
        wait_for(lambda: len(rows.asked) == 3, "the other is looked up too")
        assert rows.asked[2] == KEY[:18]
        rows.may_go_on.set()
        assert (stranger.result(PATIENCE), accepted.result(PATIENCE)) == (True, False)


def test_many_requests_with_one_new_key_look_it_up_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_check, "WAIT_SECONDS", PATIENCE)
    rows = Rows(**{KEY[:18]: row()})
    rows.may_go_on.clear()
    check = checker(rows)
    with ThreadPoolExecutor(20) as pool:
        asked = [pool.submit(refused, check, KEY) for _ in range(20)]
        wait_for(lambda: len(rows.asked) == 1, "one of them looks the key up")
        rows.may_go_on.set()
        assert not any(one.result(PATIENCE) for one in asked)
    assert rows.asked == [KEY[:18]]


def test_the_oldest_is_forgotten_first_and_none_that_is_allowed_for_one_that_is_refused() -> None:
    kept = KeptAccess(2)
    end = time() + 60
    allowed = Checked(Access("t1", reads_all=False, name="token"), end)
    for name in (b"a", b"b", b"a", b"c"):
        kept.keep(name, allowed)
    for name in (b"d", b"e", b"f"):
        kept.keep(name, Checked(NOTHING, end))
    names = (b"a", b"b", b"c", b"d", b"e", b"f")
    assert [kept.find(name) is not None for name in names] == [True, False, True, False, True, True]
    kept.keep(b"a", Checked(NOTHING, end))
    assert (kept.was_allowed(b"a"), kept.was_allowed(b"c")) == (False, True)


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
