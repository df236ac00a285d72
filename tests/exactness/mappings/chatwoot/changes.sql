-- It has the attributes of a conversation too, which is always read with its extractions.
SELECT c.id AS "conversations.id", c.id AS extractions FROM conversations AS c;
SELECT m.conversation_id AS "messages.conversation_id", m.conversation_id AS messages, m.id AS message_id
FROM messages AS m;
SELECT p.id AS "contacts.id", p.id AS contacts FROM contacts AS p;
SELECT c.contact_id AS "contacts.id", c.id AS conversations FROM conversations AS c;
SELECT c.inbox_id AS "inboxes.id", c.id AS conversations FROM conversations AS c;
SELECT c.assignee_id AS "users.id", c.id AS conversations FROM conversations AS c;
