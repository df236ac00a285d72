"""What is read of a lead, and what that may not do."""

import psycopg
import pytest

from projector.core.snapshots import snapshot
from projector.operate.explain import explain_in
from projector.operate.explain.read import canonical_phone, count_leads, read_evidence
from tests.support.running import value
from tests.unit.projector.explain.conftest import PHONE, World


def test_the_rankings_are_bounded(world: World) -> None:
    for number in range(1, 9):
        world.extraction(number)
        world.message(f"m{number}", f"2025-02-0{number}")
        world.send(f"s{number}", sent_at=f"2025-02-0{number}")
    world.refresh()
    with snapshot(world.projector):
        found = read_evidence(world.projector, "u", PHONE, spellings={PHONE}, size=2)
    assert [row["key"] for row in found.last_messages] == ["m8", "m7"]
    assert [row["key"] for row in found.first_messages] == ["m1", "m2"]
    assert {row["key"] for row in found.sends} == {"s1", "s2", "s7", "s8"}
    assert (len(found.extractions), found.extractions[0]["total"]) == (2, 8)
    assert found.conversations[0]["messages"] == 8


def test_keys_of_the_lead_of_the_read_model_and_of_the_queue_are_found(world: World) -> None:
    world.insert(
        "conversations", conversation_id="c2", agent_id="a-u", customer_phone="+49151000001", is_active=False
    )
    world.platform.execute("UPDATE conversations SET customer_phone = '4917' WHERE conversation_id = 'c-u-1'")
    with snapshot(world.projector):
        found = read_evidence(world.projector, "u", PHONE, spellings={PHONE}, size=2)
    assert [(key.key, key.is_own, key.is_known) for key in found.keys] == [
        ("c-u-1", False, True),
        ("c2", True, False),
    ]
    assert [row["key"] for row in found.conversations] == ["c2"]


def test_small_facts(world: World) -> None:
    assert canonical_phone(world.projector, "+49 (151) 000-001") == PHONE
    assert (count_leads(world.projector, "u"), count_leads(world.projector, "v")) == (1, 0)


def test_nothing_can_be_written_and_no_statement_runs_for_long(world: World) -> None:
    with world.projector.transaction():
        explain_in(world.projector, "u", PHONE, candidates=3)
        assert value(world.projector, "SELECT current_setting('statement_timeout')") == "30s"
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), world.projector.transaction():
            world.projector.execute("DELETE FROM messages")
    assert value(world.projector, "SELECT current_setting('statement_timeout')") == "0"
    assert value(world.projector, "SELECT current_setting('transaction_read_only')") == "off"
