"""The fields that the order of times decides."""

from projector.operate.explain.model import Row
from tests.unit.projector.explain.conftest import World


def named(rows: list[Row]) -> list[tuple[str, str]]:
    return [(row.table, row.key) for row in rows]


def test_the_last_message_is_named_with_those_before_it(world: World) -> None:
    world.message("m1", "2025-02-01 10:00", sequence_no=2)
    world.message("m2", "2025-02-01 10:00", sequence_no=1)
    world.message("m3", "2025-01-05 10:00", text="x" * 300)
    found = world.field("last_message_text")
    assert (found.value, named(found.sources)) == ("text of m1", [("messages", "m1")])
    assert [row.key for row in found.losers] == ["m2", "m3"]
    # A text of a row that lost is cut.
    assert found.losers[1].value == "x" * 200
    assert world.field("last_message_at", candidates=1).more_losers == 1


def test_without_messages_the_column_of_a_conversation_counts(world: World) -> None:
    world.platform.execute("UPDATE conversations SET last_message_at = '2025-03-01'")
    world.send("s", sent_at="2025-09-01")
    found = world.field("last_message_at")
    assert (found.value, named(found.sources)) == ("2025-03-01T00:00:00.000Z", [("conversations", "c-u-1")])
    assert [(row.key, row.note) for row in found.losers] == [
        ("s", "the lead has conversations, so template sends do not count")
    ]
    assert world.field("last_message_text").value is None


def test_the_only_message_of_a_conversation_holds_back_its_column(world: World) -> None:
    world.platform.execute("UPDATE conversations SET last_message_at = '2025-09-01'")
    world.message("old", "2025-02-01")
    world.insert(
        "conversations", conversation_id="c2", agent_id="a-u", customer_phone="49151000001", is_active=False
    )
    world.message("new", "2025-03-01", conversation_id="c2")
    before = world.field("last_message_at")
    assert named(before.sources) == [("messages", "new")]
    assert named(before.decided_by) == [("messages", "old")]
    assert (
        before.losers[-1].note == "the conversation has messages, so its own last_message_at does not count"
    )
    world.platform.execute("DELETE FROM messages WHERE message_id = 'old'")
    after = world.field("last_message_at")
    assert (after.value, named(after.sources)) == ("2025-09-01T00:00:00.000Z", [("conversations", "c-u-1")])
    assert after.decided_by == []


def test_the_only_conversation_decides_that_sends_do_not_count(world: World) -> None:
    world.send("s", sent_at="2025-09-01")
    before = world.field("last_message_at")
    assert (before.value, named(before.decided_by)) == (None, [("conversations", "c-u-1")])
    world.platform.execute("DELETE FROM conversations")
    after = world.field("last_message_at")
    assert (after.value, named(after.sources)) == ("2025-09-01T00:00:00.000Z", [("template_sends", "s")])


def test_a_lead_of_template_sends_alone_is_explained(world: World) -> None:
    world.send("s1", phone="4917", sent_at="2025-02-01")
    world.send("s2", phone="+49 17", sent_at="2025-04-01")
    world.send("s3", phone="4917", sent_at="2025-05-01", status="FAILED")
    world.refresh()
    found = world.field("last_message_at", phone="4917")
    assert (found.value, named(found.sources)) == ("2025-04-01T00:00:00.000Z", [("template_sends", "s2")])
    assert [(row.key, row.note) for row in found.losers] == [
        ("s1", "it is not the newest"),
        ("s3", "it did not go out: its status is FAILED"),
    ]
    assert named(world.field("first_contact_at", phone="4917").sources) == [("template_sends", "s1")]
    assert world.field("platforms", phone="4917").sources[0].through[0] == ("templates", "t")


def test_the_first_contact_is_the_earliest_of_three_kinds_of_rows(world: World) -> None:
    world.message("m", "2024-12-01")
    world.send("s", created_at="2024-12-02")
    found = world.field("first_contact_at")
    assert (found.value, named(found.sources)) == ("2024-12-01T00:00:00.000Z", [("messages", "m")])
    assert named(found.losers) == [("template_sends", "s"), ("conversations", "c-u-1")]
    world.message("n", None)
    found = world.field("first_contact_at")
    assert (found.value, named(found.sources)) == ("1970-01-01T00:00:00.000Z", [("messages", "n")])
