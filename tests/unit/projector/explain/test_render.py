"""The explanation as text."""

from projector.operate.explain import FIELDS, render
from projector.operate.explain.text import WIDTH, columns
from tests.unit.projector.explain.conftest import World


def test_each_field_stands_with_its_row_its_rule_and_those_that_lost(world: World) -> None:
    winner = world.extraction(2, name="Ann", is_latest=True, extracted_at="2025-05-01")
    world.extraction(1, name="Bo", extracted_at="2025-04-01")
    world.refresh()
    text = render(world.explain())
    assert text.startswith(
        "Lead 49151000001 of u\nThe read model shows what the rules give now.\n\ncustomer_phone: "
    )
    block = text.partition("\nname: ")[2].partition("\n\n")[0]
    assert block.startswith('"Ann"\n  from       extractions ' + winner)
    assert "\n  rule       The name of the winning extraction if it is not blank," in block
    assert '\n  lost       extractions 00000000-0000-0000-0000-000000000001, name "Bo",' in block
    assert [line for line in text.splitlines() if line and line[0] != " "][2:] == [
        line for line in text.splitlines() if line.split(":")[0] in FIELDS
    ]


def test_rows_cannot_harm_the_terminal_and_lines_fit_it(world: World) -> None:
    evil = "\x1b]0;evil\x07\x1b[2J\r\n\N{RIGHT-TO-LEFT OVERRIDE}" + "山" * 90
    world.extraction(1, name=evil[:200], extracted_at="2025-05-01")
    world.message("m" * 200 + "\x1b[0m", "2025-01-02", text=evil * 40)
    world.platform.execute("UPDATE agents SET name = %s", (evil[:200],))
    for phone in ("49151000001", "\x1b[31m49151000001"):
        lines = render(world.explain(phone)).splitlines()
        assert all(columns(line) <= WIDTH for line in lines)
        assert all(line.isprintable() for line in lines)
    assert "(asked for as " not in render(world.explain())


def test_what_waits_and_what_the_read_model_shows_instead(world: World) -> None:
    world.message("m", "2025-02-01", text="Hello")
    text = render(world.explain("+49 151000001"))
    assert '(asked for as "+49 151000001", which is the same phone)' in text
    assert "\n  waits      messages c-u-1, queued at 2" in text
    assert (
        '\nlast_message_text: "Hello"\n  READ MODEL shows null\n  from       messages m, text "Hello"' in text
    )
    assert "\n  counted    1 message of conversation c-u-1\n" in text


def test_a_lead_that_is_not_there(world: World) -> None:
    world.insert(
        "contacts", contact_id="k", user_id="u", phone="+3917", updated_at="2026-01-02 03:04:05.678901+00"
    )
    world.refresh()
    day, time = world_time(world).split(" ")
    assert render(world.explain("3917")).splitlines() == [
        "Lead 3917 of u",
        "The tenant has no such lead.",
        "It has rows with this phone, but none that makes a lead: that takes a",
        "conversation, or a template send that went out.",
        "The tenant has 1 lead.",
        f'  no effect  contacts k, phone "+3917", updated_at {day}',
        f"             {time}: a contact makes no lead",
    ]


def world_time(world: World) -> str:
    row = world.platform.execute("SELECT updated_at::timestamptz::text FROM contacts").fetchone()
    assert row is not None
    return str(row[0])
