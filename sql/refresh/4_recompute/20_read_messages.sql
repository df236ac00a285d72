-- Read the stale messages as their source rows are now: those that the changes name, and all of each conversation
-- whose messages are read again.
--
-- A named message whose conversation is not in this batch is left out: it has moved, and another change names its new
-- conversation.
INSERT INTO new_messages (
    user_id, message_id, customer_phone, conversation_id, sent_at, sequence_no, sender, status, text, reload_messages
)
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
    false AS reload_messages
FROM (SELECT DISTINCT stale_messages.message_id FROM stale_messages) AS s
CROSS JOIN LATERAL (
    SELECT d.*
    FROM projector.current_messages() AS d
    WHERE d.message_id = projector.message_id(s.message_id COLLATE "default")
    OFFSET 0
) AS m
INNER JOIN source_conversations AS c
    ON c.conversation_id = m.conversation_id::text COLLATE "C" AND NOT c.reload_messages
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
    true AS reload_messages
FROM source_conversations AS c
CROSS JOIN LATERAL (
    SELECT d.*
    FROM projector.current_messages() AS d
    WHERE d.conversation_id = projector.conversation_id(c.conversation_id COLLATE "default")
    {fence}
) AS m
WHERE c.reload_messages;
