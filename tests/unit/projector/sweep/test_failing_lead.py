"""The lead whose data stops a rebuild in place is named."""

from collections.abc import Sequence

import psycopg
import pytest

from projector.report.errors import RebuildFailedError
from projector.report.log import digest
from projector.sweep.leads import LeadKey, by_halves
from tests.support.running import value
from tests.unit.projector.sweep.contents import Connection, rebuild_now

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


@pytest.mark.parametrize(
    "refusal",
    [
        "ALTER TABLE read_model.leads ADD CONSTRAINT refused CHECK (customer_phone <> '{phone}') NOT VALID",
        "ALTER TABLE read_model.lead_profiles ADD CONSTRAINT refused CHECK (customer_phone <> '{phone}') NOT VALID",
    ],
)
def test_a_rebuild_names_it_and_the_step(built: Connection, refusal: str) -> None:
    rebuild_now(built)
    user_id, phone = built.execute(
        "SELECT user_id, customer_phone FROM read_model.leads ORDER BY md5(document) LIMIT 1"
    ).fetchone() or ("", "")
    built.execute("UPDATE read_model.leads SET document = '{}'")
    built.execute("UPDATE read_model.lead_profiles SET total_score = -1")
    built.execute(refusal.format(phone=phone).encode())
    with pytest.raises(RebuildFailedError) as failed:
        rebuild_now(built)
    assert f"stopped at customer {phone} of tenant {user_id}: " in str(failed.value)
    assert "(sql/refresh/8_write_leads/" in str(failed.value)
    assert value(built, "SELECT outcome FROM projector.runs ORDER BY run_id DESC LIMIT 1") == "failed"
    note = value(built, "SELECT note FROM projector.runs ORDER BY run_id DESC LIMIT 1")
    assert note == failed.value.without_values
    assert (
        f"phone has the digest {digest(phone)}: CheckViolation (SQLSTATE 23514) (sql/refresh/8_write" in note
    )
    assert phone not in note
