-- One company has one installation: it is the only tenant.
SELECT
    c.id AS conversation_id,
    'libredesk' AS user_id,
    coalesce(nullif(concat(p.phone_number_country_code, p.phone_number), ''), p.email) AS customer_phone,
    c.assigned_user_id AS agent_id,
    concat_ws(' ', a.first_name, a.last_name) AS agent_name,
    CASE i.channel WHEN 'livechat' THEN 'webchat' ELSE i.channel::text END AS platform,
    c.inbox_id AS phone_number_id,
    s.category <> 'resolved' AS is_active,
    c.created_at,
    c.last_message_at,
    c.subject,
    c.meta AS attributes
FROM conversations AS c
INNER JOIN users AS p ON p.id = c.contact_id
INNER JOIN inboxes AS i ON i.id = c.inbox_id
LEFT JOIN conversation_statuses AS s ON s.id = c.status_id
LEFT JOIN users AS a ON a.id = c.assigned_user_id;
