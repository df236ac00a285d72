"""Demo conversations and their messages."""

from projector.demo.clock import SECOND, timestamp
from projector.demo.identifiers import incoming_message_ids, outgoing_message_id, random_uuid
from projector.demo.people import pick
from projector.demo.script import Script
from projector.demo.setting import Lead, Setting

# At most this many messages are worked out at a time, however long a conversation is.
_STRETCH = 10_000

_LATE = 0.1


def add_conversation(
    setting: Setting,
    script: Script,
    lead: Lead,
    *,
    agent_id: str,
    customer_phone: str,
    is_active: bool | None,
    messages: int,
    end: int,
) -> tuple[str, int]:
    """Add a conversation that ends at a time; return its id and when it started."""
    rng = setting.rng
    conversation_id = random_uuid(rng)
    place = pick(rng, script.starts)
    # Half of the time that is left stays free for the lead's older conversations.
    start = end - min(script.span(place, messages), (end - setting.horizon) // 2)
    setting.rows.add(
        "conversations",
        conversation_id,
        agent_id,
        customer_phone,
        timestamp(start - int(rng.random() * SECOND)),
        _noted_end(setting, end, messages),
        is_active,
    )
    _add_messages(setting, script, lead, conversation_id, place, messages, start, end)
    return conversation_id, start


def _noted_end(setting: Setting, end: int, messages: int) -> str | None:
    """Return the platform's own note of a conversation's last message: often right, sometimes not."""
    chance = setting.rng.random()
    if chance < (0.1 if messages else 0.5):
        return None
    off = int((chance - 0.9) * 400) if chance > 0.8 else 0
    return timestamp(min(end + off, setting.now - 1))


def _add_messages(
    setting: Setting,
    script: Script,
    lead: Lead,
    conversation_id: str,
    place: int,
    messages: int,
    start: int,
    end: int,
) -> None:
    """Add messages from start to end: a stretch of the script, with an opening of its own."""
    if not messages:
        return
    rng, lines = setting.rng, setting.rows.messages
    incoming = incoming_message_ids(rng, lead.customer_phone)
    opening = script.opening(rng, lead.person.first_name if rng.random() < 0.8 else None)
    span = script.span(place, messages)
    pace = (end - start) / span if span else 0.0
    for done in range(0, messages, _STRETCH):
        count = min(_STRETCH, messages - done)
        times = [start + int(offset * pace) for offset in script.offsets(place, place + done, count)]
        if done + count == messages:
            times[-1] = end
        numbers = script.numbers(place, place + done, count)
        places = script.places(place + done, count)
        endings = [script.endings[at] for at in places]
        from_user = [script.from_user[at] for at in places]
        if done == 0:
            endings[:2] = opening[:count]
            from_user[:2] = [True, False][:count]
        late = 2 + int(rng.random() * (count - 2)) if count > 4 and rng.random() < _LATE else None
        if late is not None:
            # Written before the two messages that arrived first.
            times[late - 2], times[late - 1], times[late] = times[late - 1], times[late], times[late - 2]
        lines.extend(
            f"{incoming() if user else outgoing_message_id(rng, at)}"
            f"\t{conversation_id}\t{timestamp(at)}\t{number}\t{ending}"
            for user, at, number, ending in zip(from_user, times, numbers, endings, strict=True)
        )
        if late is not None and late % 2:
            # Some come into the table after younger ones.
            lines.append(lines.pop(late - count))
        setting.rows.write_when_enough()
