"""The fields that come from conversations, messages and template sends."""

from projector.operate.explain.model import Count, Row
from tests.unit.projector.explain.conftest import World


def keys(rows: list[Row]) -> list[str]:
    return [row.key for row in rows]


def test_counts_name_the_rows_that_are_counted(world: World) -> None:
    world.insert(
        "conversations",
        conversation_id="c2",
        agent_id="a-u",
        customer_phone="+49 151 000001",
        is_active=False,
    )
    for number in range(3):
        world.message(f"m{number}", "2025-02-01")
    world.message("n", "2025-02-01", conversation_id="c2")
    world.send("s1")
    world.send("s2", status="PENDING")
    world.send("s3", status="READ")
    assert world.field("conversation_count").counts == [Count("conversations", 2)]
    assert keys(world.field("conversation_count").sources) == ["c-u-1", "c2"]
    messages = [Count("messages", 3, "c-u-1"), Count("messages", 1, "c2")]
    assert (world.field("total_messages").value, world.field("total_messages").counts) == (4, messages)
    sends = world.field("template_sends_count")
    assert (sends.value, sends.counts) == (2, [Count("template_sends", 2)])
    assert (sorted(keys(sends.sources)), keys(sends.losers)) == (["s1", "s3"], ["s2"])
    assert sends.losers[0].note == "it did not go out: its status is PENDING"


def test_rows_beyond_the_bound_are_counted(world: World) -> None:
    for number in range(1, 6):
        world.insert(
            "conversations",
            conversation_id=f"d{number}",
            agent_id="a-u",
            customer_phone=" " * number + "49151000001",
        )
        world.message(f"m{number}", "2025-02-01", conversation_id=f"d{number}")
    found = world.field("conversation_count", candidates=2)
    assert (keys(found.sources), found.more_sources) == (["c-u-1", "d1"], 4)
    found = world.field("total_messages", candidates=2)
    assert found.counts == [Count("messages", 1, "d1"), Count("messages", 1, "d2"), Count("messages", 3)]


def test_the_phone_is_named_as_each_row_spells_it(world: World) -> None:
    world.insert(
        "conversations",
        conversation_id="c2",
        agent_id="a-u",
        customer_phone="+49 151 000001",
        is_active=False,
    )
    world.insert("contacts", contact_id="k", user_id="u", phone="+49151000001")
    found = world.field("customer_phone")
    assert found.value == "49151000001"
    assert [row.value for row in found.sources] == ["49151000001", "+49 151 000001"]
    assert [(row.key, row.note) for row in found.losers] == [("k", "a contact makes no lead")]


def test_each_platform_names_one_row_and_its_channel(world: World) -> None:
    for place, platform in enumerate(("webchat", "telegram", "webchat"), start=2):
        world.insert("phone_numbers", id=f"p{place}", user_id="u", platform=platform)
        world.insert("agents", agent_id=f"a{place}", user_id="u", phone_number_id=f"p{place}")
        world.insert(
            "conversations", conversation_id=f"c{place}", agent_id=f"a{place}", customer_phone="49151000001"
        )
    found = world.field("platforms")
    assert found.value == ["whatsapp", "webchat"]
    assert [(row.key, row.value) for row in found.sources] == [("c-u-1", "whatsapp"), ("c2", "webchat")]
    assert found.sources[1].through == (("agents", "a2"), ("phone_numbers", "p2"))
    assert [(row.key, row.note) for row in found.losers] == [
        ("c3", "its platform is none of the three"),
        ("c4", "webchat is there already"),
    ]


def test_conversations_are_named_in_their_order_with_the_row_of_their_time(world: World) -> None:
    world.insert(
        "conversations",
        conversation_id="c2",
        agent_id="a-u",
        customer_phone="49151000001",
        is_active=False,
        last_message_at="2025-06-01",
    )
    world.message("m", "2025-02-01")
    found = world.field("conversations")
    assert [(row.key, row.note) for row in found.sources] == [
        ("c2", "it has no messages: last_message_at is that of the conversation"),
        ("c-u-1", "last_message_at is that of messages m"),
    ]
    assert [entry["conversation_id"] for entry in found.value] == ["c2", "c-u-1"]
