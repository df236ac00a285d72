"""The lead whose data stops a rebuild in place is named."""

from collections.abc import Sequence

import psycopg
import pytest

from projector.sweep.leads import LeadKey, by_halves

LEADS = [("u", str(number)) for number in range(100)]


@pytest.mark.parametrize("bad", [0, 50, 99])
def test_it_is_found_by_halves_and_stops_no_other(bad: int) -> None:
    calls: list[int] = []

    def work(leads: Sequence[LeadKey]) -> list[LeadKey]:
        calls.append(len(leads))
        if ("u", str(bad)) in leads:
            raise psycopg.errors.NumericValueOutOfRange("integer out of range")
        return list(leads)

    found = by_halves(LEADS, work, lambda lead, _: [(*lead[:1], "failed")])
    assert found == [lead if lead[1] != str(bad) else ("u", "failed") for lead in LEADS]
    assert len(calls) < 16


def test_another_failure_stays_as_it_is() -> None:
    def work(_: Sequence[LeadKey]) -> list[LeadKey]:
        raise psycopg.errors.LockNotAvailable

    with pytest.raises(psycopg.errors.LockNotAvailable):
        by_halves(LEADS, work, lambda *_: [])
