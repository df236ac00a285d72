-- The conversations of the staged leads as the definition has them, from the source rows alone.
INSERT INTO stage_lead_conversations (
    user_id, customer_phone, conversation_id, agent_id, agent_name, platform, phone_number_id, is_active, created_at,
    source_last_message_at, message_count, first_message_at, newest_message_at
)
SELECT
    c.user_id,
    c.customer_phone,
    c.conversation_id,
    c.agent_id,
    c.agent_name,
    c.platform,
    c.phone_number_id,
    c.is_active,
    c.created_at,
    c.source_last_message_at,
    count(m.message_id),
    min(m.sent_at),
    max(m.sent_at)
FROM stage_conversations AS c
LEFT JOIN stage_messages AS m ON m.user_id = c.user_id AND m.conversation_id = c.conversation_id
GROUP BY
    c.user_id,
    c.customer_phone,
    c.conversation_id,
    c.agent_id,
    c.agent_name,
    c.platform,
    c.phone_number_id,
    c.is_active,
    c.created_at,
    c.source_last_message_at;
