"""API keys in the database: what is looked up, and how often."""

from datetime import UTC, datetime, timedelta
from time import time
from typing import Any

import pytest
import time_machine

from api.auth import key_check
from api.auth.access import Access, Checked, CredentialsRefusedError, KeptAccess, digest_of
from api.auth.key_check import KeyCheck, KeyRow
from api.auth.key_format import KEPT_SECONDS, new_key
from api.database.errors import UnavailableError
from tests.support.cases import cases
from tests.unit.api.conftest import NOW

KEY = new_key()


class Rows:
    """Stands for the database, and notes which prefixes it is asked for."""

    def __init__(self, **rows: KeyRow) -> None:
        self.rows = rows
        self.asked: list[object] = []

    def fetch(self, bound: Any) -> KeyRow:  # noqa: ANN401
        self.asked.append(bound.values["prefix"])
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


def test_a_key_reads_its_tenant_or_all() -> None:
    rows = Rows(**{KEY[:18]: row()})
    assert checker(rows).check(KEY).access == Access("t1", reads_all=False, name=KEY[:18])
    rows.rows = {KEY[:18]: row(user_id=None, all_tenants=True)}
    assert checker(rows).check(KEY).access == Access(None, reads_all=True, name=KEY[:18])


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


def test_a_key_is_looked_up_twice_a_minute() -> None:
    rows = Rows(**{KEY[:18]: row()})
    check = checker(rows)
    with time_machine.travel(NOW, tick=False) as traveller:
        for _ in range(3):
            check.check(KEY)
        assert len(rows.asked) == 1
        traveller.shift(KEPT_SECONDS)
        check.check(KEY)
        assert len(rows.asked) == 2
        # Back to before it was looked up.
        traveller.shift(-3600)
        check.check(KEY)
        assert len(rows.asked) == 3


def test_a_refused_key_is_looked_up_twice_a_minute_too() -> None:
    rows = Rows()
    check = checker(rows)
    with time_machine.travel(NOW, tick=False) as traveller:
        assert all(refused(check, KEY) for _ in range(3))
        assert rows.asked == [KEY[:18]]
        # A key that is created meanwhile is found when what was noted is old.
        rows.rows = {KEY[:18]: row()}
        traveller.shift(KEPT_SECONDS)
        assert not refused(check, KEY)


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


def test_the_oldest_is_forgotten_first() -> None:
    kept = KeptAccess(2)
    end = time() + 60
    for name in (b"a", b"b", b"a", b"c"):
        kept.keep(name, Checked(Access("t1", reads_all=False, name="token"), end))
    assert [kept.find(name) is not None for name in (b"a", b"b", b"c")] == [True, False, True]
    kept.forget(b"a")
    kept.forget(b"nothing")
    assert kept.find(b"a") is None
