-- Every conversation of a lead, with what its messages add up to.
INSERT INTO read_model_next.lead_conversations (
    user_id, customer_phone, conversation_id, agent_id, agent_name, platform, phone_number_id, is_active, created_at,
    source_last_message_at, message_count, first_message_at, newest_message_at
)
SELECT
    k.user_id,
    k.customer_phone,
    k.conversation_id,
    c.agent_id,
    a.name,
    p.platform,
    a.phone_number_id,
    coalesce(c.is_active, false),
    projector.cut_time(coalesce(c.created_at, 'epoch')::timestamptz),
    projector.cut_time(c.last_message_at::timestamptz),
    coalesce(m.message_count, 0),
    m.first_message_at,
    m.newest_message_at
FROM read_model_next.conversation_keys AS k
INNER JOIN conversations AS c ON c.conversation_id COLLATE "C" = k.conversation_id
INNER JOIN agents AS a ON a.agent_id = c.agent_id
LEFT JOIN phone_numbers AS p ON p.id = a.phone_number_id
LEFT JOIN (
    SELECT
        lm.conversation_id,
        count(*) AS message_count,
        min(lm.sent_at) AS first_message_at,
        max(lm.sent_at) AS newest_message_at
    FROM read_model_next.lead_messages AS lm
    GROUP BY lm.conversation_id
) AS m ON m.conversation_id = k.conversation_id;
