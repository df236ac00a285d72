"""The worlds in which two refreshes and a writer meet: rows, changes that wait, and three statements.

A world is said once, in steps on the relations that every schema has. How a schema writes a step is in `steps`.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Key:
    """A row of the platform. Its id falls into a shard of the queue, if that matters."""

    name: str
    shard: int | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """Something that a platform does, and the rows and values that it does it with."""

    what: str
    values: dict[str, object]


@dataclass(frozen=True, slots=True)
class World:
    """What was there when the read model was built, what waits in the queue, and the statements of the writer.

    `shards` are those of A and of B. With `waits_for_shard` B waits for its shard, as a refresh does that somebody
    waits for. All that waits is in the shard `queued_in`, if it is given: so pieces are in that of their mass change.
    """

    name: str
    built: Sequence[Step]
    waits: Sequence[Step]
    writes: Sequence[Step]
    shards: tuple[int, int] = (0, 1)
    waits_for_shard: bool = False
    queued_in: int | None = None

    @property
    def steps(self) -> tuple[Step, ...]:
        return (*self.built, *self.waits, *self.writes)


def _step(what: str, **values: object) -> Step:
    return Step(what, values)


TENANT, SECOND, THIRD = (Key(name) for name in ("one", "two", "three"))
FIRST_MESSAGE, OTHER_MESSAGE = Key("first message"), Key("message of the other")


def _agent(agent: Key, tenant: Key = TENANT) -> Step:
    return _step("agent", id=agent, tenant=tenant)


def _conversation(
    conversation: Key, agent: Key, phone: str, tenant: Key = TENANT, customer: Key | None = None
) -> Step:
    """A conversation with a customer, who is a row of their own in some schemas: a new one, or one that is known."""
    values = {"agent": agent, "tenant": tenant, "phone": phone, "customer": customer or conversation}
    return _step("conversation", id=conversation, **values)


def _message(conversation: Key, text: str, at: str = "2025-01-01 10:00", message: Key | None = None) -> Step:
    values = {"conversation": conversation, "text": text, "at": at}
    return _step("message", id=message or Key(f"{text} in {conversation.name}"), **values)


def _talk(agent: Key, phones: dict[Key, str]) -> tuple[Step, ...]:
    """A tenant with an agent, who talks with these customers."""
    talks = (_conversation(one, agent, phone) for one, phone in phones.items())
    return (_step("tenant", id=TENANT), _agent(agent), *talks)


def _written(conversation: Key) -> Step:
    return _message(conversation, "written", "2025-03-01 10:00")


def _change_phone(conversation: Key, phone: str) -> Step:
    return _step("change phone", id=conversation, customer=conversation, phone=phone)


def _contact(contact: Key, phone: str, name: str, tenant: Key = TENANT) -> Step:
    return _step("contact", id=contact, tenant=tenant, phone=phone, name=name)


def _moved_conversation() -> World:
    agents = Key("agent", 0), Key("second agent"), Key("third agent", 0)
    customers = Key("second customer"), Key("third customer")
    moved, silent = Key("moved", 1), Key("silent", 1)
    both = (moved, silent)
    return World(
        "moved conversation",
        built=(
            *(_step("tenant", id=tenant) for tenant in (TENANT, SECOND, THIRD)),
            *(_agent(*one) for one in zip(agents, (TENANT, SECOND, THIRD), strict=True)),
            *(_contact(one, phone, "Ann") for one, phone in zip(customers, ("4925", "4935"), strict=True)),
            _conversation(moved, agents[0], "4915"),
            _conversation(silent, agents[0], "4916"),
            _message(moved, "first"),
        ),
        waits=(_step("move conversations", ids=both, agent=agents[1], tenant=SECOND, customer=customers[0]),),
        queued_in=0,
        writes=(
            _step("move conversations", ids=both, agent=agents[2], tenant=THIRD, customer=customers[1]),
            _written(moved),
            _change_phone(moved, "4917"),
        ),
    )


def _same_lead() -> World:
    agent, one, other = Key("agent"), Key("one", 0), Key("other", 1)
    return World(
        "same lead",
        built=(
            *_talk(agent, {one: "4915", other: "+49 15"}),
            _message(one, "first", message=FIRST_MESSAGE),
            _message(other, "second", message=OTHER_MESSAGE),
        ),
        waits=(_message(one, "waits", "2025-02-01"), _message(other, "waits too", "2025-02-02")),
        writes=(
            _written(one),
            _step("edit message", id=OTHER_MESSAGE, text="edited", at="2025-04-01"),
            _step("delete message", id=FIRST_MESSAGE),
        ),
    )


def _one_shard() -> World:
    agent, one, other = Key("agent"), Key("one", 0), Key("other", 0)
    return World(
        "one shard",
        built=(
            *_talk(agent, {one: "4915", other: "4916"}),
            _message(one, "first", message=FIRST_MESSAGE),
        ),
        waits=(_message(one, "waits", "2025-02-01"),),
        writes=(
            _written(other),
            _step("move message", id=FIRST_MESSAGE, conversation=other),
            _change_phone(other, "4917"),
        ),
        shards=(0, 0),
        waits_for_shard=True,
    )


def _scores() -> World:
    agent, one, other = Key("agent"), Key("one", 0), Key("other", 1)
    contact, first, second = Key("contact", 1), Key("extraction"), Key("second extraction")
    return World(
        "scores",
        built=(
            *_talk(agent, {one: "4915", other: "+4915"}),
            _message(one, "first"),
            _step("extraction", id=first, conversation=one, status="Hot", name="Ann", at="2025-01-01"),
            _contact(contact, "4915", "Ann"),
        ),
        waits=(
            _step("change extraction", conversation=one, status="Warm", name=None),
            _step("rename contact", id=contact, name="Anna"),
        ),
        writes=(
            _step("change extraction", conversation=one, status="Cold", name=None),
            _step("change email", id=contact, email="ann@example.com"),
            _step("extraction", id=second, conversation=other, status="Hot", name="Ann", at="2025-03-01"),
        ),
    )


def _moved_message() -> World:
    agent, other_agent, customer = Key("agent", 2), Key("other agent", 2), Key("customer", 2)
    origin, target = Key("origin", 0), Key("target", 1)
    return World(
        "moved message",
        built=(
            _step("tenant", id=TENANT),
            _step("tenant", id=SECOND),
            _agent(agent),
            _agent(other_agent, SECOND),
            _contact(customer, "3", "Ann"),
            _conversation(origin, agent, "1"),
            _conversation(target, agent, "2"),
            _message(origin, "moving", message=FIRST_MESSAGE),
            _message(target, "staying"),
        ),
        waits=(_step("move message", id=FIRST_MESSAGE, conversation=target),),
        writes=(
            _step("move conversations", ids=(target,), agent=other_agent, tenant=SECOND, customer=customer),
            _step("move message", id=FIRST_MESSAGE, conversation=origin),
            _written(target),
        ),
    )


def _new_conversation() -> World:
    agent, customer, conversation = Key("agent", 0), Key("customer", 0), Key("conversation", 1)
    return World(
        "new conversation",
        built=(
            _step("tenant", id=TENANT),
            _step("tenant", id=SECOND),
            _agent(agent),
            _contact(customer, "4915", "Ann"),
        ),
        waits=(
            _conversation(conversation, agent, "4915", customer=customer),
            _message(conversation, "first"),
        ),
        writes=(
            _step("move parent", agent=agent, tenant=SECOND, customer=customer, phone="4916"),
            _written(conversation),
            _step("close conversation", id=conversation),
        ),
        shards=(1, 0),
    )


def _contact_first() -> World:
    agent, contact, other = Key("agent"), Key("contact", 0), Key("other contact", 1)
    conversation = Key("conversation", 1)
    return World(
        "contact first",
        built=(_step("tenant", id=TENANT), _agent(agent), _contact(other, "+4915", "Anna")),
        # Nothing else will tell of the name that the lead gets with its conversation.
        waits=(_contact(contact, "4915", "Ann"),),
        writes=(
            _conversation(conversation, agent, "49 15"),
            _written(conversation),
            _step("change phone of contact", id=other, phone="4916"),
        ),
    )


def _deleted_parent() -> World:
    agent, other_agent, customer = Key("agent", 0), Key("other agent", 2), Key("customer", 0)
    one, other, silent = Key("one", 0), Key("other", 1), Key("silent", 1)
    return World(
        "deleted parent",
        built=(
            _step("tenant", id=TENANT),
            _agent(agent),
            _agent(other_agent),
            _conversation(one, agent, "4915", customer=customer),
            _conversation(other, agent, "4916", customer=customer),
            # Without a message, only its own change tells that it is gone.
            _conversation(silent, agent, "4917", customer=customer),
            _message(one, "first"),
        ),
        waits=(_message(one, "waits", "2025-02-01"), _message(other, "waits too", "2025-02-02")),
        writes=(
            _written(other),
            _step("delete parent", agent=agent, customer=customer),
            _conversation(Key("conversation", 1), other_agent, "4915"),
        ),
    )


def _changed_platform() -> World:
    agent, one, other = Key("agent", 1), Key("one", 0), Key("other", 1)
    return World(
        "changed platform",
        built=_talk(agent, {one: "4915", other: "4916"}),
        waits=(_message(one, "waits"), _message(other, "waits too")),
        writes=(
            _step("change platform", agent=agent),
            _written(one),
            _step("rename agent", id=agent, name="Eve"),
        ),
    )


def _moved_send() -> World:
    templates = [Key(f"{name} template") for name in ("first", "second", "third")]
    send, agent = Key("send", 1), Key("agent", 2)
    tenants = (TENANT, SECOND, THIRD)
    return World(
        "moved send",
        built=(
            *(_step("tenant", id=tenant) for tenant in tenants),
            *(_step("template", id=one, tenant=of) for one, of in zip(templates, tenants, strict=True)),
            _step("send", id=send, template=templates[0], phone="4915"),
            _agent(agent, THIRD),
        ),
        waits=(_step("move send", id=send, template=templates[1]),),
        queued_in=0,
        writes=(
            _step("move send", id=send, template=templates[2]),
            _conversation(Key("conversation", 1), agent, "+4915", THIRD),
            _step("fail send", id=send),
        ),
    )


WORLDS = (
    _moved_conversation(),
    _same_lead(),
    _one_shard(),
    _scores(),
    _moved_message(),
    _new_conversation(),
    _contact_first(),
    _deleted_parent(),
    _changed_platform(),
    _moved_send(),
)
"""The worlds, in the order in which they are gone through."""
