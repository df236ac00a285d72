-- The conversations: the tenant and the channel are the agent's. One without an agent belongs to nobody.
SELECT
    c.conversation_id,
    a.user_id,
    c.customer_phone,
    c.agent_id,
    a.name AS agent_name,
    p.platform,
    a.phone_number_id,
    c.is_active,
    c.created_at,
    c.last_message_at,
    CASE
        WHEN lower(btrim(p.platform::text) COLLATE "C") IN ('whatsapp', 'instagram') THEN interval '24 hours'
    END AS reply_window
FROM conversations AS c
INNER JOIN agents AS a ON a.agent_id = c.agent_id
LEFT JOIN phone_numbers AS p ON p.id = a.phone_number_id;
