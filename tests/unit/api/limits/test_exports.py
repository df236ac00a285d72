"""Exports under way: no tenant keeps another from its own."""

from types import SimpleNamespace

import pytest

from api.limits import exports
from api.limits.exports import TURN_SECONDS, Exports, ExportsBusyError


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    found = SimpleNamespace(now=1_000.0)
    monkeypatch.setattr(exports, "monotonic", lambda: found.now)
    monkeypatch.setattr(exports, "TAKE_SECONDS", 0)
    return found


def takes(places: Exports, tenant: str) -> bool:
    try:
        places.take(tenant)
    except ExportsBusyError:
        return False
    return True


@pytest.mark.usefixtures("clock")
def test_of_several_places_one_tenant_has_not_all() -> None:
    places = Exports(2)
    assert [takes(places, tenant) for tenant in "aabbc"] == [True, False, True, False, False]
    places.give_back("a")
    assert [takes(places, tenant) for tenant in "bac"] == [False, False, True]
    five = Exports(5)
    assert [takes(five, "a") for _ in range(5)] == [True] * 4 + [False]


def test_whoever_was_refused_goes_before_the_tenant_that_had_the_place(clock: SimpleNamespace) -> None:
    places = Exports(1)
    assert takes(places, "a")
    # That "a" asks for more while it has a place gives it no turn.
    assert not takes(places, "a")
    for turn in range(5):
        clock.now += TURN_SECONDS - 1
        assert not takes(places, "b"), turn
        places.give_back("a")
        assert not takes(places, "a")
        assert takes(places, "b")
        clock.now += TURN_SECONDS - 1
        assert not takes(places, "a")
        places.give_back("b")
        assert not takes(places, "b")
        assert takes(places, "a")
    assert not takes(places, "b")
    places.give_back("a")
    # It does not come back, and the place is free for everybody.
    assert not takes(places, "a")
    clock.now += TURN_SECONDS
    assert takes(places, "a")
    places.give_back("a")
    assert (places._taken, places._refused) == ({}, {})  # noqa: SLF001
