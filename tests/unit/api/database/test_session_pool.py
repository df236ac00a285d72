"""The pool lends what SQLAlchemy keeps, and takes it back."""

from typing import cast

import pytest

from api.database.pool import SESSION, SessionPool
from tests.unit.api.conftest import Library, MakeApp


@pytest.fixture
def pool(library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> SessionPool:
    monkeypatch.setattr("api.database.pool.POOL_TIMEOUT_SECONDS", 0.05)
    app = make_app(library.database, threads=2)
    return cast("SessionPool", app.extensions["leads"].database.engine.pool)


def test_a_connection_that_was_given_up_is_not_idle_and_is_opened_anew(pool: SessionPool) -> None:
    lent = pool.lend()
    session = lent.info[SESSION]
    lent.invalidate()
    pool.give_back(lent)
    assert pool.lend_idle() is None
    assert pool.lend() is lent
    assert lent.info[SESSION] is not session
    pool.give_back(lent)


def test_one_that_cannot_be_opened_takes_no_place(
    library: Library, make_app: MakeApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(library.database, threads=1)
    pool = cast("SessionPool", app.extensions["leads"].database.engine.pool)
    lent = pool.lend()
    lent.invalidate()
    pool.give_back(lent)

    def refuse(*_: object) -> None:
        raise OSError("no route to the host")

    connect = pool._creator  # noqa: SLF001
    for _ in range(5):
        monkeypatch.setattr(pool, "_invoke_creator", refuse)
        with pytest.raises(OSError, match="no route"):
            pool.lend()
    monkeypatch.undo()
    assert connect is pool._creator  # noqa: SLF001
    lent = pool.lend()
    pool.give_back(lent)
    assert pool.checkedin() == 1
