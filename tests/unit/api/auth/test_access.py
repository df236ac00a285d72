"""What was found out about credentials is kept for a while, and in bounds."""

from time import time

from api.auth.access import Access, Checked, KeptAccess

ACCESS = Access("t1", reads_all=False, name="token")


def test_the_oldest_is_forgotten_first() -> None:
    kept = KeptAccess(2)
    end = time() + 60
    for name in (b"a", b"b", b"a", b"c"):
        kept.keep(name, Checked(ACCESS, end))
    assert [kept.find(name) is not None for name in (b"a", b"b", b"c")] == [True, False, True]
    kept.forget(b"a")
    kept.forget(b"nothing")
    assert kept.find(b"a") is None
