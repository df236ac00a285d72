"""Phones that are near one that has no lead."""

import pytest

from projector.operate.explain.nearest import spellings
from tests.unit.projector.explain.conftest import World


@pytest.mark.parametrize(
    "asked",
    [
        "151000001", "00491510000010", "0049151000001", "049151000001", "4949151000001", "4915100001",
        "491510000001", "49151000007", "49151000010",
    ],
)  # fmt: skip
def test_a_phone_that_is_near_is_named(world: World, asked: str) -> None:
    found = world.explain(asked)
    assert (found.state, found.exists, found.in_read_model) == ("no_lead", False, False)
    assert found.nearest == (["49151000001"] if asked != "00491510000010" else [])
    assert found.sentences[0] == "The tenant has no such lead."
    assert "The tenant has 1 lead." in found.sentences


def test_case_and_beginning_count_for_what_is_no_phone(world: World) -> None:
    world.insert("conversations", conversation_id="c2", agent_id="a-u", customer_phone="web-session-17")
    world.refresh()
    assert world.explain("WEB-SESSION-17").nearest == ["web-session-17"]
    assert world.explain("web-session-18").nearest == ["web-session-17"]
    assert world.explain("other").nearest == []


def test_another_tenant_is_not_revealed(world: World) -> None:
    world.insert("users", user_id="v")
    found = world.explain(user_id="v")
    assert (found.state, found.nearest, found.without_effect) == ("no_lead", [], [])
    assert found.sentences == ["The tenant has no such lead.", "The tenant has 0 leads."]


def test_rows_that_make_no_lead_are_named(world: World) -> None:
    world.insert("contacts", contact_id="k", user_id="u", phone="+4917", name="Ann")
    world.send("s", phone="4917", status="PENDING")
    world.refresh()
    found = world.explain("+49 17")
    assert [(row.key, row.note) for row in found.without_effect] == [
        ("s", "it did not go out: its status is PENDING"),
        ("k", "a contact makes no lead"),
    ]
    assert "It has rows with this phone, but none that makes a lead" in found.sentences[1]


def test_a_phone_is_read_in_every_spelling(world: World) -> None:
    assert spellings(world.projector, " +49 17") == ("4917", {" +49 17", "+49 17", "4917", "+4917"})
    assert spellings(world.projector, " \N{NO-BREAK SPACE}") == (None, set())
