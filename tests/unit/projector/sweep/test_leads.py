"""Leads are recomputed in transactions of their own; keys that are wrong are mended first."""

import pytest

from projector.core import pipeline
from projector.sweep import leads
from projector.sweep.leads import find_wrong_keys_in, rebuild_keys, rebuild_leads
from tests.support.running import value
from tests.unit.projector.sweep.contents import Connection, assert_as_the_oracle, contents


@pytest.fixture
def prepared(filled: Connection) -> Connection:
    """A session that is ready for the steps of a rebuild."""
    pipeline.prepare_session(filled)
    return filled


def keys_of(conn: Connection, condition: str = "true") -> list[tuple[str, str]]:
    query = f"SELECT user_id, customer_phone FROM read_model.leads WHERE {condition} ORDER BY 1, 2"
    return conn.execute(query.encode()).fetchall()


def test_a_transaction_has_a_bounded_number_of_leads(
    prepared: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leads, "LEADS_PER_TRANSACTION", 7)
    before = contents(prepared)
    prepared.execute("UPDATE read_model.leads SET document = '{}'")
    keys = keys_of(prepared)
    points: list[str] = []
    done = [written.leads for written in rebuild_leads(prepared, keys, points.append)]
    assert done == [7] * (len(keys) // 7) + ([len(keys) % 7] if len(keys) % 7 else [])
    for point in ("locked", "recomputed", "written"):
        assert points.count(point) == len(done)
    assert contents(prepared) == before


def test_only_the_leads_that_are_named_are_written(prepared: Connection) -> None:
    prepared.execute("UPDATE read_model.leads SET document = '{}'")
    named = keys_of(prepared)[3:5]
    for _ in rebuild_leads(prepared, named):
        pass
    assert sorted(set(keys_of(prepared)) - set(keys_of(prepared, "document = '{}'"))) == named


def test_wrong_keys_are_found_per_tenant_and_mended_with_their_leads(
    prepared: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(leads, "LEADS_PER_TRANSACTION", 3)
    before = contents(prepared)
    prepared.execute("UPDATE projector.source_keys SET customer_phone = '1' WHERE user_id IN ('u', 'v')")
    leads.create_tables(prepared)
    with prepared.transaction():
        find_wrong_keys_in(prepared, ["u"])
    found = value(prepared, "SELECT count(*) FROM wrong_keys")
    assert found == value(prepared, "SELECT count(*) FROM projector.source_keys WHERE user_id = 'u'") > 3
    rebuild_keys(prepared, ["u"])
    assert (
        value(
            prepared,
            "SELECT count(*) FROM projector.source_keys WHERE user_id = 'u' AND customer_phone = '1'",
        )
        == 0
    )
    rebuild_keys(prepared, None)
    assert value(prepared, "SELECT count(*) FROM wrong_keys") == 0
    assert contents(prepared)["projector.source_keys"] == before["projector.source_keys"]
    assert_as_the_oracle(prepared)
