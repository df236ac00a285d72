"""The worlds in which two refreshes and a writer meet: rows, changes that wait, and three statements."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tests.exactness.interleaving import batch_of
from tests.exactness.platform import Platform, rebuild_now

Statement = tuple[str, tuple[object, ...]]

FIRST_EXTRACTION, SECOND_EXTRACTION = (f"00000000-0000-0000-0000-00000000000{number}" for number in (1, 2))


@dataclass(frozen=True, slots=True)
class World:
    """`lay` writes the rows and the changes that wait, and returns the writer's statements.

    `shards` are those of A and of B. With `waits` B waits for its shard, as a refresh does that somebody waits for.
    """

    name: str
    lay: Callable[[Platform], Sequence[Statement]]
    shards: tuple[int, int] = (0, 1)
    waits: bool = False


def _build(platform: Platform) -> None:
    rebuild_now(platform.conn, first=True)


def _insert_message(conversation: str, message: str) -> Statement:
    query = (
        "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp)"
        " VALUES (%s, %s, 'user', 'new', '2025-03-01 10:00:00')"
    )
    return query, (message, conversation)


def _insert_conversation(conversation: str, agent: str, phone: str) -> Statement:
    query = (
        "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
        " VALUES (%s, %s, %s, '2025-03-01')"
    )
    return query, (conversation, agent, phone)


def _insert_extraction(extraction: str, conversation: str, status: str, at: str) -> Statement:
    query = (
        "INSERT INTO extractions (extraction_id, conversation_id, lead_status_tag, total_score, name, extracted_at)"
        " VALUES (%s, %s, %s, 50, 'Ann', %s)"
    )
    return query, (extraction, conversation, status, at)


def _same_lead(platform: Platform) -> Sequence[Statement]:
    platform.tenant("one")
    agent = platform.agent("one")
    one, other = (platform.conversation(agent, phone, shard=n) for n, phone in enumerate(("4915", "+49 15")))
    first, second = platform.message(one, "first"), platform.message(other, "second")
    _build(platform)
    platform.message(one, "waits", at="2025-02-01")
    platform.message(other, "waits too", at="2025-02-02")
    return (
        _insert_message(one, "written"),
        ("UPDATE messages SET text = 'edited', timestamp = '2025-04-01' WHERE message_id = %s", (second,)),
        ("DELETE FROM messages WHERE message_id = %s", (first,)),
    )


def _one_shard(platform: Platform) -> Sequence[Statement]:
    platform.tenant("one")
    agent = platform.agent("one")
    one, other = (platform.conversation(agent, phone, shard=0) for phone in ("4915", "4916"))
    first = platform.message(one, "first")
    _build(platform)
    platform.message(one, "waits", at="2025-02-01")
    return (
        _insert_message(other, "written"),
        ("UPDATE messages SET conversation_id = %s WHERE message_id = %s", (other, first)),
        ("UPDATE conversations SET customer_phone = '4917' WHERE conversation_id = %s", (other,)),
    )


def _scores(platform: Platform) -> Sequence[Statement]:
    platform.tenant("one")
    agent = platform.agent("one")
    one = platform.conversation(agent, "4915", shard=0)
    other = platform.conversation(agent, "+4915", shard=1)
    platform.message(one, "first")
    query, values = _insert_extraction(FIRST_EXTRACTION, one, "Hot", "2025-01-01")
    platform.conn.execute(query.encode(), values)
    contact = platform.contact("one", "4915", "Ann", shard=1)
    _build(platform)
    platform.conn.execute("UPDATE extractions SET lead_status_tag = 'Warm', name = NULL")
    platform.conn.execute("UPDATE contacts SET name = 'Anna'")
    return (
        ("UPDATE extractions SET lead_status_tag = 'Cold', total_score = 60", ()),
        ("UPDATE contacts SET email = 'ann@example.com' WHERE contact_id = %s", (contact,)),
        _insert_extraction(SECOND_EXTRACTION, other, "Hot", "2025-03-01"),
    )


def _moved_conversation(platform: Platform) -> Sequence[Statement]:
    for tenant in ("one", "two", "three"):
        platform.tenant(tenant)
    agent, last_agent = platform.agent("one", shard=0), platform.agent("three", shard=0)
    moved, silent = (platform.conversation(agent, phone, shard=1) for phone in ("4915", "4916"))
    platform.message(moved, "first")
    _build(platform)
    # The first move is spread already: both conversations wait in the shard of the agent.
    platform.conn.execute("UPDATE agents SET user_id = 'two' WHERE agent_id = %s", (agent,))
    platform.conn.execute(
        "UPDATE projector.changes SET kind = 'conversations', keys = %s WHERE kind = 'agents'",
        (sorted((moved, silent)),),
    )
    return (
        (
            "UPDATE conversations SET agent_id = %s WHERE conversation_id = ANY(%s)",
            (last_agent, [moved, silent]),
        ),
        _insert_message(moved, "written"),
        ("UPDATE conversations SET customer_phone = '4917' WHERE conversation_id = %s", (moved,)),
    )


def _moved_message(platform: Platform) -> Sequence[Statement]:
    platform.tenant("one")
    platform.tenant("two")
    agent, other_agent = platform.agent("one", shard=2), platform.agent("two", shard=2)
    origin = platform.conversation(agent, "1", shard=0)
    target = platform.conversation(agent, "2", shard=1)
    message = platform.message(origin, "moving")
    platform.message(target, "staying")
    _build(platform)
    platform.conn.execute("UPDATE messages SET conversation_id = %s WHERE message_id = %s", (target, message))
    return (
        ("UPDATE conversations SET agent_id = %s WHERE conversation_id = %s", (other_agent, target)),
        ("UPDATE messages SET conversation_id = %s WHERE message_id = %s", (origin, message)),
        _insert_message(target, "written"),
    )


def _new_conversation(platform: Platform) -> Sequence[Statement]:
    platform.tenant("one")
    platform.tenant("two")
    agent = platform.agent("one", shard=0)
    _build(platform)
    conversation = platform.conversation(agent, "4915", shard=1)
    platform.message(conversation, "first")
    return (
        ("UPDATE agents SET user_id = 'two' WHERE agent_id = %s", (agent,)),
        _insert_message(conversation, "written"),
        ("UPDATE conversations SET is_active = false WHERE conversation_id = %s", (conversation,)),
    )


def _contact_first(platform: Platform) -> Sequence[Statement]:
    platform.tenant("one")
    agent = platform.agent("one")
    other = platform.contact("one", "+4915", "Anna", shard=1)
    _build(platform)
    # Nothing else will tell of the name that the lead gets with its conversation.
    platform.contact("one", "4915", "Ann", shard=0)
    conversation = platform.id("conversation", 1)
    return (
        _insert_conversation(conversation, agent, "49 15"),
        _insert_message(conversation, "written"),
        ("UPDATE contacts SET phone = '4916' WHERE contact_id = %s", (other,)),
    )


def _deleted_agent(platform: Platform) -> Sequence[Statement]:
    platform.tenant("one")
    agent, other_agent = platform.agent("one", shard=0), platform.agent("one", shard=2)
    one, other = (platform.conversation(agent, phone, shard=n) for n, phone in enumerate(("4915", "4916")))
    # Without a message, only its own change tells that it is gone.
    platform.conversation(agent, "4917", shard=1)
    platform.message(one, "first")
    _build(platform)
    platform.message(one, "waits", at="2025-02-01")
    platform.message(other, "waits too", at="2025-02-02")
    return (
        _insert_message(other, "written"),
        ("DELETE FROM agents WHERE agent_id = %s", (agent,)),
        _insert_conversation(platform.id("conversation", 1), other_agent, "4915"),
    )


def _changed_platform(platform: Platform) -> Sequence[Statement]:
    platform.tenant("one")
    channel = platform.id("channel", 0)
    platform.insert("phone_numbers", id=channel, user_id="one", platform="whatsapp")
    agent = platform.id("agent", 1)
    platform.insert("agents", agent_id=agent, user_id="one", phone_number_id=channel, name="Ava")
    one, other = (platform.conversation(agent, phone, shard=n) for n, phone in enumerate(("4915", "4916")))
    _build(platform)
    platform.message(one, "waits")
    platform.message(other, "waits too")
    return (
        ("UPDATE phone_numbers SET platform = 'instagram' WHERE id = %s", (channel,)),
        _insert_message(one, "written"),
        ("UPDATE agents SET name = 'Eve' WHERE agent_id = %s", (agent,)),
    )


def _moved_send(platform: Platform) -> Sequence[Statement]:
    for tenant in ("one", "two", "three"):
        platform.tenant(tenant)
    template, last_template = platform.template("one", shard=0), platform.template("three", shard=0)
    send = platform.send(template, "4915", shard=1)
    agent = platform.agent("three", shard=2)
    _build(platform)
    platform.conn.execute("UPDATE templates SET user_id = 'two' WHERE template_id = %s", (template,))
    batch_of(platform.conn, 0)
    return (
        ("UPDATE template_sends SET template_id = %s WHERE send_id = %s", (last_template, send)),
        _insert_conversation(platform.id("conversation", 1), agent, "+4915"),
        ("UPDATE template_sends SET status = 'FAILED' WHERE send_id = %s", (send,)),
    )


WORLDS = (
    World("moved conversation", _moved_conversation),
    World("same lead", _same_lead),
    World("one shard", _one_shard, shards=(0, 0), waits=True),
    World("scores", _scores),
    World("moved message", _moved_message),
    World("new conversation", _new_conversation, shards=(1, 0)),
    World("contact first", _contact_first),
    World("deleted agent", _deleted_agent),
    World("changed platform", _changed_platform),
    World("moved send", _moved_send),
)
"""The worlds, in the order in which they are gone through."""
