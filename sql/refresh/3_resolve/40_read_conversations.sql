-- Read the stale conversations as their source rows are now.
--
-- A conversation that is new to the read model, or moved, brings all its messages.
INSERT INTO source_conversations (
    user_id, customer_phone, conversation_id, agent_id, agent_name, platform, phone_number_id, is_active, created_at,
    source_last_message_at, reply_window, attributes, attributes_left_out, reload_messages
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
    c.reply_window,
    c.attributes,
    c.attributes_left_out,
    s.reload_messages
    OR (c.user_id, c.customer_phone) IS DISTINCT FROM (s.old_user_id, s.old_customer_phone) AS reload_messages
FROM stale_keys AS s
CROSS JOIN LATERAL (
    SELECT d.*
    FROM projector.current_conversations() AS d
    WHERE d.conversation_id = projector.conversation_id(s.key COLLATE "default")
    {fence}
) AS c
WHERE s.kind = 'conversation' AND c.user_id IN (SELECT t.user_id FROM stale_tenants AS t);
