-- What the read model holds of the messages in hand, first by lead: all of a lead that is compared whole, and all of a
-- conversation that is compared whole, has moved or is gone.
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
    SELECT DISTINCT
        dirty_leads.user_id,
        dirty_leads.customer_phone
    FROM dirty_leads
    WHERE dirty_leads.whole
) AS l
CROSS JOIN LATERAL (
    SELECT lm.*
    FROM read_model.lead_messages AS lm
    WHERE lm.user_id = l.user_id AND lm.customer_phone = l.customer_phone
    OFFSET 0
) AS m
UNION ALL
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
FROM stale_conversations AS s
LEFT JOIN stage_conversations AS c ON c.conversation_id = s.conversation_id
LEFT JOIN dirty_leads AS l
    ON l.whole AND l.user_id = s.old_user_id AND l.customer_phone = s.old_customer_phone
CROSS JOIN LATERAL (
    SELECT lm.*
    FROM read_model.lead_messages AS lm
    WHERE lm.user_id = s.old_user_id
        AND lm.customer_phone = s.old_customer_phone
        AND lm.conversation_id = s.conversation_id
    OFFSET 0
) AS m
WHERE s.old_user_id IS NOT NULL
    AND coalesce(c.resync, true)
    AND l.user_id IS NULL;
