"""What was found out about credentials is kept for a while, and in bounds."""

from concurrent.futures import ThreadPoolExecutor
from time import time

import time_machine

from api.auth.access import NOTHING, Access, Checked, KeptAccess, digest_of
from tests.unit.api.conftest import NOW

ACCESS = Access("t1", reads_all=False, name="token")


def test_an_entry_is_kept_until_its_end() -> None:
    kept = KeptAccess(4)
    with time_machine.travel(NOW, tick=False) as traveller:
        allowed, refused = Checked(ACCESS, time() + 10), Checked(NOTHING, time() + 10)
        kept.keep(b"a", allowed)
        kept.keep(b"b", refused)
        assert kept.find(b"a") == allowed
        assert kept.find(b"b") == refused
        assert kept.find(b"c") is None
        traveller.shift(10)
        assert kept.find(b"a") is kept.find(b"b") is None
        assert kept.was_allowed(b"a")
        assert not kept.was_allowed(b"b")
        assert not kept.was_allowed(b"c")


def test_a_clock_that_is_set_back_makes_no_entry_last_longer() -> None:
    kept = KeptAccess(4)
    with time_machine.travel(NOW, tick=False) as traveller:
        kept.keep(b"a", Checked(ACCESS, time() + 10))
        traveller.shift(-1)
        assert kept.find(b"a") is None


def test_the_oldest_is_forgotten_first() -> None:
    kept = KeptAccess(2)
    end = time() + 60
    for name in (b"a", b"b", b"a", b"c"):
        kept.keep(name, Checked(ACCESS, end))
    assert [kept.find(name) is not None for name in (b"a", b"b", b"c")] == [True, False, True]
    kept.forget(b"a")
    kept.forget(b"nothing")
    assert len(kept) == 1


def test_threads_do_not_exceed_the_bound() -> None:
    kept = KeptAccess(50)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: kept.keep(digest_of(str(n)), Checked(ACCESS, time() + 60)), range(4000)))
    assert len(kept) == 50
