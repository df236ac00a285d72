-- The stale messages as their source rows are now: those that the changes name, and all of a conversation that is to be
-- compared whole.
--
-- A named message whose conversation is not of this batch is left out: it has moved, and the change that moved it names
-- its new conversation.
INSERT INTO stage_messages (
    user_id, message_id, customer_phone, conversation_id, sent_at, sequence_no, sender, status, text, resync
)
SELECT
    c.user_id,
    m.message_id,
    c.customer_phone,
    m.conversation_id,
    m.sent_at,
    m.sequence_no,
    m.sender,
    m.status,
    m.text,
    false AS resync
FROM (SELECT DISTINCT stale_messages.message_id FROM stale_messages) AS s
CROSS JOIN LATERAL (
    SELECT
        source.message_id::text COLLATE "C" AS message_id,
        source.conversation_id::text COLLATE "C" AS conversation_id,
        projector.cut_time(coalesce(source.timestamp, 'epoch')::timestamptz) AS sent_at,
        source.sequence_no,
        source.sender,
        CASE WHEN source.status IN ('pending', 'failed') THEN source.status ELSE 'sent' END AS status,
        source.text
    FROM messages AS source
    WHERE source.message_id = s.message_id COLLATE "default"
    OFFSET 0
) AS m
INNER JOIN stage_conversations AS c ON c.conversation_id = m.conversation_id AND NOT c.resync
UNION ALL
SELECT
    c.user_id,
    m.message_id,
    c.customer_phone,
    c.conversation_id,
    m.sent_at,
    m.sequence_no,
    m.sender,
    m.status,
    m.text,
    true AS resync
FROM stage_conversations AS c
CROSS JOIN LATERAL (
    SELECT
        source.message_id,
        projector.cut_time(coalesce(source.timestamp, 'epoch')::timestamptz) AS sent_at,
        source.sequence_no,
        source.sender,
        CASE WHEN source.status IN ('pending', 'failed') THEN source.status ELSE 'sent' END AS status,
        source.text
    FROM messages AS source
    WHERE source.conversation_id = c.conversation_id COLLATE "default"
    OFFSET 0
) AS m
WHERE c.resync;
