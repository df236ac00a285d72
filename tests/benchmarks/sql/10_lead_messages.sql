-- Every message of a lead.
--
-- These files are what somebody would write who computes everything anew by CREATE TABLE AS, or in one materialized
-- view: each reads the source tables and the files before it. They share with the projection only the small functions
-- that say what a phone and a blank text are.
SELECT
    a.user_id::text COLLATE "C" AS user_id,
    m.message_id::text COLLATE "C" AS message_id,
    projector.canonical_phone(c.customer_phone) COLLATE "C" AS customer_phone,
    m.conversation_id::text COLLATE "C" AS conversation_id,
    date_trunc('milliseconds', coalesce(m.timestamp, 'epoch')::timestamptz) AS sent_at,
    m.sequence_no,
    projector.cut_text(m.sender) COLLATE "C" AS sender,
    CASE WHEN m.status IN ('pending', 'failed') THEN m.status ELSE 'sent' END::text COLLATE "C" AS status,
    projector.cut_text(m.text) COLLATE "C" AS text
FROM messages AS m
INNER JOIN conversations AS c ON c.conversation_id = m.conversation_id
INNER JOIN agents AS a ON a.agent_id = c.agent_id
WHERE projector.canonical_phone(c.customer_phone) IS NOT NULL
