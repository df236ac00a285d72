-- Then by message: those that the changes name, and those that come in with a conversation compared whole.
--
-- A named message that stands under a conversation of another batch, and is not staged here, is left alone: it moved
-- there, and its change has been or will be taken.
INSERT INTO old_messages (
    user_id, message_id, customer_phone, conversation_id, sent_at, sequence_no, sender, status, text
)
SELECT
    m.user_id,
    m.message_id,
    m.customer_phone,
    m.conversation_id,
    m.sent_at,
    m.sequence_no,
    m.sender,
    m.status,
    m.text
FROM (
    SELECT
        named.user_id,
        named.message_id,
        bool_or(named.staged) AS staged
    FROM (
        SELECT
            stale_messages.user_id,
            stale_messages.message_id,
            false AS staged
        FROM stale_messages
        UNION ALL
        SELECT
            stage_messages.user_id,
            stage_messages.message_id,
            true AS staged
        FROM stage_messages
    ) AS named
    GROUP BY named.user_id, named.message_id
) AS s
LEFT JOIN old_messages AS o ON o.user_id = s.user_id AND o.message_id = s.message_id
CROSS JOIN LATERAL (
    SELECT lm.*
    FROM read_model.lead_messages AS lm
    WHERE lm.user_id = s.user_id AND lm.message_id = s.message_id
    OFFSET 0
) AS m
WHERE o.user_id IS NULL
    AND (s.staged OR m.conversation_id IN (SELECT c.conversation_id FROM stale_conversations AS c));
