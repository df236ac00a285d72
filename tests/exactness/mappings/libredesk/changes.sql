SELECT c.id AS "conversations.id", c.id AS conversations FROM conversations AS c;
SELECT m.conversation_id AS "conversation_messages.conversation_id", m.conversation_id AS messages, m.id AS message_id
FROM conversation_messages AS m;
SELECT u.id AS "users.id", u.id AS contacts FROM users AS u;
SELECT c.contact_id AS "users.id", c.id AS conversations FROM conversations AS c;
SELECT c.assigned_user_id AS "users.id", c.id AS conversations FROM conversations AS c;
SELECT c.inbox_id AS "inboxes.id", c.id AS conversations FROM conversations AS c;
SELECT c.status_id AS "conversation_statuses.id", c.id AS conversations FROM conversations AS c;
