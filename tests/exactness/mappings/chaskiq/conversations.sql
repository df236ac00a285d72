-- Nothing keeps a conversation from having several channels: the first one counts.
SELECT
    c.id AS conversation_id,
    c.app_id AS user_id,
    coalesce(nullif(u.properties ->> 'phone', ''), u.email, u.id::text) AS customer_phone,
    c.assignee_id AS agent_id,
    coalesce(a.properties ->> 'name', a.email) AS agent_name,
    lower(h.provider) AS platform,
    h.id AS phone_number_id,
    c.state <> 'closed' AS is_active,
    c.created_at,
    c.latest_user_visible_comment_at AS last_message_at
FROM conversations AS c
INNER JOIN app_users AS u ON u.id = c.main_participant_id
LEFT JOIN agents AS a ON a.id = c.assignee_id
LEFT JOIN LATERAL (
    SELECT
        n.id,
        n.provider
    FROM conversation_channels AS n
    WHERE n.conversation_id = c.id
    ORDER BY n.id
    LIMIT 1
) AS h ON true;
