SELECT a.id AS "apps.id", a.id AS tenants FROM apps AS a;
SELECT c.id AS "conversations.id", c.id AS conversations FROM conversations AS c;
SELECT h.conversation_id AS "conversation_channels.conversation_id", h.conversation_id AS conversations
FROM conversation_channels AS h;
SELECT u.id AS "app_users.id", u.id AS contacts FROM app_users AS u;
SELECT c.main_participant_id AS "app_users.id", c.id AS conversations FROM conversations AS c;
SELECT c.assignee_id AS "agents.id", c.id AS conversations FROM conversations AS c;
SELECT p.conversation_id AS "conversation_parts.conversation_id", p.conversation_id AS messages, p.id AS message_id
FROM conversation_parts AS p;
SELECT p.messageable_id AS "conversation_part_contents.id", p.conversation_id AS messages, p.id AS message_id
FROM conversation_parts AS p
WHERE p.messageable_type = 'ConversationPartContent';
