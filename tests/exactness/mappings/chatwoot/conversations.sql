SELECT
    c.id AS conversation_id,
    c.account_id AS user_id,
    coalesce(nullif(p.phone_number, ''), p.identifier, p.email) AS customer_phone,
    c.assignee_id AS agent_id,
    u.name AS agent_name,
    CASE i.channel_type
        WHEN 'Channel::Whatsapp' THEN 'whatsapp'
        WHEN 'Channel::Instagram' THEN 'instagram'
        WHEN 'Channel::WebWidget' THEN 'webchat'
        ELSE i.channel_type
    END AS platform,
    c.inbox_id AS phone_number_id,
    c.status <> 1 AS is_active,
    c.created_at,
    c.last_activity_at AS last_message_at,
    CASE i.channel_type WHEN 'Channel::Whatsapp' THEN interval '24 hours' END AS reply_window,
    string_to_array(c.cached_label_list, ',') AS labels,
    c.custom_attributes AS attributes
FROM conversations AS c
INNER JOIN contacts AS p ON p.id = c.contact_id
LEFT JOIN inboxes AS i ON i.id = c.inbox_id
LEFT JOIN users AS u ON u.id = c.assignee_id;
