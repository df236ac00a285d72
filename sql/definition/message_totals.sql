-- The totals of the messages of each conversation that has any.
--
-- Reads counted_messages, rows as in read_model.lead_messages.
SELECT
    m.user_id,
    m.customer_phone,
    m.conversation_id,
    count(*) AS message_count,
    min(m.sent_at) AS first_message_at,
    max(m.sent_at) AS newest_message_at,
    max(m.sent_at) FILTER (WHERE m.sender = 'user') AS newest_customer_message_at,
    max(m.sent_at) FILTER (WHERE m.sender = 'agent') AS newest_agent_message_at
FROM counted_messages AS m
GROUP BY m.user_id, m.customer_phone, m.conversation_id
