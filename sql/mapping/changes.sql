-- Which rows of the relations a changed row touches: a statement for each rule.
--
-- The first column has the name of a table and of the column of it whose old and new value are queued. The second one
-- has the name of a relation, and the keys of its rows: of a conversation for conversations, messages and extractions.
-- Where both are one column of the changed table, nothing is read. Else the rule runs after the commit: the rows
-- between may be gone by then, and have rules of their own. With message_id, only the changed messages are read again.
-- noqa: disable=RF05
SELECT u.user_id AS "users.user_id", u.user_id AS tenants FROM users AS u;

SELECT a.phone_number_id AS "phone_numbers.id", c.conversation_id AS conversations
FROM agents AS a
INNER JOIN conversations AS c ON c.agent_id = a.agent_id;

SELECT t.phone_number_id AS "phone_numbers.id", s.send_id AS template_sends
FROM templates AS t
INNER JOIN template_sends AS s ON s.template_id = t.template_id;

SELECT c.agent_id AS "agents.agent_id", c.conversation_id AS conversations FROM conversations AS c;

SELECT c.conversation_id AS "conversations.conversation_id", c.conversation_id AS conversations FROM conversations AS c;

SELECT m.conversation_id AS "messages.conversation_id", m.conversation_id AS messages, m.message_id FROM messages AS m;

SELECT e.conversation_id AS "extractions.conversation_id", e.conversation_id AS extractions FROM extractions AS e;

SELECT c.contact_id AS "contacts.contact_id", c.contact_id AS contacts FROM contacts AS c;

SELECT s.template_id AS "templates.template_id", s.send_id AS template_sends FROM template_sends AS s;

SELECT s.send_id AS "template_sends.send_id", s.send_id AS template_sends FROM template_sends AS s;
