"""How each schema writes the steps of the worlds.

A schema that has no such thing as a step lacks it here: the worlds with this step are not played on it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, count

from projector.database.rows import Connection
from tests.exactness.platform import shard_of
from tests.exactness.schedules.worlds import WORLDS, Key, Step, World
from tests.exactness.schemas import CHATWOOT, LIBREDESK, REFERENCE, Schema

Statement = tuple[str, dict[str, object]]


@dataclass(frozen=True, slots=True)
class Tables:
    """A schema, and its text of each step."""

    schema: Schema
    texts: Mapping[str, str] = field(repr=False)

    @property
    def worlds(self) -> tuple[World, ...]:
        """Return the worlds that this schema can have."""
        return tuple(world for world in WORLDS if {step.what for step in world.steps} <= self.texts.keys())


class Writer:
    """Makes statements of the steps of a world; the ids fall into the shards that the keys want."""

    def __init__(self, tables: Tables, conn: Connection) -> None:
        self._tables, self._conn = tables, conn
        self._ids: dict[Key, object] = {}
        self._numbers = count(1)

    def statements(self, *steps: Step) -> Iterator[Statement]:
        """Return the statements of the steps, but for those that the schema has nothing to write for."""
        for step in steps:
            if text := self._tables.texts[step.what]:
                yield text, {name: self.resolve(value) for name, value in step.values.items()}

    def write(self, *steps: Step) -> None:
        for query, values in self.statements(*steps):
            self._conn.execute(query.encode(), values)

    def resolve(self, value: object) -> object:
        if isinstance(value, tuple):
            return [self.resolve(one) for one in value]
        if not isinstance(value, Key):
            return value
        if value not in self._ids:
            self._ids[value] = next(
                made
                for made in self._possible_ids(value)
                if value.shard is None or shard_of(self._conn, str(made)) == value.shard
            )
        return self._ids[value]

    def _possible_ids(self, key: Key) -> Iterator[object]:
        """Return numbers, or in the reference tables texts."""
        if self._tables.schema is not REFERENCE:
            return self._numbers
        return chain([key.name], (f"{key.name} {number}" for number in count(2)))


_REFERENCE = {
    "tenant": "INSERT INTO users (user_id) VALUES (%(id)s)",
    "agent": "WITH channel AS (INSERT INTO phone_numbers (id, user_id, platform)"
    " VALUES (%(id)s, %(tenant)s, 'whatsapp'))"
    " INSERT INTO agents (agent_id, user_id, phone_number_id, name) VALUES (%(id)s, %(tenant)s, %(id)s, 'Ava')",
    "rename agent": "UPDATE agents SET name = %(name)s WHERE agent_id = %(id)s",
    "change platform": "UPDATE phone_numbers SET platform = 'instagram' WHERE id = %(agent)s",
    "move parent": "UPDATE agents SET user_id = %(tenant)s WHERE agent_id = %(agent)s",
    "delete parent": "DELETE FROM agents WHERE agent_id = %(agent)s",
    "conversation": "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
    " VALUES (%(id)s, %(agent)s, %(phone)s, '2025-01-01')",
    "change phone": "UPDATE conversations SET customer_phone = %(phone)s WHERE conversation_id = %(id)s",
    "place": "UPDATE conversations SET agent_id = %(agent)s, customer_phone = %(phone)s, created_at = %(at)s"
    " WHERE conversation_id = %(id)s",
    "edit messages": "UPDATE messages SET text = %(text)s WHERE conversation_id = %(conversation)s",
    "move conversations": "UPDATE conversations SET agent_id = %(agent)s WHERE conversation_id = ANY(%(ids)s)",
    "close conversation": "UPDATE conversations SET is_active = false WHERE conversation_id = %(id)s",
    "message": "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp)"
    " VALUES (%(id)s, %(conversation)s, 'user', %(text)s, %(at)s)",
    "edit message": "UPDATE messages SET text = %(text)s, timestamp = %(at)s WHERE message_id = %(id)s",
    "move message": "UPDATE messages SET conversation_id = %(conversation)s WHERE message_id = %(id)s",
    "delete message": "DELETE FROM messages WHERE message_id = %(id)s",
    "extraction": "INSERT INTO extractions (extraction_id, conversation_id, lead_status_tag, name, extracted_at)"
    " VALUES (md5(%(id)s)::uuid, %(conversation)s, %(status)s, %(name)s, %(at)s)",
    "change extraction": "UPDATE extractions SET lead_status_tag = %(status)s, name = %(name)s"
    " WHERE conversation_id = %(conversation)s",
    "contact": "INSERT INTO contacts (contact_id, user_id, phone, name)"
    " VALUES (%(id)s, %(tenant)s, %(phone)s, %(name)s)",
    "rename contact": "UPDATE contacts SET name = %(name)s WHERE contact_id = %(id)s",
    "change email": "UPDATE contacts SET email = %(email)s WHERE contact_id = %(id)s",
    "change phone of contact": "UPDATE contacts SET phone = %(phone)s WHERE contact_id = %(id)s",
    "template": "WITH channel AS (INSERT INTO phone_numbers (id, user_id, platform)"
    " VALUES (%(id)s, %(tenant)s, 'whatsapp'))"
    " INSERT INTO templates (template_id, user_id, phone_number_id) VALUES (%(id)s, %(tenant)s, %(id)s)",
    "send": "INSERT INTO template_sends (send_id, template_id, customer_phone, status, sent_at)"
    " VALUES (%(id)s, %(template)s, %(phone)s, 'SENT', '2025-01-02')",
    "move send": "UPDATE template_sends SET template_id = %(template)s WHERE send_id = %(id)s",
    "fail send": "UPDATE template_sends SET status = 'FAILED' WHERE send_id = %(id)s",
}

# A conversation has the tenant itself, and the phone of a contact.
_CHATWOOT = {
    "tenant": "INSERT INTO accounts (id, name) VALUES (%(id)s, 'one')",
    "agent": "WITH inbox AS (INSERT INTO inboxes (id, channel_type) VALUES (%(id)s, 'Channel::Whatsapp'))"
    " INSERT INTO users (id, name) VALUES (%(id)s, 'Ava')",
    "rename agent": "UPDATE users SET name = %(name)s WHERE id = %(id)s",
    "change platform": "UPDATE inboxes SET channel_type = 'Channel::Instagram' WHERE id = %(agent)s",
    "move parent": "UPDATE contacts SET phone_number = %(phone)s WHERE id = %(customer)s",
    "delete parent": "DELETE FROM contacts WHERE id = %(customer)s",
    "conversation": "WITH customer AS (INSERT INTO contacts (id, account_id, phone_number)"
    " VALUES (%(customer)s, %(tenant)s, %(phone)s) ON CONFLICT DO NOTHING)"
    " INSERT INTO conversations (id, account_id, inbox_id, assignee_id, contact_id, created_at)"
    " VALUES (%(id)s, %(tenant)s, %(agent)s, %(agent)s, %(customer)s, '2025-01-01')",
    "change phone": "UPDATE contacts SET phone_number = %(phone)s WHERE id = %(customer)s",
    "place": "UPDATE conversations SET account_id = %(tenant)s, contact_id = %(customer)s, created_at = %(at)s"
    " WHERE id = %(id)s",
    "edit messages": "UPDATE messages SET content = %(text)s WHERE conversation_id = %(conversation)s",
    "move conversations": "UPDATE conversations SET account_id = %(tenant)s WHERE id = ANY(%(ids)s)",
    "close conversation": "UPDATE conversations SET status = 1 WHERE id = %(id)s",
    "message": "INSERT INTO messages (id, conversation_id, message_type, content, created_at)"
    " VALUES (%(id)s, %(conversation)s, 0, %(text)s, %(at)s)",
    "edit message": "UPDATE messages SET content = %(text)s, created_at = %(at)s WHERE id = %(id)s",
    "move message": "UPDATE messages SET conversation_id = %(conversation)s WHERE id = %(id)s",
    "delete message": "DELETE FROM messages WHERE id = %(id)s",
    "extraction": "UPDATE conversations SET custom_attributes = jsonb_build_object('lead_status', %(status)s::text),"
    " updated_at = %(at)s WHERE id = %(conversation)s",
    "change extraction": "UPDATE conversations"
    " SET custom_attributes = jsonb_build_object('lead_status', %(status)s::text) WHERE id = %(conversation)s",
    "contact": "INSERT INTO contacts (id, account_id, phone_number, name)"
    " VALUES (%(id)s, %(tenant)s, %(phone)s, %(name)s)",
    "rename contact": "UPDATE contacts SET name = %(name)s WHERE id = %(id)s",
    "change email": "UPDATE contacts SET email = %(email)s WHERE id = %(id)s",
    "change phone of contact": "UPDATE contacts SET phone_number = %(phone)s WHERE id = %(id)s",
}

# There is one tenant. Agents and contacts are users; a conversation belongs to its inbox.
_LIBREDESK = {
    "tenant": "",
    "agent": "WITH inbox AS (INSERT INTO inboxes (id, channel) VALUES (%(id)s, 'livechat')),"
    " status AS (INSERT INTO conversation_statuses (id, category) VALUES (1, 'open'), (2, 'resolved')"
    " ON CONFLICT DO NOTHING)"
    " INSERT INTO users (id, type, first_name) VALUES (%(id)s, 'agent', 'Ava')",
    "rename agent": "UPDATE users SET first_name = %(name)s WHERE id = %(id)s",
    "change platform": "UPDATE inboxes SET channel = 'email' WHERE id = %(agent)s",
    "move parent": "UPDATE users SET phone_number = %(phone)s WHERE id = %(customer)s",
    "delete parent": "DELETE FROM inboxes WHERE id = %(agent)s",
    "conversation": "WITH customer AS (INSERT INTO users (id, type, first_name, phone_number)"
    " VALUES (%(customer)s, 'contact', 'Bob', %(phone)s) ON CONFLICT DO NOTHING)"
    " INSERT INTO conversations (id, contact_id, assigned_user_id, inbox_id, status_id, created_at)"
    " VALUES (%(id)s, %(customer)s, %(agent)s, %(agent)s, 1, '2025-01-01')",
    "change phone": "UPDATE users SET phone_number = %(phone)s WHERE id = %(customer)s",
    "place": "UPDATE conversations SET contact_id = %(customer)s, created_at = %(at)s WHERE id = %(id)s",
    "edit messages": "UPDATE conversation_messages SET content = %(text)s WHERE conversation_id = %(conversation)s",
    "move conversations": "UPDATE conversations SET contact_id = %(customer)s WHERE id = ANY(%(ids)s)",
    "close conversation": "UPDATE conversations SET status_id = 2 WHERE id = %(id)s",
    "message": "INSERT INTO conversation_messages (id, conversation_id, type, status, sender_type, content, created_at)"
    " VALUES (%(id)s, %(conversation)s, 'incoming', 'received', 'contact', %(text)s, %(at)s)",
    "edit message": "UPDATE conversation_messages SET content = %(text)s, created_at = %(at)s WHERE id = %(id)s",
    "move message": "UPDATE conversation_messages SET conversation_id = %(conversation)s WHERE id = %(id)s",
    "delete message": "DELETE FROM conversation_messages WHERE id = %(id)s",
    "contact": "INSERT INTO users (id, type, first_name, phone_number)"
    " VALUES (%(id)s, 'contact', %(name)s, %(phone)s)",
    "rename contact": "UPDATE users SET first_name = %(name)s WHERE id = %(id)s",
    "change email": "UPDATE users SET email = %(email)s WHERE id = %(id)s",
    "change phone of contact": "UPDATE users SET phone_number = %(phone)s WHERE id = %(id)s",
}

TABLES = (Tables(REFERENCE, _REFERENCE), Tables(CHATWOOT, _CHATWOOT), Tables(LIBREDESK, _LIBREDESK))
