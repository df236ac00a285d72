"""The lead whose data stops a rebuild in place is named."""

from collections.abc import Sequence

import psycopg
import pytest

from projector.report.errors import RebuildFailedError
from projector.report.log import digest
from projector.sweep.rebuild.failing_lead import naming_the_failing_lead
from projector.sweep.rebuild.leads import LeadKey
from tests.support.running import value
from tests.unit.projector.rebuild.contents import Connection, rebuild_now

KEYS = [("u", str(number)) for number in range(100)]


@pytest.mark.parametrize("bad", [0, 1, 49, 50, 98, 99])
def test_it_is_found_by_halves(bad: int) -> None:
    calls = 0

    def work(keys: Sequence[LeadKey]) -> None:
        nonlocal calls
        calls += 1
        if ("u", str(bad)) in keys:
            raise psycopg.errors.NumericValueOutOfRange("integer out of range")

    with (
        pytest.raises(RebuildFailedError, match=rf"stopped at customer {bad} of tenant u: "),
        naming_the_failing_lead(KEYS, work),
    ):
        work(KEYS)
    assert calls < 12


@pytest.mark.parametrize("error", [psycopg.errors.NumericValueOutOfRange, psycopg.errors.LockNotAvailable])
def test_a_failure_that_no_lead_repeats_stays_as_it_is(error: type[psycopg.Error]) -> None:
    with pytest.raises(error), naming_the_failing_lead(KEYS, len):
        raise error


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
