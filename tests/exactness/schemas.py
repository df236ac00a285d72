"""Five schemas of platforms: the reference tables, and four that a mapping reads, with what their rows say.

Tables of Chatwoot, libredesk, chaskiq and RapidPro are written anew, with the same names and types.
"""

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import psycopg
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from projector.capture.texts import Texts, read_mapping
from projector.database.rows import Connection
from projector.database.schema import sections
from tests import oracle
from tests.exactness.platform import differences
from tests.oracle.attributes import Declaration, Given
from tests.oracle.leads import Agent, Channel, Contact, Conversation, Extraction, Message, Source, User
from tests.support import edge_cases
from tests.support.mutations import mutate

FOLDER = Path(__file__).parent / "mappings"
Maker = Callable[[Random], object]


def ids(last: int, *, nulls: bool = False) -> Maker:
    return lambda rng: rng.choice([*range(1, last + 1), *([None] if nulls else [])])


def one_of(*values: object) -> Maker:
    return lambda rng: rng.choice(values)


def moment(rng: Random) -> object:
    return datetime(2025, 1, rng.randrange(1, 5), rng.randrange(3), tzinfo=UTC)


# Keys of JSON with values that are hard to get right: some names are declared with another type.
HARD: Mapping[str, tuple[object, ...]] = {
    "city": ("Pune", " Pune ", "", None, "ü" * 1100),
    "budget": (0, 10, 10.5, 1e20, "10"),
    "tags": (["vip"], ["a", None, " b ", 1, True], [], [[1]], "vip"),
    "labels": ("vip", ["json"]),
    "blocked": (True, "true", 1),
    "ticket": (7, "7"),
    "last_active": ("2025-01-01T00:00:00.000Z", "2025-01-01", 1),
    "subject": ("json", 1),
    "nested": ({"a": 1}, [{"a": 1}]),
    "Not A Name": (1,),
    "mark": ("\uffff", "\x01"),
}


def attributes(key: str, *values: object) -> Maker:
    def make(rng: Random) -> object:
        if rng.random() < 0.3:
            return Jsonb({})
        chosen = {name: rng.choice(HARD[name]) for name in rng.sample([*HARD], rng.randrange(4))}
        if rng.random() < 0.02:
            chosen |= {f"k{at}": at for at in range(70)}
        if rng.random() < 0.02:
            chosen |= {f"long_{at}": "x" * 2000 for at in range(6)}
        return Jsonb({key: rng.choice(values), "other": rng.random(), **chosen})

    return make


NAMES = one_of("Ann", "Bob", "Zoë", "")
SELDOM: Maker = lambda rng: rng.random() < 0.3  # noqa: E731  # As the others are.
NOTES, MOSTLY = (True, False, None, None), (True, True, True, False)
TEXTS = one_of("hello", "How much?", "", None, "see you")


@dataclass(frozen=True, slots=True)
class Schema:
    """A platform: its tables, how the read model departs from their rows, and what makes values of their columns."""

    name: str
    tables: str = field(repr=False)
    differences: Callable[[Connection], list[str]]
    makers: Mapping[str, Mapping[str, Maker]] = field(default_factory=dict, repr=False)

    @property
    def mapping(self) -> Texts:
        return read_mapping("default" if self is REFERENCE else str(FOLDER / self.name))


CHATWOOT_TABLES = """
CREATE TABLE accounts (id serial PRIMARY KEY, name varchar NOT NULL, created_at timestamp, status integer DEFAULT 0);
CREATE TABLE users (id serial PRIMARY KEY, name varchar NOT NULL, display_name varchar, email varchar);
CREATE TABLE inboxes (
    id serial PRIMARY KEY, channel_id integer, account_id integer, name varchar, channel_type varchar
);
CREATE TABLE contacts (
    id serial PRIMARY KEY, name varchar DEFAULT '', email varchar, phone_number varchar, account_id integer NOT NULL,
    created_at timestamp, updated_at timestamp, additional_attributes jsonb DEFAULT '{}', identifier varchar,
    custom_attributes jsonb DEFAULT '{}', last_name varchar DEFAULT '', blocked boolean NOT NULL DEFAULT false
);
CREATE TABLE conversations (
    id serial PRIMARY KEY, account_id integer NOT NULL, inbox_id integer NOT NULL, status integer NOT NULL DEFAULT 0,
    assignee_id integer, created_at timestamp, updated_at timestamp, contact_id bigint, display_id integer,
    additional_attributes jsonb DEFAULT '{}', uuid uuid DEFAULT gen_random_uuid(), last_activity_at timestamp,
    custom_attributes jsonb DEFAULT '{}', cached_label_list text
);
CREATE INDEX ON conversations (contact_id);
CREATE INDEX ON conversations (inbox_id);
CREATE INDEX ON conversations (assignee_id, account_id);
CREATE TABLE messages (
    id serial PRIMARY KEY, content text, account_id integer, inbox_id integer, conversation_id integer NOT NULL,
    message_type integer NOT NULL, created_at timestamp, updated_at timestamp, private boolean NOT NULL DEFAULT false,
    status integer DEFAULT 0, source_id varchar, sender_type varchar, sender_id bigint
);
CREATE INDEX ON messages (conversation_id);
"""

CHATWOOT_MAKERS: dict[str, dict[str, Maker]] = {
    "accounts": {"id": ids(3), "name": NAMES},
    "users": {"id": ids(3), "name": NAMES, "email": TEXTS},
    "inboxes": {
        "id": ids(4),
        "name": NAMES,
        "channel_type": one_of(
            "Channel::Whatsapp", "Channel::Instagram", "Channel::WebWidget", "Channel::Api", None
        ),
    },
    "contacts": {
        "id": ids(6),
        "account_id": ids(2),
        "name": NAMES,
        "last_name": one_of("Lee", "", None),
        "email": one_of("a@x.org", "b@x.org", None),
        "phone_number": one_of("+4915", "+49 15", "+4916", "", None),
        "identifier": one_of("4915", "@ann", None, None),
        "additional_attributes": attributes("company_name", "Acme", "", None),
        "custom_attributes": attributes("plan", "gold", "Gold", 1, None),
        "blocked": SELDOM,
        "updated_at": moment,
    },
    "conversations": {
        "id": ids(8),
        "account_id": ids(2),
        "inbox_id": ids(5),
        "status": ids(3),
        "assignee_id": ids(4, nulls=True),
        "contact_id": ids(7, nulls=True),
        "created_at": moment,
        "updated_at": moment,
        "last_activity_at": moment,
        "custom_attributes": attributes("lead_status", "hot", "Cold", "who knows", None),
        "additional_attributes": attributes("referer", "https://a", None),
        "display_id": one_of(None, 0, 7, -1),
        "cached_label_list": one_of("vip", "vip, new,,", " ", "", None, "é" * 1100 + ",x"),
    },
    "messages": {
        "id": ids(30),
        "conversation_id": ids(9),
        "content": TEXTS,
        "message_type": one_of(0, 1, 2, 3),
        "private": SELDOM,
        "status": one_of(0, 1, 3, None),
        "created_at": moment,
        "updated_at": moment,
    },
}

LIBREDESK_TABLES = """
CREATE TYPE channels AS ENUM ('email', 'livechat');
CREATE TYPE message_type AS ENUM ('incoming', 'outgoing', 'activity');
CREATE TYPE message_sender_type AS ENUM ('agent', 'contact');
CREATE TYPE message_status AS ENUM ('received', 'sent', 'failed', 'pending');
CREATE TYPE user_type AS ENUM ('agent', 'contact', 'visitor', 'ai_assistant');
CREATE TYPE conversation_status_category AS ENUM ('open', 'waiting', 'resolved');
CREATE TABLE inboxes (id serial PRIMARY KEY, name text, channel channels NOT NULL, enabled bool DEFAULT true);
CREATE TABLE users (
    id bigserial PRIMARY KEY, updated_at timestamptz DEFAULT now(), type user_type NOT NULL, deleted_at timestamptz,
    email text, first_name text NOT NULL, last_name text, phone_number_country_code text, phone_number text,
    custom_attributes jsonb NOT NULL DEFAULT '{}', last_active_at timestamptz
);
CREATE TABLE conversation_statuses (
    id serial PRIMARY KEY, name text, category conversation_status_category NOT NULL DEFAULT 'open'
);
CREATE TABLE conversations (
    id bigserial PRIMARY KEY, created_at timestamptz DEFAULT now(), uuid uuid DEFAULT gen_random_uuid(),
    contact_id bigint NOT NULL, assigned_user_id bigint, inbox_id int NOT NULL, status_id int NOT NULL,
    meta jsonb NOT NULL DEFAULT '{}', subject text, last_message_at timestamptz, last_message text
);
CREATE INDEX ON conversations (assigned_user_id);
CREATE INDEX ON conversations (contact_id);
CREATE INDEX ON conversations (inbox_id);
CREATE INDEX ON conversations (status_id);
CREATE TABLE conversation_messages (
    id bigserial PRIMARY KEY, created_at timestamptz DEFAULT now(), type message_type NOT NULL,
    status message_status NOT NULL, private bool NOT NULL DEFAULT false, conversation_id bigint NOT NULL, content text,
    text_content text, sender_type message_sender_type NOT NULL, meta jsonb DEFAULT '{}'
);
CREATE INDEX ON conversation_messages (conversation_id);
"""

LIBREDESK_MAKERS: dict[str, dict[str, Maker]] = {
    "inboxes": {"id": ids(3), "name": NAMES, "channel": one_of("email", "livechat")},
    "users": {
        "id": ids(7),
        "type": one_of("agent", "contact", "contact", "visitor"),
        "first_name": NAMES,
        "last_name": one_of("Lee", None),
        "email": one_of("a@x.org", "b@x.org", None),
        "phone_number_country_code": one_of("+49", None),
        "phone_number": one_of("15", "1 5", "16", None),
        "custom_attributes": attributes("company", "Acme", "", None),
        "updated_at": moment,
        "deleted_at": one_of(None, None, datetime(2025, 1, 1, tzinfo=UTC)),
        "last_active_at": moment,
    },
    "conversation_statuses": {"id": ids(3), "name": NAMES, "category": one_of("open", "waiting", "resolved")},
    "conversations": {
        "id": ids(8),
        "contact_id": ids(8),
        "assigned_user_id": ids(8, nulls=True),
        "inbox_id": ids(4),
        "status_id": ids(4),
        "created_at": moment,
        "last_message_at": moment,
        "subject": TEXTS,
        "meta": attributes("source", "ad", "", None),
    },
    "conversation_messages": {
        "id": ids(30),
        "conversation_id": ids(9),
        "type": one_of("incoming", "outgoing", "activity"),
        "status": one_of("received", "sent", "failed", "pending"),
        "private": SELDOM,
        "content": TEXTS,
        "text_content": TEXTS,
        "sender_type": one_of("agent", "contact"),
        "created_at": moment,
    },
}


CHASKIQ_TABLES = """
CREATE TABLE apps (id bigserial PRIMARY KEY, key varchar, name varchar, state varchar, created_at timestamp);
CREATE TABLE agents (
    id bigserial PRIMARY KEY, email varchar NOT NULL DEFAULT '', properties jsonb NOT NULL DEFAULT '{}', bot boolean
);
CREATE TABLE app_users (
    id bigserial PRIMARY KEY, key varchar, app_id bigint, properties jsonb DEFAULT '{}', email varchar, type varchar,
    state varchar, created_at timestamp, updated_at timestamp
);
CREATE TABLE conversations (
    id bigserial PRIMARY KEY, key varchar, app_id bigint, assignee_id bigint, main_participant_id bigint, state varchar,
    priority boolean, latest_user_visible_comment_at timestamp, created_at timestamp, updated_at timestamp
);
CREATE INDEX ON conversations (assignee_id);
CREATE INDEX ON conversations (main_participant_id);
CREATE TABLE conversation_channels (
    id bigserial PRIMARY KEY, provider varchar, provider_channel_id varchar, conversation_id bigint NOT NULL
);
CREATE INDEX ON conversation_channels (conversation_id);
CREATE TABLE conversation_part_contents (
    id bigserial PRIMARY KEY, conversation_part_id bigint, html_content text, serialized_content text, text_content text
);
CREATE TABLE conversation_parts (
    id bigserial PRIMARY KEY, key varchar, conversation_id bigint, private_note boolean, authorable_type varchar,
    authorable_id bigint, messageable_type varchar, messageable_id bigint, created_at timestamp, updated_at timestamp
);
CREATE INDEX ON conversation_parts (conversation_id);
CREATE INDEX ON conversation_parts (messageable_type, messageable_id);
"""

CHASKIQ_MAKERS: dict[str, dict[str, Maker]] = {
    "apps": {"id": ids(3), "name": NAMES},
    "agents": {
        "id": ids(3),
        "email": one_of("a@x.org", ""),
        "properties": attributes("name", "Ann", "", None),
    },
    "app_users": {
        "id": ids(7),
        "app_id": ids(2),
        "properties": attributes("phone", "+4915", "49 15", "4916", "", None),
        "email": one_of("c@x.org", "d@x.org", None),
        "updated_at": moment,
    },
    "conversations": {
        "id": ids(8),
        "app_id": ids(3, nulls=True),
        "assignee_id": ids(4, nulls=True),
        "main_participant_id": ids(8, nulls=True),
        "state": one_of("opened", "closed", "snoozed", None),
        "latest_user_visible_comment_at": moment,
        "created_at": moment,
    },
    "conversation_channels": {
        "id": ids(6),
        "provider": one_of("Telegram", "Instagram", "twilio", "Whatsapp"),
        "conversation_id": ids(9),
    },
    "conversation_part_contents": {"id": ids(20), "text_content": TEXTS, "html_content": TEXTS},
    "conversation_parts": {
        "id": ids(30),
        "conversation_id": ids(9),
        "private_note": one_of(*NOTES),
        "authorable_type": one_of("AppUser", "Agent"),
        "messageable_type": one_of(
            "ConversationPartContent", "ConversationPartContent", "ConversationPartBlock", None
        ),
        "messageable_id": ids(21, nulls=True),
        "created_at": moment,
    },
}

RAPIDPRO_TABLES = """
CREATE TABLE orgs_org (id serial PRIMARY KEY, name varchar(128) NOT NULL, is_active boolean NOT NULL DEFAULT true);
CREATE TABLE users_user (id serial PRIMARY KEY, email varchar(254) NOT NULL, first_name varchar(150));
CREATE TABLE channels_channel (
    id serial PRIMARY KEY, org_id integer, name varchar(64), channel_type varchar(3) NOT NULL, address varchar(255)
);
CREATE TABLE contacts_contact (
    id serial PRIMARY KEY, org_id integer NOT NULL, name varchar(128), status varchar(1) NOT NULL DEFAULT 'A',
    fields jsonb, language varchar(3), is_active boolean NOT NULL DEFAULT true, created_on timestamptz,
    modified_on timestamptz, last_seen_on timestamptz
);
CREATE TABLE contacts_contacturn (
    id serial PRIMARY KEY, org_id integer, contact_id integer, scheme varchar(128), path varchar(255) NOT NULL,
    priority integer NOT NULL DEFAULT 50, channel_id integer
);
CREATE INDEX ON contacts_contacturn (contact_id);
CREATE INDEX ON contacts_contacturn (channel_id);
CREATE TABLE tickets_ticket (
    id serial PRIMARY KEY, org_id integer, contact_id integer NOT NULL, assignee_id integer,
    status varchar(1) NOT NULL, opened_on timestamptz
);
CREATE INDEX ON tickets_ticket (contact_id);
CREATE INDEX ON tickets_ticket (assignee_id);
CREATE TABLE msgs_msg (
    id bigserial PRIMARY KEY, org_id integer, contact_id integer NOT NULL, channel_id integer, text text NOT NULL,
    created_on timestamptz, direction varchar(1) NOT NULL, status varchar(1) NOT NULL,
    visibility varchar(1) NOT NULL DEFAULT 'V', msg_type varchar(1) NOT NULL DEFAULT 'T'
);
CREATE INDEX ON msgs_msg (contact_id, created_on DESC, id DESC);
"""

STATUS_FIELD = "6a1c8f0e-3d2b-4a51-9c7e-0f5b2d8e4a10"
RAPIDPRO_MAKERS: dict[str, dict[str, Maker]] = {
    "orgs_org": {"id": ids(3), "name": NAMES},
    "users_user": {"id": ids(3), "email": one_of("a@x.org", "b@x.org")},
    "channels_channel": {"id": ids(4), "channel_type": one_of("WAC", "TG", "A", "KN")},
    "contacts_contact": {
        "id": ids(8),
        "org_id": ids(2),
        "name": one_of("Ann", "Bob", "", None),
        "fields": one_of(
            None, Jsonb({}), *(Jsonb({STATUS_FIELD: {"text": word}}) for word in ("hot", "Cold", None))
        ),
        "is_active": one_of(*MOSTLY),
        "created_on": moment,
        "modified_on": moment,
        "last_seen_on": moment,
    },
    "contacts_contacturn": {
        "id": ids(12),
        "contact_id": ids(9, nulls=True),
        "path": one_of("+4915", "4915", "+4916", "ann", "12345678"),
        "priority": one_of(1000, 999, 50),
        "channel_id": ids(5, nulls=True),
    },
    "tickets_ticket": {
        "id": ids(8),
        "contact_id": ids(9),
        "assignee_id": ids(4, nulls=True),
        "status": one_of("O", "O", "C"),
    },
    "msgs_msg": {
        "id": ids(30),
        "contact_id": ids(9),
        "text": one_of("hello", "How much?", ""),
        "direction": one_of("I", "O"),
        "status": one_of("H", "Q", "W", "S", "E", "F"),
        "visibility": one_of("V", "V", "A", "D"),
        "msg_type": one_of("T", "T", "O", "V"),
        "created_on": moment,
    },
}


def rows_of(conn: Connection, table: str) -> dict[int, SimpleNamespace]:
    with conn.cursor(row_factory=class_row(SimpleNamespace)) as cursor:
        return {row.id: row for row in cursor.execute(f"SELECT * FROM {table}".encode(), prepare=False)}


def text(value: object) -> str | None:
    return None if value is None else str(value)


def in_utc(value: datetime | None) -> datetime | None:
    return None if value is None else value.replace(tzinfo=UTC) if value.tzinfo is None else value


def talked(
    row: SimpleNamespace,
    tenant: str,
    agent_id: int | None,
    channel_id: int | None,
    phone: str | None,
    **columns: Any,  # noqa: ANN401  # Those of a conversation.
) -> tuple[Agent, Conversation]:
    """Return a conversation, and an agent of its own, from which the reference tables have its tenant and channel."""
    key = json.dumps([tenant, agent_id, channel_id])
    agent = Agent(agent_id=key, user_id=tenant, phone_number_id=text(channel_id))
    return agent, Conversation(conversation_id=str(row.id), agent_id=key, customer_phone=phone, **columns)


Attributes = Mapping[tuple[type, str], Given]
"""What rows give as attributes, by their class and id."""

CHATWOOT_ATTRIBUTES = Declaration(
    lead={"blocked": "boolean", "ticket": "number"},
    conversation={"labels": "list"},
    given=lambda _: ({}, None),
    reply_windows={"whatsapp": timedelta(hours=24)},
)
LIBREDESK_ATTRIBUTES = Declaration(
    lead={"last_active": "time"},
    conversation={"subject": "text"},
    given=lambda _: ({}, None),
    reply_windows={},
)
NO_ATTRIBUTES = Declaration(lead={}, conversation={}, given=lambda _: ({}, None), reply_windows={})


def read_chatwoot(conn: Connection) -> tuple[Source, Attributes]:
    contacts, inboxes, users = (rows_of(conn, table) for table in ("contacts", "inboxes", "users"))
    phones = {
        key: contact.phone_number or contact.identifier or contact.email for key, contact in contacts.items()
    }
    phones |= {
        key: contact.identifier
        for key, contact in contacts.items()
        if not contact.phone_number and contact.identifier == ""
    }
    conversations = [row for row in rows_of(conn, "conversations").values() if row.contact_id in contacts]
    words = {"Whatsapp": "whatsapp", "Instagram": "instagram", "WebWidget": "webchat"}
    talks = [
        talked(
            row,
            str(row.account_id),
            row.assignee_id,
            row.inbox_id,
            phones[row.contact_id],
            created_at=in_utc(row.created_at),
            last_message_at=in_utc(row.last_activity_at),
            is_active=row.status != 1,
        )
        for row in conversations
    ]
    given: dict[tuple[type, str], Given] = {
        (Contact, str(row.id)): ({"blocked": row.blocked}, row.custom_attributes) for row in contacts.values()
    }
    for row in conversations:
        labels = None if row.cached_label_list is None else row.cached_label_list.split(",")
        given[Conversation, str(row.id)] = ({"labels": labels}, row.custom_attributes)
        given[Extraction, str(row.id)] = ({"ticket": row.display_id}, row.additional_attributes)
    source = Source(
        phone_numbers=tuple(
            Channel(
                id=str(inbox.id),
                platform=words.get((inbox.channel_type or "").partition("::")[2], inbox.channel_type),
            )
            for inbox in inboxes.values()
        ),
        agents=tuple(named(agent, users, "name") for agent, _ in talks),
        conversations=tuple(conversation for _, conversation in talks),
        messages=tuple(
            Message(
                message_id=str(message.id),
                conversation_id=str(message.conversation_id),
                sender="user" if message.message_type == 0 else "agent",
                text=message.content,
                timestamp=in_utc(message.created_at),
                status="failed" if message.status == 3 else "sent",  # As Chatwoot has it.
            )
            for message in rows_of(conn, "messages").values()
            if message.message_type in {0, 1, 3} and not message.private
        ),
        extractions=tuple(
            Extraction(
                extraction_id=str(row.id),
                conversation_id=str(row.id),
                extracted_at=in_utc(row.updated_at),
                lead_status_tag=row.custom_attributes["lead_status"],
            )
            for row in conversations
            if "lead_status" in row.custom_attributes
        ),
        contacts=tuple(
            Contact(
                contact_id=str(contact.id),
                user_id=str(contact.account_id),
                phone=phones[contact.id],
                name=" ".join(part for part in (contact.name, contact.last_name or None) if part is not None),
                email=contact.email,
                company=contact.additional_attributes.get("company_name"),
                updated_at=in_utc(contact.updated_at),
            )
            for contact in contacts.values()
        ),
    )
    return source, given


def named(agent: Agent, users: Mapping[int, SimpleNamespace], *columns: str) -> Agent:
    user = users.get(json.loads(agent.agent_id)[1])
    parts = [getattr(user, column) for column in columns] if user is not None else []
    name = " ".join(part for part in parts if part is not None)
    return agent._replace(name=None if user is None and len(columns) == 1 else name)


def read_libredesk(conn: Connection) -> tuple[Source, Attributes]:
    users, inboxes, statuses = (
        rows_of(conn, table) for table in ("users", "inboxes", "conversation_statuses")
    )
    phones = {
        key: f"{user.phone_number_country_code or ''}{user.phone_number or ''}" or user.email
        for key, user in users.items()
    }
    talks = [
        talked(
            row,
            "libredesk",
            row.assigned_user_id,
            row.inbox_id,
            phones[row.contact_id],
            created_at=row.created_at,
            last_message_at=row.last_message_at,
            is_active=row.status_id in statuses and statuses[row.status_id].category != "resolved",
        )
        for row in rows_of(conn, "conversations").values()
        if row.contact_id in users and row.inbox_id in inboxes
    ]
    given: dict[tuple[type, str], Given] = {
        (Contact, str(row.id)): ({"last_active": in_utc(row.last_active_at)}, row.custom_attributes)
        for row in users.values()
    }
    given |= {
        (Conversation, str(row.id)): ({"subject": row.subject}, row.meta)
        for row in rows_of(conn, "conversations").values()
    }
    source = Source(
        phone_numbers=tuple(
            Channel(id=str(inbox.id), platform="webchat" if inbox.channel == "livechat" else "email")
            for inbox in inboxes.values()
        ),
        agents=tuple(named(agent, users, "first_name", "last_name") for agent, _ in talks),
        conversations=tuple(conversation for _, conversation in talks),
        messages=tuple(
            Message(
                message_id=str(message.id),
                conversation_id=str(message.conversation_id),
                sender="user" if message.sender_type == "contact" else "agent",
                text=message.content if message.text_content is None else message.text_content,
                timestamp=message.created_at,
                status=message.status,
            )
            for message in rows_of(conn, "conversation_messages").values()
            if message.type != "activity" and not message.private
        ),
        contacts=tuple(
            Contact(
                contact_id=str(user.id),
                user_id="libredesk",
                phone=phones[user.id],
                name=" ".join(part for part in (user.first_name, user.last_name) if part is not None),
                email=user.email,
                company=user.custom_attributes.get("company"),
                updated_at=user.updated_at,
            )
            for user in users.values()
            if user.type in {"contact", "visitor"} and user.deleted_at is None
        ),
    )
    return source, given


def read_chaskiq(conn: Connection) -> tuple[Source, Attributes]:
    users, agents, contents = (
        rows_of(conn, table) for table in ("app_users", "agents", "conversation_part_contents")
    )
    channels = {
        channel.conversation_id: channel
        for _, channel in sorted(rows_of(conn, "conversation_channels").items(), reverse=True)
    }
    phones = {key: user.properties.get("phone") or user.email or str(key) for key, user in users.items()}
    phones |= {
        key: "" for key, user in users.items() if not user.properties.get("phone") and user.email == ""
    }
    names = {key: agent.properties.get("name") for key, agent in agents.items()}
    talks = [
        talked(
            row,
            str(row.app_id),
            row.assignee_id,
            channels[row.id].id if row.id in channels else None,
            phones[row.main_participant_id],
            created_at=in_utc(row.created_at),
            last_message_at=in_utc(row.latest_user_visible_comment_at),
            is_active=row.state is not None and row.state != "closed",
        )
        for row in rows_of(conn, "conversations").values()
        if row.main_participant_id in users and row.app_id is not None
    ]
    source = Source(
        users=tuple(User(str(app.id), app.name) for app in rows_of(conn, "apps").values()),
        phone_numbers=tuple(
            Channel(id=str(channel.id), platform=channel.provider and channel.provider.lower())
            for channel in channels.values()
        ),
        agents=tuple(
            agent._replace(name=agents[key].email if names[key] is None else names[key])
            if (key := json.loads(agent.agent_id)[1]) in agents
            else agent
            for agent, _ in talks
        ),
        conversations=tuple(conversation for _, conversation in talks),
        messages=tuple(
            Message(
                message_id=str(part.id),
                conversation_id=str(part.conversation_id),
                sender="user" if part.authorable_type == "AppUser" else "agent",
                text=body.html_content if body.text_content is None else body.text_content,
                timestamp=in_utc(part.created_at),
                status="sent",
            )
            for part in rows_of(conn, "conversation_parts").values()
            if part.messageable_type == "ConversationPartContent" and part.private_note is not True
            if (body := contents.get(part.messageable_id)) is not None
        ),
        contacts=tuple(
            Contact(
                contact_id=str(user.id),
                user_id=str(user.app_id),
                phone=phones[user.id],
                name=user.properties.get("name"),
                email=user.email,
                company=user.properties.get("company_name"),
                updated_at=in_utc(user.updated_at),
            )
            for user in users.values()
        ),
    )
    return source, {}


def read_rapidpro(conn: Connection) -> tuple[Source, Attributes]:
    contacts, channels, users = (
        rows_of(conn, table) for table in ("contacts_contact", "channels_channel", "users_user")
    )
    urns = {
        urn.contact_id: urn
        for urn in sorted(
            rows_of(conn, "contacts_contacturn").values(), key=lambda urn: (urn.priority, -urn.id)
        )
    }
    tickets = {
        ticket.contact_id: ticket
        for _, ticket in sorted(rows_of(conn, "tickets_ticket").items())
        if ticket.status == "O"
    }
    active = {key: contact for key, contact in contacts.items() if contact.is_active}
    phones = {key: urns[key].path if key in urns else str(key) for key in active}
    words = {"WAC": "whatsapp", "TG": "telegram"}
    talks = [
        talked(
            contact,
            str(contact.org_id),
            tickets[key].assignee_id if key in tickets else None,
            urns[key].channel_id if key in urns else None,
            phones[key],
            created_at=contact.created_on,
            last_message_at=contact.last_seen_on,
            is_active=key in tickets,
        )
        for key, contact in active.items()
    ]
    source = Source(
        users=tuple(User(str(org.id), org.name) for org in rows_of(conn, "orgs_org").values()),
        phone_numbers=tuple(
            Channel(id=str(channel.id), platform=words.get(channel.channel_type, "sms"))
            for channel in channels.values()
        ),
        agents=tuple(
            agent._replace(name=users[key].email if key in users else None)
            for agent, _ in talks
            for key in [json.loads(agent.agent_id)[1]]
        ),
        conversations=tuple(conversation for _, conversation in talks),
        messages=tuple(
            Message(
                message_id=str(message.id),
                conversation_id=str(message.contact_id),
                sender="user" if message.direction == "I" else "agent",
                text=message.text,
                timestamp=message.created_on,
                status="failed"
                if message.status in {"E", "F"}
                else "pending"
                if message.direction == "O" and message.status in {"I", "Q"}
                else "sent",
            )
            for message in rows_of(conn, "msgs_msg").values()
            if message.visibility in {"V", "A"} and message.msg_type != "V"
        ),
        extractions=tuple(
            Extraction(
                extraction_id=str(key),
                conversation_id=str(key),
                extracted_at=contact.modified_on,
                lead_status_tag=contact.fields[STATUS_FIELD]["text"],
            )
            for key, contact in contacts.items()
            if STATUS_FIELD in (contact.fields or {})
        ),
        contacts=tuple(
            Contact(
                contact_id=str(key),
                user_id=str(contact.org_id),
                phone=phones[key],
                name=contact.name,
                updated_at=contact.modified_on,
            )
            for key, contact in active.items()
        ),
    )
    return source, {}


def differences_as_mapped(
    read: Callable[[Connection], tuple[Source, Attributes]], declared: Declaration, conn: Connection
) -> list[str]:
    """Tell where the read model and the keys depart from rows that are read as the oracle has them."""
    source, given = read(conn)
    declaration = replace(declared, given=lambda row: given.get((type(row), row[0]), ({}, None)))
    model = oracle.compute_leads(source, oracle.DatabaseLower(conn), declaration)
    expected = oracle.expected_tables(model)
    conversations = [*expected["lead_conversations"].values()]
    conversations += [row for lead in expected["leads"].values() for row in lead["document"]["conversations"]]
    for conversation in conversations:
        conversation["agent_id"] = text(json.loads(conversation["agent_id"])[1])
    return oracle.differences_of_tables(expected, oracle.read_tables(conn))


REFERENCE = Schema("reference", sections()["source"], differences)
CHATWOOT = Schema(
    "chatwoot",
    CHATWOOT_TABLES,
    partial(differences_as_mapped, read_chatwoot, CHATWOOT_ATTRIBUTES),
    CHATWOOT_MAKERS,
)
LIBREDESK = Schema(
    "libredesk",
    LIBREDESK_TABLES,
    partial(differences_as_mapped, read_libredesk, LIBREDESK_ATTRIBUTES),
    LIBREDESK_MAKERS,
)
CHASKIQ = Schema(
    "chaskiq", CHASKIQ_TABLES, partial(differences_as_mapped, read_chaskiq, NO_ATTRIBUTES), CHASKIQ_MAKERS
)
RAPIDPRO = Schema(
    "rapidpro", RAPIDPRO_TABLES, partial(differences_as_mapped, read_rapidpro, NO_ATTRIBUTES), RAPIDPRO_MAKERS
)
MAPPED = {schema.name: schema for schema in (CHATWOOT, LIBREDESK, CHASKIQ, RAPIDPRO)}
"""Those that have a mapping of their own."""

SCHEMAS = {REFERENCE.name: REFERENCE, **MAPPED}


def fill(conn: Connection, schema: Schema, rng: Random, size: int) -> None:
    """Write about this number of conversations, and what belongs to them, into the empty tables of a schema."""
    if schema is REFERENCE:
        edge_cases.write(conn, edge_cases.generate(rng, size))
    else:
        for _ in range(10 * size):
            change(conn, schema, rng)


def change(conn: Connection, schema: Schema, rng: Random, *, truncates: bool = True) -> str:
    """Write to a table, mostly a row or some values of a column, rarely all of it. Return a description."""
    if schema is REFERENCE:
        return mutate(rng, conn, truncates=truncates)
    table, columns = rng.choice([*schema.makers.items()])
    column = rng.choice([*columns])
    made = columns[column](rng)
    row = columns["id"](rng)
    names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
    match rng.randrange(40):
        case 0:
            query, values = f"DELETE FROM {table} WHERE id = %s", [row]
        case 1 if truncates and rng.random() < 0.2:
            query, values = f"TRUNCATE {table}", []
        case 2 if rng.random() < 0.3:
            query, values = f"DELETE FROM {table} WHERE id > %s", [row]
        case 3 if column != "id":
            query, values = f"UPDATE {table} SET {column} = %s", [made]
        case at if at < 18:  # In nearly half of all cases.
            query, values = f"UPDATE {table} SET {column} = %s WHERE id = %s", [made, row]
        case _:
            query = f"INSERT INTO {table} ({names}) VALUES ({marks})"
            values = [make(rng) for make in columns.values()]
    # An existing key, or null in a column that is not nullable, changes nothing.
    with suppress(psycopg.errors.UniqueViolation, psycopg.errors.NotNullViolation), conn.transaction():
        conn.execute(query.encode(), values)
    return f"{query} {values}"
