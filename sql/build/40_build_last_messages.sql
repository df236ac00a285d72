-- The last message of every lead: of those at its newest time, the last by conversation, number and id.
--
-- The newest time is known from the conversations, so that one scan of the messages and a sort of one row a lead do.
INSERT INTO read_model_next.last_messages (user_id, customer_phone, sender, text)
SELECT DISTINCT ON (m.user_id, m.customer_phone)
    m.user_id,
    m.customer_phone,
    m.sender,
    m.text
FROM (
    SELECT
        c.user_id,
        c.customer_phone,
        max(c.newest_message_at) AS sent_at
    FROM read_model_next.lead_conversations AS c
    WHERE c.newest_message_at IS NOT NULL
    GROUP BY c.user_id, c.customer_phone
) AS newest
INNER JOIN read_model_next.lead_messages AS m
    ON m.user_id = newest.user_id AND m.customer_phone = newest.customer_phone AND m.sent_at = newest.sent_at
ORDER BY
    m.user_id ASC,
    m.customer_phone ASC,
    m.conversation_id DESC,
    m.sequence_no DESC NULLS FIRST,
    m.message_id DESC;
