-- The last message of each staged lead, from the source rows alone.
INSERT INTO stage_last_messages (user_id, customer_phone, sender, text)
SELECT DISTINCT ON (m.user_id, m.customer_phone)
    m.user_id,
    m.customer_phone,
    m.sender,
    m.text
FROM stage_messages AS m
ORDER BY
    m.user_id ASC,
    m.customer_phone ASC,
    m.sent_at DESC,
    m.conversation_id DESC,
    m.sequence_no DESC NULLS FIRST,
    m.message_id DESC;
