-- The last message of each stale lead: of those at its newest time, the last by conversation, number and id.
INSERT INTO stage_last_messages (user_id, customer_phone, sender, text)
SELECT
    newest.user_id,
    newest.customer_phone,
    m.sender,
    m.text
FROM (
    SELECT
        c.user_id,
        c.customer_phone,
        max(c.newest_message_at) AS sent_at
    FROM stage_lead_conversations AS c
    GROUP BY c.user_id, c.customer_phone
) AS newest
CROSS JOIN LATERAL (
    SELECT
        lm.sender,
        lm.text
    FROM read_model.lead_messages AS lm
    WHERE lm.user_id = newest.user_id
        AND lm.customer_phone = newest.customer_phone
        AND lm.sent_at = newest.sent_at
    ORDER BY lm.conversation_id DESC, lm.sequence_no DESC NULLS FIRST, lm.message_id DESC
    LIMIT 1
) AS m;
