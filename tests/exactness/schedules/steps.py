"""How each schema writes the rows and the changes of a world of the model."""

from dataclasses import dataclass
from itertools import count

from projector.database.rows import Connection
from tests.exactness.schemas import CHATWOOT, LIBREDESK, REFERENCE, Schema


@dataclass(frozen=True, slots=True)
class Key:
    """A row of the platform, by a name that its id follows."""

    name: str


class Writer:
    """Writes rows and changes as a schema has them, with ids of its type."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._ids: dict[Key, object] = {}
        self._numbers = count(1)

    def write(self, conn: Connection, what: str, **values: object) -> None:
        """Write what the schema has a text for; a value that is a key stands for the id of its row."""
        if text := _TEXTS[self._schema.name][what]:
            conn.execute(text.encode(), {name: self.resolve(value) for name, value in values.items()})

    def resolve(self, value: object) -> object:
        if not isinstance(value, Key):
            return value
        if value not in self._ids:
            self._ids[value] = value.name if self._schema is REFERENCE else next(self._numbers)
        return self._ids[value]


_REFERENCE = {
    "tenant": "INSERT INTO users (user_id) VALUES (%(id)s)",
    "agent": "WITH channel AS (INSERT INTO phone_numbers (id, user_id, platform)"
    " VALUES (%(id)s, %(tenant)s, 'whatsapp'))"
    " INSERT INTO agents (agent_id, user_id, phone_number_id, name) VALUES (%(id)s, %(tenant)s, %(id)s, 'Ava')",
    # A customer is no row of its own.
    "contact": "",
    "conversation": "INSERT INTO conversations (conversation_id, agent_id, customer_phone, created_at)"
    " VALUES (%(id)s, %(agent)s, %(phone)s, '2025-01-01')",
    "place": "UPDATE conversations SET agent_id = %(agent)s, customer_phone = %(phone)s, created_at = %(at)s"
    " WHERE conversation_id = %(id)s",
    "message": "INSERT INTO messages (message_id, conversation_id, sender, text, timestamp)"
    " VALUES (%(id)s, %(conversation)s, 'user', %(text)s, %(at)s)",
    "edit messages": "UPDATE messages SET text = %(text)s WHERE conversation_id = %(conversation)s",
}

# A conversation has the tenant itself, and the phone of a contact.
_CHATWOOT = {
    "tenant": "INSERT INTO accounts (id, name) VALUES (%(id)s, 'one')",
    "agent": "WITH inbox AS (INSERT INTO inboxes (id, channel_type) VALUES (%(id)s, 'Channel::Whatsapp'))"
    " INSERT INTO users (id, name) VALUES (%(id)s, 'Ava')",
    "contact": "INSERT INTO contacts (id, account_id, phone_number, name)"
    " VALUES (%(id)s, %(tenant)s, %(phone)s, %(name)s)",
    "conversation": "INSERT INTO conversations (id, account_id, inbox_id, assignee_id, contact_id, created_at)"
    " VALUES (%(id)s, %(tenant)s, %(agent)s, %(agent)s, %(customer)s, '2025-01-01')",
    "place": "UPDATE conversations SET account_id = %(tenant)s, contact_id = %(customer)s, created_at = %(at)s"
    " WHERE id = %(id)s",
    "message": "INSERT INTO messages (id, conversation_id, message_type, content, created_at)"
    " VALUES (%(id)s, %(conversation)s, 0, %(text)s, %(at)s)",
    "edit messages": "UPDATE messages SET content = %(text)s WHERE conversation_id = %(conversation)s",
}

# There is one tenant. Agents and contacts are users; a conversation belongs to its inbox.
_LIBREDESK = {
    "tenant": "",
    "agent": "WITH inbox AS (INSERT INTO inboxes (id, channel) VALUES (%(id)s, 'livechat')),"
    " status AS (INSERT INTO conversation_statuses (id, category) VALUES (1, 'open') ON CONFLICT DO NOTHING)"
    " INSERT INTO users (id, type, first_name) VALUES (%(id)s, 'agent', 'Ava')",
    "contact": "INSERT INTO users (id, type, first_name, phone_number)"
    " VALUES (%(id)s, 'contact', %(name)s, %(phone)s)",
    "conversation": "INSERT INTO conversations (id, contact_id, assigned_user_id, inbox_id, status_id, created_at)"
    " VALUES (%(id)s, %(customer)s, %(agent)s, %(agent)s, 1, '2025-01-01')",
    "place": "UPDATE conversations SET contact_id = %(customer)s, created_at = %(at)s WHERE id = %(id)s",
    "message": "INSERT INTO conversation_messages (id, conversation_id, type, status, sender_type, content, created_at)"
    " VALUES (%(id)s, %(conversation)s, 'incoming', 'received', 'contact', %(text)s, %(at)s)",
    "edit messages": "UPDATE conversation_messages SET content = %(text)s WHERE conversation_id = %(conversation)s",
}

_TEXTS = {REFERENCE.name: _REFERENCE, CHATWOOT.name: _CHATWOOT, LIBREDESK.name: _LIBREDESK}
