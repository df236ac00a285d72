-- There are no conversations: a contact stands in for one, with its first address and its newest open ticket.
SELECT
    c.id AS conversation_id,
    c.org_id AS user_id,
    coalesce(u.path, c.id::text) AS customer_phone,
    t.assignee_id AS agent_id,
    a.email AS agent_name,
    CASE
        WHEN h.channel_type = 'WAC' THEN 'whatsapp'
        WHEN h.channel_type = 'TG' THEN 'telegram'
        WHEN h.id IS NOT NULL THEN 'sms'
    END AS platform,
    u.channel_id AS phone_number_id,
    t.id IS NOT NULL AS is_active,
    c.created_on AS created_at,
    c.last_seen_on AS last_message_at
FROM contacts_contact AS c
LEFT JOIN LATERAL (
    SELECT
        n.path,
        n.channel_id
    FROM contacts_contacturn AS n
    WHERE n.contact_id = c.id
    ORDER BY n.priority DESC, n.id ASC
    LIMIT 1
) AS u ON true
LEFT JOIN LATERAL (
    SELECT
        k.id,
        k.assignee_id
    FROM tickets_ticket AS k
    WHERE k.contact_id = c.id AND k.status = 'O'
    ORDER BY k.id DESC
    LIMIT 1
) AS t ON true
LEFT JOIN channels_channel AS h ON h.id = u.channel_id
LEFT JOIN users_user AS a ON a.id = t.assignee_id
WHERE c.is_active;
