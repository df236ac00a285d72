"""Demo conversations and their messages."""

from dataclasses import dataclass

from projector.trial.demo.chance import happens, pick
from projector.trial.demo.clock import SECOND, timestamp
from projector.trial.demo.identifiers import incoming_message_ids, outgoing_message_id, random_uuid
from projector.trial.demo.script import Script
from projector.trial.demo.setting import Lead, Setting

# At most this many messages are worked out at a time, however long a conversation is.
_STRETCH = 10_000
# How far the platform's own note of the last message is off, in milliseconds.
_OFF = (0,) * 14 + (-38, -3, 1, 7, 31)


@dataclass(frozen=True, slots=True)
class Between:
    """Who talks in a conversation, how much, and whether it goes on."""

    lead: Lead
    customer_phone: str
    agent_id: str
    is_active: bool | None
    messages: int


def add_conversation(setting: Setting, script: Script, between: Between, end: int) -> tuple[str, int]:
    """Add a conversation that ends at a time, and its messages; return its id and when it started."""
    rng = setting.rng
    conversation_id = random_uuid(rng)
    place = pick(rng, script.starts)
    span = script.span(place, between.messages)
    # Half of the time that there was stays free for the lead's older conversations.
    start = end - min(span, (end - setting.horizon) // 2)
    setting.rows.add(
        "conversations",
        conversation_id,
        between.agent_id,
        between.customer_phone,
        timestamp(start - int(rng.random() * SECOND)),
        _noted_end(setting, end, between.messages),
        between.is_active,
    )
    if not between.messages:
        return conversation_id, start

    opening = script.opening(rng, between.lead.person.first_name if happens(rng, 0.8) else None)
    incoming = incoming_message_ids(rng, between.lead.customer_phone)
    pace = (end - start) / span if span else 0.0
    for done in range(0, between.messages, _STRETCH):
        stretch = min(_STRETCH, between.messages - done)
        times = [start + int(offset * pace) for offset in script.offsets(place, place + done, stretch)]
        places = script.places(place + done, stretch)
        from_user = [script.from_user[at] for at in places]
        endings = [script.endings[at] for at in places]
        if done == 0:
            from_user[:2] = [True, False][:stretch]
            endings[:2] = opening[:stretch]
        late = _let_one_be_late(setting, times)
        lines = [
            f"{incoming() if user else outgoing_message_id(rng, at)}"
            f"\t{conversation_id}\t{timestamp(at)}\t{number}\t{line_end}"
            for user, at, number, line_end in zip(
                from_user, times, script.numbers(place, place + done, stretch), endings, strict=True
            )
        ]
        if late is not None and happens(rng, 0.5):
            # Some come into the table after younger ones.
            lines.append(lines.pop(late))
        setting.rows.messages.extend(lines)
        setting.rows.write_when_enough()
    return conversation_id, start


def _let_one_be_late(setting: Setting, times: list[int]) -> int | None:
    """Now and then, make one message older than the two that arrived before it; return which."""
    if len(times) < 3 or not happens(setting.rng, 0.1):  # noqa: PLR2004  # Two before it, and itself.
        return None
    late = 2 + int(setting.rng.random() * (len(times) - 2))
    times[late - 2], times[late - 1], times[late] = times[late - 1], times[late], times[late - 2]
    return late


def _noted_end(setting: Setting, end: int, messages: int) -> str | None:
    """The platform's own note of a conversation's last message: often right, sometimes not or missing."""
    if happens(setting.rng, 0.1 if messages else 0.5):
        return None
    return timestamp(min(end + pick(setting.rng, _OFF), setting.now - 1))
