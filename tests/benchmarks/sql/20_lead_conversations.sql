-- Every conversation of a lead, with what its messages add up to.
SELECT
    a.user_id::text COLLATE "C" AS user_id,
    projector.canonical_phone(c.customer_phone) COLLATE "C" AS customer_phone,
    c.conversation_id::text COLLATE "C" AS conversation_id,
    c.agent_id::text COLLATE "C" AS agent_id,
    projector.cut_text(a.name) COLLATE "C" AS agent_name,
    projector.cut_text(p.platform) COLLATE "C" AS platform,
    a.phone_number_id::text COLLATE "C" AS phone_number_id,
    coalesce(c.is_active, false) AS is_active,
    date_trunc('milliseconds', coalesce(c.created_at, 'epoch')::timestamptz) AS created_at,
    date_trunc('milliseconds', c.last_message_at::timestamptz) AS source_last_message_at,
    coalesce(m.message_count, 0)::integer AS message_count,
    date_trunc('milliseconds', m.first_message_at::timestamptz) AS first_message_at,
    date_trunc('milliseconds', m.newest_message_at::timestamptz) AS newest_message_at
FROM conversations AS c
INNER JOIN agents AS a ON a.agent_id = c.agent_id
LEFT JOIN phone_numbers AS p ON p.id = a.phone_number_id
LEFT JOIN (
    SELECT
        conversation_id,
        count(*) AS message_count,
        min(coalesce(timestamp, 'epoch')) AS first_message_at,
        max(coalesce(timestamp, 'epoch')) AS newest_message_at
    FROM messages
    GROUP BY conversation_id
) AS m ON m.conversation_id = c.conversation_id
WHERE projector.canonical_phone(c.customer_phone) IS NOT NULL
