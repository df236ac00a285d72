"""What every lead is, computed from the source rows alone.

A new printed field is added in this file only: a column of a source row, a field of `Profile` or of `Lead`, its rule
in `_lead`, and a key of `Lead.document`.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from tests.oracle.attributes import REFERENCE, Declaration, merge
from tests.oracle.values import (
    EPOCH,
    LAST_MOMENT,
    bytewise,
    canonical_phone,
    cut,
    cut_or_epoch,
    cut_text,
    printed_time,
    shorten,
    trim,
)

Row = TypeVar("Row")
Key = TypeVar("Key")

PLATFORMS = ("whatsapp", "instagram", "webchat")
STATUSES = {"hot": "Hot", "warm": "Warm", "cold": "Cold"}
SCORES = ("intent_score", "urgency_score", "budget_score", "fit_score", "engagement_score")


# The source rows. A column that may be null is None unless it is given.


class User(NamedTuple):
    user_id: str
    company_name: str | None = None


class Channel(NamedTuple):
    id: str
    platform: str | None = None


class Agent(NamedTuple):
    agent_id: str
    user_id: str
    phone_number_id: str | None = None
    name: str | None = None


class Conversation(NamedTuple):
    conversation_id: str
    agent_id: str
    customer_phone: str | None = None
    created_at: datetime | None = None
    last_message_at: datetime | None = None
    is_active: bool | None = None


class Message(NamedTuple):
    message_id: str
    conversation_id: str
    sender: str | None = None
    text: str | None = None
    timestamp: datetime | None = None
    status: str | None = None
    sequence_no: int | None = None


class Extraction(NamedTuple):
    """A row of extractions, without its copies of tenant and phone, which nobody trusts."""

    extraction_id: str
    conversation_id: str
    extracted_at: datetime | None = None
    is_latest: bool | None = None
    name: str | None = None
    email: str | None = None
    company: str | None = None
    intent_score: int | None = None
    urgency_score: int | None = None
    budget_score: int | None = None
    fit_score: int | None = None
    engagement_score: int | None = None
    total_score: int | None = None
    lead_status_tag: str | None = None
    requirements: str | None = None
    custom_cta: str | None = None
    in_detail_summary: str | None = None
    smart_notification: str | None = None
    demo_book_datetime: datetime | None = None


class Contact(NamedTuple):
    contact_id: str
    user_id: str
    phone: str | None = None
    name: str | None = None
    email: str | None = None
    company: str | None = None
    updated_at: datetime | None = None
    tags: tuple[str | None, ...] | None = None
    opted_out: bool | None = None
    source: str | None = None


class Template(NamedTuple):
    template_id: str
    user_id: str
    phone_number_id: str | None = None


class TemplateSend(NamedTuple):
    send_id: str
    template_id: str
    customer_phone: str | None = None
    status: str | None = None
    sent_at: datetime | None = None
    created_at: datetime | None = None


class Source(NamedTuple):
    users: tuple[User, ...] = ()
    phone_numbers: tuple[Channel, ...] = ()
    agents: tuple[Agent, ...] = ()
    conversations: tuple[Conversation, ...] = ()
    messages: tuple[Message, ...] = ()
    extractions: tuple[Extraction, ...] = ()
    contacts: tuple[Contact, ...] = ()
    templates: tuple[Template, ...] = ()
    template_sends: tuple[TemplateSend, ...] = ()


# The leads.


def _printed(row: object, keys: Iterable[str]) -> dict[str, object]:
    values = ((key, getattr(row, key)) for key in keys)
    return {
        key: printed_time(value)
        if isinstance(value, datetime)
        else list(value)
        if isinstance(value, tuple)
        else value
        for key, value in values
    }


class LeadMessage(NamedTuple):
    """One message as the messages endpoint shows it."""

    message_id: str
    conversation_id: str
    agent_id: str
    agent_name: str | None
    platform: str | None
    phone_number_id: str | None
    sender: str | None
    text: str | None
    timestamp: datetime
    status: str
    sequence_no: int | None

    def document(self) -> dict[str, object]:
        return _printed(self, self._fields)


class LeadConversation(NamedTuple):
    """One conversation as conversations[] shows it."""

    conversation_id: str
    agent_id: str
    agent_name: str | None
    platform: str | None
    phone_number_id: str | None
    message_count: int
    is_active: bool
    created_at: datetime
    last_message_at: datetime | None
    # Not printed: the platform's own note; attributes, which are printed on request; the reply window.
    source_last_message_at: datetime | None
    attributes: Mapping[str, Any] | None
    attributes_left_out: int
    reply_window: timedelta | None

    def document(self) -> dict[str, object]:
        return _printed(self, self._fields[: self._fields.index("source_last_message_at")])

    def with_attributes(self) -> dict[str, object]:
        return self.document() | ({"attributes": self.attributes} if self.attributes else {})


class StatusChange(NamedTuple):
    """A moment at which the status of a lead changed, and the extraction that changed it."""

    changed_at: datetime
    from_status: str | None
    lead_status: str | None
    total_score: int | None
    extraction_id: str
    conversation_id: str

    def document(self) -> dict[str, object]:
        return _printed(self, self._fields)


class LeadSend(NamedTuple):
    """One counted template send, which no endpoint shows."""

    sent_at: datetime
    platform: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What extractions, contacts and template sends say of a lead: each field is a column of lead_profiles."""

    user_id: str
    customer_phone: str
    name: str | None
    email: str | None
    company: str | None
    lead_status: str | None
    total_score: int | None
    intent_score: int | None
    urgency_score: int | None
    budget_score: int | None
    fit_score: int | None
    engagement_score: int | None
    has_extraction: bool
    extraction_id: str | None
    template_sends_count: int
    attributes: Mapping[str, Any] | None
    attributes_left_out: int
    status_since: datetime | None
    first_warm_at: datetime | None
    first_hot_at: datetime | None
    was_cold: bool

    def columns(self) -> dict[str, object]:
        return {column.name: getattr(self, column.name) for column in fields(Profile)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead(Profile):
    """One lead, with all its messages in their order."""

    platforms: tuple[str, ...]
    conversation_count: int
    total_messages: int
    last_message_at: datetime | None
    last_message_text: str | None
    last_message_sender: str | None
    first_contact_at: datetime
    conversations: tuple[LeadConversation, ...]
    messages: tuple[LeadMessage, ...]
    sends: tuple[LeadSend, ...]
    waiting_since: datetime | None
    reply_window_ends_at: datetime | None
    last_customer_message_at: datetime | None
    status_changes: tuple[StatusChange, ...]

    def document(self) -> dict[str, object]:
        keys = [
            "customer_phone", "name", "email", "company", "lead_status", "total_score", *SCORES, "platforms",
            "conversation_count", "total_messages", "template_sends_count", "last_message_at", "last_message_text",
            "last_message_sender", "first_contact_at", "has_extraction", "extraction_id",
        ]  # fmt: skip
        return {**_printed(self, keys), "conversations": [row.document() for row in self.conversations]}

    def with_attributes(self) -> dict[str, object]:
        conversations = [row.with_attributes() for row in self.conversations]
        return self.document() | {"conversations": conversations, "attributes": self.attributes or {}}

    def moments(self) -> dict[str, object]:
        """Return what `include=waiting` prints, and then `include=status_since`."""
        names = ("waiting_since", "reply_window_ends_at", "last_customer_message_at", "status_since")
        return _printed(self, names)


@dataclass(frozen=True)
class Model:
    """Every lead of every tenant, by user_id and canonical phone."""

    leads: Mapping[str, Mapping[str, Lead]]
    lower: Callable[[str], str] = str.lower
    keys: Mapping[tuple[str, str], tuple[str, str]] = field(default_factory=dict)
    """The lead of each conversation, contact and template send."""
    names: Mapping[str, str] = field(default_factory=dict)
    """The name of each tenant that has one."""
    declaration: Declaration = REFERENCE

    def of_tenant(self, user_id: str) -> Mapping[str, Lead]:
        return self.leads.get(user_id, {})

    def all_leads(self) -> list[Lead]:
        return [
            lead
            for _, leads in sorted(self.leads.items(), key=lambda item: bytewise(item[0]))
            for _, lead in sorted(leads.items(), key=lambda item: bytewise(item[0]))
        ]


def _grouped(rows: Iterable[Row], key: Callable[[Row], Key]) -> dict[Key, list[Row]]:
    groups: dict[Key, list[Row]] = defaultdict(list)
    for row in rows:
        groups[key(row)].append(row)
    return groups


class _Rows:
    def __init__(self, source: Source, declaration: Declaration) -> None:
        self.declaration = declaration
        self.channels = {row.id: row for row in source.phone_numbers}
        self.agents = {row.agent_id: row for row in source.agents}
        self.templates = {row.template_id: row for row in source.templates}
        self.messages = _grouped(source.messages, lambda row: row.conversation_id)
        self.extractions = _grouped(source.extractions, lambda row: row.conversation_id)
        self.contacts = _grouped(source.contacts, lambda row: (row.user_id, canonical_phone(row.phone)))

    def platform_of_channel(self, phone_number_id: str | None) -> str | None:
        if phone_number_id is None or phone_number_id not in self.channels:
            return None
        return self.channels[phone_number_id].platform


def compute_leads(
    source: Source, lower: Callable[[str], str] = str.lower, declaration: Declaration = REFERENCE
) -> Model:
    rows = _Rows(source, declaration)
    # By tenant and phone, with everything that makes a lead exist.
    talks: dict[tuple[str, str], list[Conversation]] = defaultdict(list)
    sends: dict[tuple[str, str], list[LeadSend]] = defaultdict(list)
    for conversation in source.conversations:
        agent = rows.agents.get(conversation.agent_id)
        phone = canonical_phone(conversation.customer_phone)
        if agent is not None and phone is not None:
            talks[agent.user_id, phone].append(conversation)
    for send in source.template_sends:
        template = rows.templates.get(send.template_id)
        phone = canonical_phone(send.customer_phone)
        if template is not None and phone is not None and send.status not in {"PENDING", "FAILED"}:
            sent_at = cut_or_epoch(send.created_at if send.sent_at is None else send.sent_at)
            platform = rows.platform_of_channel(template.phone_number_id)
            sends[template.user_id, phone].append(LeadSend(sent_at=sent_at, platform=platform))
    leads: dict[str, dict[str, Lead]] = defaultdict(dict)
    for user_id, phone in {**talks, **sends}:
        leads[user_id][phone] = _lead(rows, user_id, phone, talks[user_id, phone], sends[user_id, phone])
    names = {row.user_id: shorten(name) for row in source.users if (name := trim(row.company_name or ""))}
    return Model(dict(leads), lower, _keys(rows, source), names, declaration)


def _keys(rows: _Rows, source: Source) -> dict[tuple[str, str], tuple[str, str]]:
    owners = [
        *(
            ("conversation", row.conversation_id, rows.agents.get(row.agent_id), row.customer_phone)
            for row in source.conversations
        ),
        *(("contact", row.contact_id, row, row.phone) for row in source.contacts),
        *(
            ("template_send", row.send_id, rows.templates.get(row.template_id), row.customer_phone)
            for row in source.template_sends
        ),
    ]
    return {
        (kind, key): (owner.user_id, phone)
        for kind, key, owner, spelled in owners
        if owner is not None and (phone := canonical_phone(spelled)) is not None
    }


def _lead(rows: _Rows, user_id: str, phone: str, talks: list[Conversation], sends: list[LeadSend]) -> Lead:
    conversations = _in_order([_conversation(rows, row) for row in talks])
    messages = _messages(rows, conversations)
    sent = [send.sent_at for send in sends]
    extraction = _winning_extraction(rows, talks)
    contact = _winning_contact(rows.contacts.get((user_id, phone), ()))
    names: Any = {name: _first_not_blank(name, extraction, contact) for name in ("name", "email", "company")}
    winners = [rows.declaration.given(row) for row in (extraction, contact) if row is not None]
    attributes, left_out = merge(winners, rows.declaration.types_of("lead"))
    seen = {platform_word(row.platform) for row in conversations}
    seen |= {platform_word(row.platform) for row in sends}
    changes = _status_changes(rows, talks)
    became = {
        status: [row.changed_at for row in changes if row.lead_status == status]
        for status in STATUSES.values()
    }
    last_of_each = [row.last_message_at for row in conversations if row.last_message_at is not None]
    return Lead(
        user_id=user_id,
        customer_phone=phone,
        **names,
        lead_status=_lead_status(extraction),
        total_score=_total_score(extraction),
        **{name: getattr(extraction, name, None) for name in SCORES},
        platforms=tuple(sorted(filter(None, seen), key=lambda word: (place_of_platform(word), word))),
        conversation_count=len(conversations),
        total_messages=len(messages),
        template_sends_count=len(sent),
        attributes=attributes,
        attributes_left_out=left_out,
        status_since=changes[-1].changed_at if changes else None,
        first_warm_at=min(became["Warm"], default=None),
        first_hot_at=min(became["Hot"], default=None),
        was_cold=bool(became["Cold"]),
        status_changes=changes,
        last_message_at=max(last_of_each if conversations else sent, default=None),
        last_message_text=messages[-1].text if messages else None,
        last_message_sender=messages[-1].sender if messages else None,
        first_contact_at=min(
            [row.created_at for row in conversations] + [row.timestamp for row in messages] + sent
        ),
        has_extraction=extraction is not None,
        extraction_id=extraction.extraction_id if extraction else None,
        conversations=conversations,
        messages=messages,
        sends=tuple(sends),
        waiting_since=_waiting_since(messages),
        reply_window_ends_at=_reply_window_ends_at(conversations, messages),
        last_customer_message_at=max(_times_of(messages, "user"), default=None),
    )


def _times_of(messages: Iterable[LeadMessage], sender: str) -> list[datetime]:
    return [message.timestamp for message in messages if message.sender == sender]


def _waiting_since(messages: Sequence[LeadMessage]) -> datetime | None:
    """Return the time of the first of the customer's messages that nobody answered, if the last message is one."""
    if not messages or messages[-1].sender != "user":
        return None
    answers = [place for place, message in enumerate(messages) if message.sender == "agent"]
    return _times_of(messages[answers[-1] + 1 if answers else 0 :], "user")[0]


def _reply_window_ends_at(
    conversations: Iterable[LeadConversation], messages: Iterable[LeadMessage]
) -> datetime | None:
    windows = {row.conversation_id: row.reply_window for row in conversations}
    ends = [
        # The last moment that can be printed bounds it.
        message.timestamp + min(window, cut(LAST_MOMENT) - message.timestamp)
        for message in messages
        if message.sender == "user" and (window := windows[message.conversation_id]) is not None
    ]
    return max(ends, default=None)


def _conversation(rows: _Rows, row: Conversation) -> LeadConversation:
    agent = rows.agents[row.agent_id]
    times = [cut_or_epoch(message.timestamp) for message in rows.messages.get(row.conversation_id, ())]
    noted = None if row.last_message_at is None else cut(row.last_message_at)
    platform = rows.platform_of_channel(agent.phone_number_id)
    attributes, left_out = merge([rows.declaration.given(row)], rows.declaration.types_of("conversation"))
    return LeadConversation(
        conversation_id=row.conversation_id,
        agent_id=row.agent_id,
        agent_name=cut_text(agent.name),
        platform=cut_text(platform),
        phone_number_id=agent.phone_number_id,
        message_count=len(times),
        is_active=row.is_active is True,
        created_at=cut_or_epoch(row.created_at),
        last_message_at=max(times, default=noted),
        source_last_message_at=noted,
        attributes=attributes,
        attributes_left_out=left_out,
        reply_window=rows.declaration.reply_windows.get((platform or "").strip(" ").lower()),
    )


def _in_order(conversations: list[LeadConversation]) -> tuple[LeadConversation, ...]:
    """Sort conversations: the newest first, those without a time last, equal ones by their ids."""
    by_id = sorted(conversations, key=lambda row: bytewise(row.conversation_id))
    # Sorting is stable in reverse too, so that equal times keep the order of their ids.
    by_id.sort(key=lambda row: (row.last_message_at is not None, row.last_message_at or EPOCH), reverse=True)
    return tuple(by_id)


def _messages(rows: _Rows, conversations: Iterable[LeadConversation]) -> tuple[LeadMessage, ...]:
    messages = [
        LeadMessage(
            message_id=row.message_id,
            conversation_id=conversation.conversation_id,
            agent_id=conversation.agent_id,
            agent_name=conversation.agent_name,
            platform=conversation.platform,
            phone_number_id=conversation.phone_number_id,
            sender=cut_text(row.sender),
            text=cut_text(row.text),
            timestamp=cut_or_epoch(row.timestamp),
            status=row.status if row.status in {"pending", "failed"} else "sent",
            sequence_no=row.sequence_no,
        )
        for conversation in conversations
        for row in rows.messages.get(conversation.conversation_id, ())
    ]
    return tuple(sorted(messages, key=place_of_message))


def place_of_message(message: LeadMessage) -> tuple[datetime, bytes, bool, int, bytes]:
    return (
        message.timestamp,
        bytewise(message.conversation_id),
        message.sequence_no is None,
        message.sequence_no or 0,
        bytewise(message.message_id),
    )


def _extractions(rows: _Rows, conversations: Sequence[Conversation]) -> list[Extraction]:
    return [
        extraction
        for conversation in conversations
        for extraction in rows.extractions.get(conversation.conversation_id, ())
    ]


def _status_changes(rows: _Rows, conversations: Sequence[Conversation]) -> tuple[StatusChange, ...]:
    """Compute at the time of each extraction that is not newer than the winner which status the lead had then."""
    winner = _winning_extraction(rows, conversations)
    if winner is None:
        return ()

    def age(extraction: Extraction) -> tuple[bool, datetime, bool, bytes]:
        stored, is_latest = extraction.extracted_at, extraction.is_latest is True
        return stored is not None, stored or EPOCH, is_latest, bytewise(extraction.extraction_id)

    counted = [row for row in _extractions(rows, conversations) if age(row) <= age(winner)]
    changes: list[StatusChange] = []
    status: str | None = None
    for moment in sorted({cut_or_epoch(row.extracted_at) for row in counted}):
        newest = max((row for row in counted if cut_or_epoch(row.extracted_at) <= moment), key=age)
        if _lead_status(newest) != status:
            before, status = status, _lead_status(newest)
            ids = (newest.extraction_id, newest.conversation_id)
            changes.append(StatusChange(moment, before, status, _total_score(newest), *ids))
    return tuple(changes)


def _winning_extraction(rows: _Rows, conversations: Sequence[Conversation]) -> Extraction | None:
    candidates = _extractions(rows, conversations)

    def rank(extraction: Extraction) -> tuple[bool, bool, datetime, bytes]:
        return (
            extraction.is_latest is True,
            extraction.extracted_at is not None,
            extraction.extracted_at or EPOCH,
            bytewise(extraction.extraction_id),
        )

    return max(candidates, key=rank, default=None)


def _winning_contact(candidates: Iterable[Contact]) -> Contact | None:
    def rank(contact: Contact) -> tuple[bool, datetime, bytes]:
        return (contact.updated_at is not None, contact.updated_at or EPOCH, bytewise(contact.contact_id))

    return max(candidates, key=rank, default=None)


def _first_not_blank(column: str, extraction: Extraction | None, contact: Contact | None) -> str | None:
    for row in (extraction, contact):
        text: str | None = None if row is None else getattr(row, column)
        if text is not None and trim(text):
            return shorten(trim(text))
    return None


def platform_word(platform: str | None) -> str | None:
    """Return the name of a platform as it is listed; None if it is not one word of at most 20 ASCII characters."""
    word = trim(platform or "")
    return word.lower() if re.fullmatch("[A-Za-z0-9_]{1,20}", word) else None


def place_of_platform(word: str) -> int:
    return PLATFORMS.index(word) if word in PLATFORMS else len(PLATFORMS)


def _lead_status(extraction: Extraction | None) -> str | None:
    if extraction is None or extraction.lead_status_tag is None:
        return None
    return STATUSES.get(trim(extraction.lead_status_tag).lower())


def _total_score(extraction: Extraction | None) -> int | None:
    if extraction is None:
        return None
    if extraction.total_score is not None:
        return extraction.total_score
    scores = [getattr(extraction, name) for name in SCORES]
    return None if None in scores else sum(scores)
