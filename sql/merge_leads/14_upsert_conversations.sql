-- Write the conversations that differ, and only those.
INSERT INTO read_model.lead_conversations (
    user_id, customer_phone, conversation_id, agent_id, agent_name, platform, phone_number_id, is_active, created_at,
    source_last_message_at, message_count, first_message_at, newest_message_at
)
SELECT n.*
FROM stage_lead_conversations AS n
LEFT JOIN old_conversations AS o
    ON o.user_id = n.user_id AND o.customer_phone = n.customer_phone AND o.conversation_id = n.conversation_id
WHERE (o.*) IS DISTINCT FROM (n.*)
ON CONFLICT (user_id, customer_phone, conversation_id) DO UPDATE SET
    agent_id = excluded.agent_id,
    agent_name = excluded.agent_name,
    platform = excluded.platform,
    phone_number_id = excluded.phone_number_id,
    is_active = excluded.is_active,
    created_at = excluded.created_at,
    source_last_message_at = excluded.source_last_message_at,
    message_count = excluded.message_count,
    first_message_at = excluded.first_message_at,
    newest_message_at = excluded.newest_message_at;
